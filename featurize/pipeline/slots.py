"""The growing result of a chunk: one slot per listed input, which ends as rows or a reject."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from featurize.errors import InputRejected
from featurize.sources import COLUMN_PREFIX
from featurize.table.elements import elements_of
from featurize.table.layout import (
    EMBEDDING,
    PARENT,
    PARENT_SHA256,
    chunk_id,
    is_chunked,
    reject_schema,
)
from featurize.types import Piece, RejectReason

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Draft:
    """A row to be: the SHA-256 of what is embedded, and its piece."""

    digest: str
    piece: Piece


@dataclass(frozen=True, slots=True)
class Prepared:
    """A content's SHA-256, where it could be read, and its rows to be or why there are none."""

    digest: str | None
    outcome: list[Draft] | InputRejected


@dataclass(slots=True)
class Slots:
    """What is known of each listed input so far; `vectors`, (dim,) float32 each, by digest."""

    listed: pa.Table
    digests: list[str | None]
    drafts: list[list[Draft]]
    rejected: dict[int, tuple[str, str]] = field(default_factory=dict)
    vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    @classmethod
    def of(cls, listed: pa.Table) -> Self:
        """Make slots for listed inputs; those rejected when they were listed stay so."""
        size = listed.num_rows
        slots = cls(listed, [None] * size, [[] for _ in range(size)])
        reasons, details = (listed.column(name).to_pylist() for name in ("reason", "detail"))
        for place, reason in enumerate(reasons):
            if reason is not None:
                slots.rejected[place] = (reason, details[place])
        return slots

    def take(self, window: list[int], prepared: list[Prepared]) -> dict[str, Piece]:
        """Note what inputs became; return the pieces that have no vector yet, by digest."""
        pieces: dict[str, Piece] = {}
        for place, item in zip(window, prepared, strict=True):
            self.digests[place] = item.digest
            if isinstance(item.outcome, InputRejected):
                self.rejected[place] = (item.outcome.reason, item.outcome.detail)
                continue
            self.drafts[place] = item.outcome
            for draft in item.outcome:
                if draft.digest not in self.vectors:
                    pieces.setdefault(draft.digest, draft.piece)
        return pieces

    def reject_unusable(self, schema: pa.Schema) -> None:
        """Turn inputs with a vector that, made or stored, is not finite or all zeros into rejects.

        What is found is rejected with all rows of its input.
        """
        self._reject(dict(self.vectors), "the encoder gave no usable vector")
        elements = elements_of(schema.field(EMBEDDING).type)
        kept = {it.digest for place in self._kept() for it in self.drafts[place]}
        if kept and not elements.is_exact:
            stored = elements.as_read(np.stack([self.vectors[digest] for digest in kept]))
            detail = f"its vector is out of the range of {elements.store}"
            self._reject(dict(zip(kept, stored, strict=True)), detail)

    def rows(self, schema: pa.Schema) -> pa.Table:
        """Return the rows of the inputs that were not rejected."""
        import pyarrow as pa

        kept = self._kept()
        drafts = [draft for place in kept for draft in self.drafts[place]]
        places = np.repeat(kept, [len(self.drafts[place]) for place in kept]).astype(np.int64)
        known = self._known(schema, places, drafts)
        listed = self.listed.take(pa.array(places))
        columns = [_column(entry, known, listed, drafts) for entry in schema]
        return pa.Table.from_arrays(columns, schema=schema)

    def rejects(self) -> pa.Table:
        """Return the inputs that did not become rows."""
        import pyarrow as pa

        lost = sorted(self.rejected)
        listed = self.listed.take(pa.array(lost, pa.int64()))
        columns = [
            listed.column("id"),
            listed.column("source"),
            pa.array([str(self.rejected[place][0]) for place in lost], pa.string()),
            pa.array([self.rejected[place][1] for place in lost], pa.string()),
            pa.array([self.digests[place] for place in lost], pa.string()),
        ]
        return pa.Table.from_arrays(columns, schema=reject_schema())

    def _kept(self) -> list[int]:
        return [place for place in range(len(self.drafts)) if place not in self.rejected]

    def _reject(self, vectors: dict[str, NDArray[np.float32]], detail: str) -> None:
        """Reject the inputs of which a vector, by digest, is of no use."""
        if not vectors:
            return
        digests, stacked = list(vectors), np.stack(list(vectors.values()))
        finite = np.asarray(np.isfinite(stacked).all(axis=1))
        unusable = {
            digests[row]: RejectReason.ZERO_VECTOR if finite[row] else RejectReason.NONFINITE
            for row in np.flatnonzero(~finite | ~stacked.any(axis=1)).tolist()
        }
        for place, drafts in enumerate(self.drafts if unusable else ()):
            reason = next((unusable[it.digest] for it in drafts if it.digest in unusable), None)
            if reason is not None:
                self.rejected.setdefault(place, (reason, detail))

    def _known(
        self, schema: pa.Schema, places: NDArray[np.int64], drafts: list[Draft]
    ) -> dict[str, Any]:
        """Return the columns that neither the listing nor the processor gives."""
        stored = schema.field(EMBEDDING).type
        elements = elements_of(stored)
        vectors = np.empty((len(drafts), stored.list_size * elements.dims), np.float32)
        for row, draft in enumerate(drafts):
            vectors[row] = self.vectors[draft.digest]
        known: dict[str, Any] = {
            "content_sha256": [draft.digest for draft in drafts],
            EMBEDDING: elements.column(vectors),
        }
        if is_chunked(schema):
            ids = self.listed.column("id").to_pylist()
            numbers = [n for place in dict.fromkeys(places) for n in range(len(self.drafts[place]))]
            parents = [ids[place] for place in places]
            known["id"] = list(map(chunk_id, parents, numbers))
            known[PARENT] = parents
            known[PARENT_SHA256] = [self.digests[place] for place in places]
        return known


def _column(
    wanted: pa.Field, known: dict[str, Any], listed: pa.Table, drafts: list[Draft]
) -> pa.Array | pa.ChunkedArray:
    """Return one column of rows: known, of the listing, or of the processor."""
    import pyarrow as pa

    name = wanted.name
    if name in known:
        column = known[name]
        return column if isinstance(column, pa.Array) else pa.array(column, wanted.type)
    if name in {"id", "source", "label"}:
        return listed.column(name)
    if COLUMN_PREFIX + name in listed.column_names:
        return listed.column(COLUMN_PREFIX + name)
    return pa.array([draft.piece.columns.get(name) for draft in drafts], wanted.type)
