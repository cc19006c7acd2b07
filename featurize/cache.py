"""What a machine works out once and keeps: exported encoders, and what was measured on it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from featurize import storage
from featurize.types import Json


def cache_folder() -> Path:
    """Return where exported encoders and measurements are kept.

    FEATURIZE_CACHE, else XDG_CACHE_HOME/featurize, else ~/.cache/featurize.
    """
    if stated := os.environ.get("FEATURIZE_CACHE"):
        return Path(stated).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "featurize"


def kept(kind: str) -> list[tuple[Json, float]]:
    """Return what was measured here before, with its keys; what cannot be read is passed over."""
    measurements: list[tuple[Json, float]] = []
    for path in sorted((cache_folder() / "measured" / kind).glob("*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(storage.read(path))
            measurements.append((dict(found["key"]), float(found["value"])))
    return measurements


def measured(kind: str, key: Json, measure: Callable[[], float]) -> float:
    """Return what was measured here before under this key; else measure it now, and keep it.

    A cache that cannot be written costs only the next measurement.
    """
    name = storage.sha256_bytes(storage.canonical_json(key))[:32]
    path = cache_folder() / "measured" / kind / f"{name}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(storage.read(path))
        if kept["key"] == key:
            return float(kept["value"])
    value = measure()
    with contextlib.suppress(OSError):
        storage.make_folder(path.parent)
        storage.put(path, storage.pretty_json({"key": key, "value": value}))
    return value
