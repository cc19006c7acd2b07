"""Reading a table into the vectors and rows of an index, in flat memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from downstream.index.content import Content
from downstream.index.origin import Drift
from downstream.index.rows import Rows, write_rows
from downstream.index.vectors import normalised, room_for
from featurize.errors import IndexFileError
from featurize.table.layout import EMBEDDING
from featurize.table.reader import EmbeddingTable, vectors_of
from featurize.types import Progress, Reporter

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


def read_table(
    table: EmbeddingTable, scratch: Path | None, reporter: Reporter
) -> tuple[NDArray[np.float32], Rows]:
    """Return normalised vectors, (n, dim), and the other columns, both in files without a name.

    Raises IndexFileError for a table without rows.
    """
    if not len(table):
        raise IndexFileError(
            f"{table.path} has no rows to index.", fix="Its rejects say why there are none."
        )
    vectors = room_for(len(table), table.card.dim, scratch)
    batches = _filling(vectors, table, reporter)
    return vectors, _stored(batches, _without_vectors(table.schema), scratch)


def read_changes(
    table: EmbeddingTable,
    drift: Drift,
    content: Content,
    scratch: Path | None,
) -> tuple[NDArray[np.float32], Rows]:
    """Return the vectors and rows of an index with those of the table that it has not, at the end.

    Rows whose columns have changed are replaced in their place. Only the parts that hold new or
    changed rows are read.
    """
    vectors, rows = content.vectors, content.rows
    missing, changed = _taken(table, drift)
    grown = room_for(len(vectors) + missing.num_rows, vectors.shape[1], scratch)
    grown[: len(vectors)] = vectors
    start = len(vectors)
    for batch in missing.to_batches():
        stop = start + batch.num_rows
        grown[start:stop] = normalised(vectors_of(batch), str(table.path))
        start = stop
    schema = _without_vectors(table.schema)
    batches = _replacing(rows, drift.changed, changed.select(schema.names))
    added = missing.select(schema.names).to_batches()
    return grown, _stored([*batches, *added], schema, scratch)


def _filling(
    vectors: NDArray[np.float32], table: EmbeddingTable, reporter: Reporter
) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in table.iter_batches():
        stop = start + batch.num_rows
        vectors[start:stop] = normalised(vectors_of(batch), str(table.path), start)
        start = stop
        reporter.progress(Progress("reading", start, len(vectors)))
        yield batch.drop_columns([EMBEDDING]).replace_schema_metadata(None)


def _stored(batches: Iterable[pa.RecordBatch], schema: pa.Schema, scratch: Path | None) -> Rows:
    file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - open as long as the rows are
    write_rows(batches, schema, file)
    file.flush()
    return Rows(file)


def _without_vectors(schema: pa.Schema) -> pa.Schema:
    return schema.remove(schema.get_field_index(EMBEDDING)).remove_metadata()


def _taken(table: EmbeddingTable, drift: Drift) -> tuple[pa.Table, pa.Table]:
    """Return the rows that are new, and those that have changed, in the order of the drift."""
    import pyarrow as pa

    wanted, start, found = np.union1d(drift.missing, drift.changed[:, 1]), 0, []
    for part in table.parts:
        stop = start + part.rows
        near = wanted[(wanted >= start) & (wanted < stop)]
        if len(near):
            rows = pa.Table.from_batches(table.read(part), table.schema)
            found.append(rows.take(near - start))
        start = stop
    all_found = pa.concat_tables(found or [table.schema.empty_table()])
    return (
        all_found.take(np.searchsorted(wanted, drift.missing)),
        all_found.take(np.searchsorted(wanted, drift.changed[:, 1])),
    )


def _replacing(rows: Rows, changed: NDArray[np.intp], new: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield the rows of an index, some of them replaced by new ones; `changed` says where."""
    import pyarrow as pa

    start = 0
    for batch in rows.batches():
        stop = start + batch.num_rows
        here = np.flatnonzero((changed[:, 0] >= start) & (changed[:, 0] < stop))
        if len(here):
            both = pa.concat_tables([pa.Table.from_batches([batch]), new.take(here)])
            order = np.arange(batch.num_rows)
            order[changed[here, 0] - start] = batch.num_rows + np.arange(len(here))
            yield from both.take(order).combine_chunks().to_batches()
        else:
            yield batch
        start = stop
