"""What a table holds already, as listings: its rows and its rejects, sorted by id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize.sources import COLUMN_PREFIX, Listing
from featurize.table import EmbeddingTable
from featurize.table.layout import EMBEDDING, reject_schema
from featurize.table.part import Part

if TYPE_CHECKING:
    import pyarrow as pa

PART, ROW = "part", "row"
BLOCK = 8192


class TableScan:
    """The rows of a table, or its rejects, as something a listing is built from.

    Beside the columns but the vector, `PART` and `ROW` say where a row lies.
    """

    def __init__(self, table: EmbeddingTable, *, rejects: bool) -> None:
        self.name = str(table.path)
        self._table = table
        self._rejects = rejects
        self.parts: list[Part] = table.reject_parts if rejects else table.parts

    @property
    def rows(self) -> int:
        """Return how many rows there are."""
        return sum(part.rows for part in self.parts)

    def scan(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows part by part, their columns behind COLUMN_PREFIX."""
        import pyarrow as pa

        schema = reject_schema() if self._rejects else self._table.schema
        names = [name for name in schema.names if name != EMBEDDING]
        for number, part in enumerate(self.parts):
            row = 0
            for batch in self._table.read(part, names):
                size = batch.num_rows
                columns = {
                    "id": batch.column("id"),
                    "reason": pa.nulls(size, pa.string()),
                    "size": pa.array(np.zeros(size, np.int64)),
                    PART: pa.array(np.full(size, number, np.int32)),
                    ROW: pa.array(np.arange(row, row + size, dtype=np.int32)),
                }
                columns |= {COLUMN_PREFIX + name: batch.column(name) for name in names}
                row += size
                if size:
                    yield pa.RecordBatch.from_pydict(columns)


class Cursor:
    """Reads a listing forward, up to one id after another."""

    def __init__(self, listing: Listing | None) -> None:
        self._listing = listing
        self._place = 0
        self._held: pa.Table | None = None

    def up_to(self, last: str | None) -> pa.Table | None:
        """Return the rows not returned yet whose id is not after `last`; all for None."""
        import pyarrow as pa

        if self._listing is None:
            return None
        taken = []
        while (block := self._next()) is not None:
            count = block.num_rows if last is None else _not_after(block.column("id"), last)
            if count:
                taken.append(block.slice(0, count))
            if count < block.num_rows:
                self._held = block.slice(count)
                break
        return pa.concat_tables(taken) if taken else None

    def _next(self) -> pa.Table | None:
        held, self._held = self._held, None
        if held is not None:
            return held
        assert self._listing is not None
        if self._place >= len(self._listing):
            return None
        start = self._place
        self._place = min(start + BLOCK, len(self._listing))
        return self._listing.slice(start, self._place)


def list_table(table: EmbeddingTable | None, spool: Path, *, rejects: bool) -> Listing | None:
    """Sort the rows, or the rejects, of a table; None where there are none."""
    if table is None:
        return None
    scan = TableScan(table, rejects=rejects)
    return Listing.build(scan, spool, unique=False) if scan.rows else None


def _not_after(ids: pa.ChunkedArray, last: str) -> int:
    """Return how many of the sorted ids are not after `last`, in the order of bytes."""
    low, high, bound = 0, len(ids), last.encode()
    while low < high:
        middle = (low + high) // 2
        if ids[middle].as_py().encode() <= bound:
            low = middle + 1
        else:
            high = middle
    return low
