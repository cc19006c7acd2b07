"""Which table an index was made from, and whether that table has changed since."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.errors import FileError, TableError
from featurize.storage import canonical_json, sha256_bytes
from featurize.table.layout import Layout
from featurize.table.log import CommitLog
from featurize.table.part import Part
from featurize.table.reader import EmbeddingTable
from featurize.types import Json

if TYPE_CHECKING:
    import pyarrow as pa

KEYS = ["id", "content_sha256"]


def origin_of(table: EmbeddingTable) -> Json:
    """Return what an index states about its table: path, version, state, and how it was encoded."""
    return {
        "table": str(table.path.resolve()),
        "version": table.version,
        "table_id": table.table_id,
        "state": _state(table.parts),
        "incomplete": not table.complete,
        "bundle": table.origin.get("bundle"),
        "variant": table.origin.get("variant"),
    }


def staleness(origin: Json, rows: pa.Table, fingerprint: str) -> dict[str, int]:
    """Count the table's rows that are `missing` among `rows`, and those the table has `removed`.

    A row with changed content counts as both, as does every row of a table from another encoder.
    Where there is no table at its recorded path, nothing is known: both are 0.
    """
    with contextlib.suppress(OSError, TableError, FileError):
        table = EmbeddingTable.open(origin["table"])
        if _state(table.parts) != origin["state"]:
            now, then = _keys(table.select(KEYS), table.fingerprint), _keys(rows, fingerprint)
            return {"missing": len(now - then), "removed": len(then - now)}
    return {"missing": 0, "removed": 0}


def outdated(card: Json) -> str | None:
    """Say how the table has moved on since an index was made; None where nothing tells so."""
    with contextlib.suppress(OSError, TableError, KeyError, TypeError):
        origin = card["origin"]
        root = Path(origin["table"])
        now = CommitLog(Layout.of(root).log).committed()
        if _state(now.data()) != origin["state"]:
            then = f"version {origin['version']} of {root}"
            return f"made from {then}, which is at version {now.version} and has other rows now"
    return None


def _state(parts: Sequence[Part]) -> str:
    """Return the identity of the rows; a version alone is shared by a table made anew."""
    return sha256_bytes(canonical_json(sorted(part.sha256 for part in parts)))


def _keys(rows: pa.Table, fingerprint: str) -> set[tuple[str, str, str]]:
    ids, contents = (rows[name].to_pylist() for name in KEYS)
    return {(key, content, fingerprint) for key, content in zip(ids, contents, strict=True)}
