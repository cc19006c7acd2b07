"""Reading a table: only what its last commit names, each checked against its hash first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from featurize.bundle import EncoderCard
from featurize.config import Store
from featurize.errors import TableError, UsageError
from featurize.table.elements import elements_of, numbers_of
from featurize.table.layout import EMBEDDING, Layout, reject_schema, stamp_of
from featurize.table.log import CommitLog
from featurize.table.part import Part, open_part, read_part
from featurize.table.snapshot import Snapshot
from featurize.types import Json
from featurize.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc
    from numpy.typing import NDArray

BATCH = 8192


class EmbeddingTable:
    """One version of an embedding table; rows keep their order between calls.

    `card` is that of its encoder, `store` the number format of its stored vectors.
    """

    def __init__(self, path: Path, snapshot: Snapshot) -> None:
        self.path = path
        self._snapshot = snapshot
        self.schema, self.card, self.store = self._read_schema()

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the last committed version; raise TableError where there is none."""
        root = Path(path)
        log = CommitLog(Layout.of(root).log)
        while True:
            snapshot = log.committed()
            try:
                return cls(root, snapshot)
            except TableError:
                if log.snapshot().tip == snapshot.tip:
                    raise  # else its files went because a newer version has others

    @property
    def version(self) -> int:
        """Return the number of the last commit."""
        return self._snapshot.version

    @property
    def fingerprint(self) -> str:
        """Return the identity of the vector space."""
        return self.card.fingerprint

    @property
    def origin(self) -> Json:
        """Return what the table was made from and how, as its last commit states it."""
        return self._snapshot.origin

    @property
    def complete(self) -> bool:
        """Say whether the run that made the last commit had come to its end."""
        return self._snapshot.complete

    @property
    def table_id(self) -> str:
        """Return what tells the table from one made anew at its path."""
        return self._snapshot.table_id

    @property
    def forgotten_at(self) -> int:
        """Return the version that last forgot ids, 0 for none."""
        return self._snapshot.forgotten_at

    @property
    def kept_out(self) -> int:
        """Return how many ids no later run brings back."""
        return len(self._snapshot.kept_out)

    @property
    def inputs(self) -> int:
        """Return of how many inputs there are rows: fewer than rows where these are chunks."""
        return sum(part.inputs for part in self.parts)

    @property
    def parts(self) -> list[Part]:
        """Return the files that hold the rows."""
        return self._snapshot.data()

    @property
    def reject_parts(self) -> list[Part]:
        """Return the files that hold the rejects."""
        return self._snapshot.rejects()

    def read(self, part: Part, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield one of the table's files batch by batch; raise TableError if it is gone."""
        return self._read(part, columns, BATCH)

    def __repr__(self) -> str:
        """Say where it lies and what it holds."""
        return (
            f"EmbeddingTable({str(self.path)!r}, version {self.version}, "
            f"{counted(len(self), 'row')}, {self.card.name}, {self.card.dim} dimensions)"
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return sum(part.rows for part in self.parts)

    @cached_property
    def ids(self) -> NDArray[np.object_]:
        """Return the ids, (n,) of str."""
        return self.column("id")

    @cached_property
    def labels(self) -> NDArray[np.object_]:
        """Return the labels, (n,); None where a row has none."""
        return self.column("label")

    def column(self, name: str) -> NDArray[np.object_]:
        """Return one column as Python values, (n,)."""
        return np.array(self.select([name]).column(0).to_pylist() or [], dtype=object)

    def to_numpy(self) -> NDArray[np.float32]:
        """Return the vectors, (n, dim) float32, whatever they are stored as.

        Those of int8 have unit length, as those of binary, whose elements differ in sign alone.
        """
        vectors = np.empty((len(self), self.card.dim), np.float32)
        self._fill(vectors, vectors_of)
        return vectors

    def to_packed(self) -> NDArray[np.uint8]:
        """Return the signs of the vectors, (n, dim / 8) uint8, as numpy.packbits packs them.

        Raises UsageError for a table that stores more than signs.
        """
        if self.store is not Store.BINARY:
            raise UsageError(
                f"{self.path} stores its vectors as {self.store}; only binary ones are packed.",
                fix="Use to_numpy(), or make a table with --store binary.",
            )
        packed = np.empty((len(self), self.card.dim // 8), np.uint8)
        self._fill(packed, lambda batch: numbers_of(batch.column(EMBEDDING)))
        return packed

    def to_pandas(self) -> pd.DataFrame:
        """Return all rows and columns."""
        frame: pd.DataFrame = self.select().to_pandas()
        return frame

    def iter_batches(
        self, columns: Sequence[str] | None = None, batch_size: int = BATCH
    ) -> Iterator[pa.RecordBatch]:
        """Yield rows batch by batch in flat memory; all columns unless some are named."""
        self._require(columns or ())
        for part in self.parts:
            yield from self._read(part, columns, batch_size)

    def select(
        self, columns: Sequence[str] | None = None, where: pc.Expression | None = None
    ) -> pa.Table:
        """Return columns of the rows for which the expression holds."""
        import pyarrow as pa

        names = list(columns) if columns is not None else self.schema.names
        self._require(names)
        read = None if where is not None else names
        rows = pa.Table.from_batches(self.iter_batches(read), self._narrow(read))
        return rows if where is None else rows.filter(where).select(names)

    def rejects(self) -> pa.Table:
        """Return the rejected inputs: id, source, reason, detail, content_sha256."""
        import pyarrow as pa

        batches = [batch for part in self.reject_parts for batch in self.read(part)]
        return pa.Table.from_batches(batches, reject_schema())

    def _read(
        self, part: Part, columns: Sequence[str] | None, batch_size: int
    ) -> Iterator[pa.RecordBatch]:
        try:
            yield from read_part(self.path, part, columns, batch_size)
        except TableError:
            now = CommitLog(Layout.of(self.path).log).snapshot()
            if now.version == 0 or now.tip == self._snapshot.tip or part in now.parts.values():
                raise
            raise TableError(
                f"{self.path} has moved on to version {now.version} since it was opened at "
                f"version {self.version}.",
                fix="Open it again.",
            ) from None

    def _fill(self, rows: NDArray[Any], read: Callable[[pa.RecordBatch], NDArray[Any]]) -> None:
        start = 0
        for batch in self.iter_batches([EMBEDDING]):
            stop = start + batch.num_rows
            rows[start:stop] = read(batch)
            start = stop

    def _narrow(self, columns: Sequence[str] | None) -> pa.Schema:
        import pyarrow as pa

        if columns is None:
            return self.schema
        return pa.schema([self.schema.field(name) for name in columns], self.schema.metadata)

    def _require(self, columns: Sequence[str]) -> None:
        missing = [name for name in columns if name not in self.schema.names]
        if missing:
            raise UsageError(
                f"{self.path} has no column {missing[0]!r}; it has {', '.join(self.schema.names)}."
            )

    def _read_schema(self) -> tuple[pa.Schema, EncoderCard, Store]:
        first = self.parts[0]
        with open_part(self.path, first) as file:
            schema = file.schema_arrow
        return schema, *stamp_of(schema, self.path / first.file)


def vectors_of(batch: pa.RecordBatch) -> NDArray[np.float32]:
    """Return the vectors of a batch, (n, dim) float32."""
    column = batch.column(EMBEDDING)
    return elements_of(column.type).unpack(numbers_of(column))
