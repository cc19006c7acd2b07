"""The facts of a head: what its card says, and a head made again from them."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from downstream.heads.registry import model_named
from featurize.bundle import EncoderCard
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from downstream.heads.head import Head
    from downstream.heads.model import Parts

_REQUIRED = ("label", "table_version", "unmatched", "rows", "libraries")
# as earlier heads have it
_UNSAID = ("table", "table_id", "rows_sha256", "precision", "prompt")
_UNRECORDED: Json = {**dict.fromkeys(_UNSAID), "incomplete": False}


def of_arrays(rows: int) -> Json:
    """Return what is known of a training on arrays."""
    return {
        "label": None,
        "unmatched": {},
        "table_version": None,
        **_UNRECORDED,
        "rows": rows,
        "libraries": {name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn")},
    }


def describe(head: Head) -> Json:
    """Return what a head is and what it was made from, as JSON values."""
    return {
        "model": head.model,
        "settings": head.model_.settings,
        "seed": head.seed,
        "class_weight": _weight_pairs(head),
        "classes": head.classes_.tolist(),
        "dim": int(head.n_features_in_),
        "keeps_rows": head.model_.keeps_rows,
        "encoder": head.encoder_.to_json() if head.encoder_ else None,
        "metrics": head.metrics_,
        **head.training_,
    }


def class_weight(facts: Json) -> Any:
    """Return what the card says of class weights: None, `balanced` or a mapping."""
    stated = facts.get("class_weight")
    return dict(stated) if isinstance(stated, list) else stated


def restore(head: Head, facts: Json, parts: Parts) -> None:
    """Give a new head what was saved; raise KeyError, TypeError or ValueError where it is wrong."""
    head.classes_ = _classes(facts["classes"], facts["classes_dtype"])
    head.model_ = model_named(facts["model"]).load(parts, facts["settings"])
    head.n_features_in_ = facts["dim"]
    head.encoder_ = _encoder(facts["encoder"])
    head.calibration_ = None
    head.metrics_ = facts["metrics"]
    head.training_ = {name: facts[name] for name in _REQUIRED}
    head.training_ |= {name: facts.get(name, old) for name, old in _UNRECORDED.items()}


def _classes(values: list[Any], dtype: str) -> NDArray[Any]:
    kind = np.dtype(dtype)
    if kind.kind not in "OUbiuf":
        raise ValueError(f"classes of type {dtype}")
    return np.array(values, dtype=kind)


def _weight_pairs(head: Head) -> Any:
    """Return class weights as JSON, whose objects have no keys but strings."""
    stated = head.class_weight
    return [list(pair) for pair in stated.items()] if isinstance(stated, Mapping) else stated


def _encoder(card: Json | None) -> EncoderCard | None:
    return None if card is None else EncoderCard.from_json(card)
