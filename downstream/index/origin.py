"""Which table an index was made from, and whether that table has changed since."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from featurize.errors import TableError
from featurize.storage import canonical_json, sha256_bytes
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
        "state": _state(table),
        "incomplete": not table.complete,
        "bundle": table.origin.get("bundle"),
        "variant": table.origin.get("variant"),
    }


def staleness(origin: Json, rows: pa.Table, fingerprint: str) -> dict[str, int]:
    """Count the table's rows that are `missing` among `rows`, and those the table has `removed`.

    A row with changed content counts as both, as does every row of a table from another encoder.
    Where there is no table at its recorded path, nothing is known: both are 0.
    """
    with contextlib.suppress(TableError):
        table = EmbeddingTable.open(origin["table"])
        if _state(table) != origin["state"]:
            now, then = _keys(table.select(KEYS), table.fingerprint), _keys(rows, fingerprint)
            return {"missing": len(now - then), "removed": len(then - now)}
    return {"missing": 0, "removed": 0}


def _state(table: EmbeddingTable) -> str:
    """Return the identity of the rows; a version alone is shared by a table made anew."""
    return sha256_bytes(canonical_json(sorted(part.sha256 for part in table.parts)))


def _keys(rows: pa.Table, fingerprint: str) -> set[tuple[str, str, str]]:
    ids, contents = (rows[name].to_pylist() for name in KEYS)
    return {(key, content, fingerprint) for key, content in zip(ids, contents, strict=True)}
