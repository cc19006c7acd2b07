"""Embedding tables of given vectors, and rows added to and removed from them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.bundle import EncoderCard, VectorSpace
from featurize.table import EmbeddingTable
from featurize.table.layout import EMBEDDING, RowColumns, embedding_type
from featurize.table.writer import Change, Replacement, write_table
from featurize.types import Modality

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

PART = 8_192  # rows of a part, as `embed` has them
Columns = Mapping[str, Sequence[Any]]


def write_rows(path: Path, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """Write a new table in parts of 8,192 rows."""
    starts = range(0, len(ids), PART)
    write_parts(path, (as_rows(ids[at : at + PART], vectors[at : at + PART]) for at in starts))


def write_parts(path: Path, parts: Iterable[pa.Table]) -> None:
    """Write a table, or add to one, in one commit."""
    with write_table(path) as writer:
        writer.origin = {"source": "rows.csv", "bundle": "minilm", "variant": {}}
        writer.commit(Change([writer.stage(part) for part in parts], complete=True))


def add_rows(path: Path, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """Add a part to a table."""
    write_parts(path, [as_rows(ids, vectors)])


def remove_rows(path: Path, ids: Collection[str]) -> None:
    """Replace the parts of a table that hold some ids by such as do not."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with write_table(path) as writer:
        opened, replaced = EmbeddingTable.open(path), []
        for part in opened.parts:
            rows = pa.Table.from_batches(opened.read(part), opened.schema)
            leaving = pc.is_in(rows["id"], pa.array(sorted(ids)))
            if pc.any(leaving).as_py():
                staying = rows.filter(pc.invert(leaving)).combine_chunks()
                staged = writer.stage(staying) if staying.num_rows else None
                replaced.append(Replacement(part, staged))
        writer.commit(Change(replaced=replaced, complete=True))


def as_rows(
    ids: Sequence[str], vectors: NDArray[np.float32], columns: Columns | None = None
) -> pa.Table:
    """Return rows of a table: ids, vectors (n, dim), and further columns."""
    import pyarrow as pa

    dim = vectors.shape[1]
    given = {
        "id": ids,
        "source": ["rows.csv"] * len(ids),
        "content_sha256": [hashlib.sha256(key.encode()).hexdigest() for key in ids],
        "label": pa.nulls(len(ids), pa.string()),
        EMBEDDING: pa.FixedSizeListArray.from_arrays(
            pa.array(np.ascontiguousarray(vectors, np.float32).ravel()), type=embedding_type(dim)
        ),
    }
    own = {name: pa.array(values) for name, values in (columns or {}).items()}
    user = pa.schema([(name, values.type) for name, values in own.items()])
    schema = RowColumns(pa.string(), {}, user).schema(_card(dim))
    return pa.table({name: (given | own)[name] for name in schema.names}, schema=schema)


def _card(dim: int) -> EncoderCard:
    space = VectorSpace("w" * 64, "p" * 64, "invented", "mean", True, 64, dim)
    return EncoderCard("invented", (Modality.TEXT,), space)
