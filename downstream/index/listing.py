"""Hits of many queries as a Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from downstream.datasets import Table, open_table
from downstream.index.exact import NONE
from downstream.index.index import VectorIndex
from downstream.index.origin import require_near
from downstream.parquet_file import ParquetKind
from featurize.errors import IndexFileError
from featurize.table.layout import EMBEDDING, METADATA_KEY
from featurize.table.reader import BATCH, vectors_of
from featurize.types import Json

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Found: TypeAlias = tuple[Sequence[str], NDArray[np.int64], NDArray[np.float64]]

FORMAT = 1
_UNBOUNDED = 256  # queries at once that may each have any number of hits
COLUMNS = ("query", "rank", "id", "score")


def free_hits_file(path: str | Path, command: str) -> Path:
    """Return where a command may write hits; raise as `ParquetKind.free_place` does."""
    return _kind(command).free_place(path)


def find_rows(
    index: VectorIndex, queries: Table, k: int | None, where: str | None, min_score: float | None
) -> Iterator[Found]:
    """Yield what `VectorIndex.find` finds for the rows of a table, some thousands at a time.

    Raises as `VectorIndex.search_table` does.
    """
    queries = open_table(queries)
    require_near(index.facts, queries)
    size = BATCH if k is not None else _UNBOUNDED
    for batch in queries.iter_batches(["id", EMBEDDING], size):
        near = index.find(vectors_of(batch), k, where=where, min_score=min_score)
        yield batch.column("id").to_pylist(), *near


def write_hits(
    path: str | Path, command: str, index: VectorIndex, found: Iterable[Found], asked: Json
) -> int:
    """Write the hits of each query as they are found, and return their number.

    `found` yields the names of some queries, (n,), with the places and cosines, (n, k), that
    `VectorIndex.find` returned for them. Columns: `query`, `rank` int32 from 1, `id`, `score`
    float32; a query without hits has no line. The schema metadata state under `featurize` which
    table the index was made from, its kind and recall, and what was `asked` of it. The file appears
    whole or not at all, and replaces only an older one with hits.
    """
    import pyarrow as pa

    types = (pa.string(), pa.int32(), pa.string(), pa.float32())
    stamp = json.dumps(_stated(index, command) | asked, sort_keys=True).encode()
    schema = pa.schema(list(zip(COLUMNS, types, strict=True)), {METADATA_KEY: stamp})
    return _kind(command).write(path, schema, _batches(index, found, schema))


def _kind(command: str) -> ParquetKind:
    return ParquetKind(command, (COLUMNS,), IndexFileError)


def _stated(index: VectorIndex, command: str) -> Json:
    origin = index.origin
    return {
        "format": FORMAT,
        "command": command,
        "table": origin["table"],
        "version": origin["version"],
        "fingerprint": index.encoder.fingerprint,
        "kind": index.facts["method"],
        "recall": index.facts["recall"],
    }


def _batches(
    index: VectorIndex, found: Iterable[Found], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for queries, places, cosines in found:
        asked, rank = np.nonzero(places != NONE)
        columns = [
            pa.array(queries, pa.string()).take(pa.array(asked)),
            pa.array(rank + 1, pa.int32()),
            pa.array(index.row_ids(places[asked, rank]), pa.string()),
            pa.array(cosines[asked, rank].astype(np.float32)),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
