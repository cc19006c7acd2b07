"""The growing result of a chunk: one slot per listed input, which ends as a row or a reject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from featurize.errors import InputRejected
from featurize.sources import COLUMN_PREFIX
from featurize.table.elements import elements_of
from featurize.table.layout import EMBEDDING, reject_schema
from featurize.types import RejectReason, Sample

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Prepared:
    """A content's SHA-256, where it could be read, and its sample or why there is none."""

    digest: str | None
    outcome: Sample | InputRejected


@dataclass(slots=True)
class Slots:
    """What is known of each listed input so far; `known` are the contents that have a vector."""

    listed: pa.Table
    vectors: NDArray[np.float32]  # (inputs, dim)
    digests: list[str | None]
    columns: list[dict[str, str | int | bool] | None]
    rejected: dict[int, tuple[str, str]] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)  # digest -> the slot with its vector
    known: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, listed: pa.Table, dim: int) -> Self:
        """Make slots for listed inputs; those rejected when they were listed stay so."""
        size = listed.num_rows
        slots = cls(listed, np.zeros((size, dim), np.float32), [None] * size, [None] * size)
        reasons, details = (listed.column(name).to_pylist() for name in ("reason", "detail"))
        for place, reason in enumerate(reasons):
            if reason is not None:
                slots.rejected[place] = (reason, details[place])
        return slots

    def take(self, window: list[int], prepared: list[Prepared]) -> dict[str, Sample]:
        """Note what inputs became; return the samples of contents not seen before, by digest."""
        samples: dict[str, Sample] = {}
        for place, item in zip(window, prepared, strict=True):
            self.digests[place] = item.digest
            if isinstance(item.outcome, InputRejected):
                self.rejected[place] = (item.outcome.reason, item.outcome.detail)
                continue
            self.columns[place] = item.outcome.columns
            if item.digest is not None and item.digest not in self.owners:
                self.owners[item.digest] = place
                samples[item.digest] = item.outcome
        return samples

    def take_vectors(self, vectors: dict[str, NDArray[np.float32]]) -> None:
        """Take the vectors of contents, (dim,) float32 each."""
        for digest, vector in vectors.items():
            self.vectors[self.owners[digest]] = vector
        self.known |= vectors.keys()

    def fan_out(self, window: list[int]) -> None:
        """Give each content's one vector to all its inputs."""
        for place in window:
            digest = self.digests[place]
            if self.columns[place] is not None and digest is not None:
                self.vectors[place] = self.vectors[self.owners[digest]]

    def reject_unusable(self, schema: pa.Schema) -> None:
        """Turn inputs whose vector, made or stored, is not finite or all zeros into rejects."""
        self._reject(range(len(self.vectors)), self.vectors, "the encoder gave no usable vector")
        elements = elements_of(schema.field(EMBEDDING).type)
        if not elements.is_exact:
            kept = self._kept()
            stored = elements.as_read(self.vectors[kept])
            self._reject(kept, stored, f"its vector is out of the range of {elements.store}")

    def rows(self, schema: pa.Schema) -> pa.Table:
        """Return the inputs that became rows."""
        import pyarrow as pa

        kept = self._kept()
        listed = self.listed.take(pa.array(kept, pa.int64()))
        columns = [self._column(field, listed, kept) for field in schema]
        return pa.Table.from_arrays(columns, schema=schema)

    def rejects(self) -> pa.Table:
        """Return the inputs that did not."""
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
        return [place for place in range(self.listed.num_rows) if place not in self.rejected]

    def _reject(self, places: Sequence[int], vectors: NDArray[np.float32], detail: str) -> None:
        """Reject the inputs at `places` whose vectors, (places, dim), are of no use."""
        finite = np.asarray(np.isfinite(vectors).all(axis=1))
        for row in np.flatnonzero(~finite | ~vectors.any(axis=1)).tolist():
            reason = RejectReason.ZERO_VECTOR if finite[row] else RejectReason.NONFINITE
            self.rejected.setdefault(places[row], (reason, detail))

    def _column(
        self, wanted: pa.Field, listed: pa.Table, kept: list[int]
    ) -> pa.Array | pa.ChunkedArray:
        """Return one column of the kept rows, from the listing, the processor or the encoder."""
        import pyarrow as pa

        name = wanted.name
        if name == EMBEDDING:
            return elements_of(wanted.type).column(self.vectors[kept])
        if name == "content_sha256":
            return pa.array([self.digests[place] for place in kept], wanted.type)
        if name in {"id", "source", "label"}:
            return listed.column(name)
        if COLUMN_PREFIX + name in listed.column_names:
            return listed.column(COLUMN_PREFIX + name)
        return pa.array([(self.columns[place] or {})[name] for place in kept], wanted.type)
