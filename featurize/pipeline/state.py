"""What a table holds already, as listings: inputs with rows, and rejects, sorted by id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize.sources import COLUMN_PREFIX, Listing
from featurize.table import EmbeddingTable
from featurize.table.layout import (
    EMBEDDING,
    PARENT,
    PARENT_SHA256,
    is_chunked,
    reject_schema,
)
from featurize.table.part import Part

if TYPE_CHECKING:
    import pyarrow as pa

PART, ROW, COUNT = "part", "row", "count"
BLOCK = 8192


class TableScan:
    """The inputs of a table that have rows, or its rejects, as something a listing is built from.

    Beside the columns of its first row but the vector, `PART`, `ROW` and `COUNT` say where the rows
    of an input lie. Of chunks, id and content are those of the whole input.
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
        """Yield the inputs part by part, their columns behind COLUMN_PREFIX."""
        schema = reject_schema() if self._rejects else self._table.schema
        names = [name for name in schema.names if name != EMBEDDING]
        chunked = is_chunked(schema)
        read, list_rows = (self._whole, _list_chunks) if chunked else (self._table.read, _list_rows)
        for number, part in enumerate(self.parts):
            row = 0
            for batch in read(part, names):
                if batch.num_rows:
                    yield list_rows(batch, number, row)
                row += batch.num_rows

    def _whole(self, part: Part, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield a part as one batch, so that no input lies in two."""
        import pyarrow as pa

        if part.rows:
            rows = pa.Table.from_batches(self._table.read(part, names))
            yield from rows.combine_chunks().to_batches()


def _list_rows(rows: pa.RecordBatch, part: int, first: int) -> pa.RecordBatch:
    """Return an entry for each row of a part, the first of which has a number."""
    import pyarrow as pa

    size = rows.num_rows
    columns = {
        "id": rows.column("id"),
        "reason": pa.nulls(size, pa.string()),
        "size": pa.array(np.zeros(size, np.int64)),
        PART: pa.array(np.full(size, part, np.int32)),
        ROW: pa.array(np.arange(first, first + size, dtype=np.int32)),
        COUNT: pa.array(np.ones(size, np.int32)),
    }
    columns |= {COLUMN_PREFIX + name: rows.column(name) for name in rows.schema.names}
    return pa.RecordBatch.from_pydict(columns)


def _list_chunks(rows: pa.RecordBatch, part: int, first: int) -> pa.RecordBatch:
    """Return an entry for each input of a part, whose chunks stand together."""
    import pyarrow as pa

    parents = np.array(rows.column(PARENT).to_pylist(), dtype=object)
    firsts = np.flatnonzero(np.append(True, parents[1:] != parents[:-1]))
    counts = np.diff(firsts, append=len(parents)).astype(np.int32)
    listed = _list_rows(rows, part, first).take(pa.array(firsts))
    whole = {
        "id": listed.column(COLUMN_PREFIX + PARENT),
        COLUMN_PREFIX + "content_sha256": listed.column(COLUMN_PREFIX + PARENT_SHA256),
        COUNT: pa.array(counts),
    }
    return pa.RecordBatch.from_pydict(
        {name: whole.get(name, listed.column(name)) for name in listed.schema.names}
    )


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
