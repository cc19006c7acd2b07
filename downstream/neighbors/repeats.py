"""Rows that repeat others: found by their vectors, grouped through one or several steps."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from downstream.datasets import Table, open_table
from downstream.index.building import read_table
from downstream.index.choice import Aim
from downstream.index.origin import origin_of
from downstream.index.rows import Rows
from downstream.index.vectors import room_for
from downstream.neighbors.groups import Duplicates
from downstream.neighbors.linking import link
from downstream.neighbors.links import Links
from featurize.errors import UsageError
from featurize.table.layout import PARENT
from featurize.types import Reporter, Silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 1 << 14


def duplicates(
    table: Table,
    threshold: float = 0.95,
    *,
    kind: str = "auto",
    recall: float = 0.95,
    scratch: str | Path | None = None,
    reporter: Reporter | None = None,
) -> Duplicates:
    """Return the groups of rows whose cosines reach a threshold, directly or through other rows.

    Two rows are linked if the cosine of their vectors is at least `threshold`, within 1e-6, so that
    equal vectors are linked at 1. Chunks of one input are not linked with each other, as they
    overlap by design; they come into one group through a row of another input only. All pairs are
    compared as long as that takes about a minute; beyond, or for the `kind` ivf or hnsw, links are
    found by an index of that `recall`, see `linking.link`. `scratch` is a folder for the vectors in
    the meantime.

    Raises UsageError for a threshold outside of (-1, 1], and as `VectorIndex.build` does.
    """
    if not -1 < threshold <= 1:
        raise UsageError(
            f"--threshold expects a cosine over -1 and up to 1, got {threshold}.",
            fix="1 finds equal vectors; 0.95 finds texts and images that are nearly the same.",
        )
    aim, folder = Aim(kind, recall), None if scratch is None else Path(scratch)
    opened, reporter = open_table(table), reporter or Silent()
    vectors, rows = read_table(opened, folder, reporter)
    inputs = _inputs(rows)
    first, equal = _distinct(vectors)
    owners = _owners(inputs, equal)
    links = Links(_of(vectors, first, folder), owners, threshold)
    how = link(links, aim, reporter)
    origin = {key: origin_of(opened)[key] for key in ("table", "version", "incomplete")}
    made = origin | {"fingerprint": opened.fingerprint, "threshold": threshold} | how
    return Duplicates.of(links.group[equal], inputs, vectors, rows, made)


def _distinct(vectors: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first row of each distinct vector, and the number of each row's vector, (n,)."""
    hashes = np.empty((len(vectors), 2), np.uint64)
    for row, vector in enumerate(vectors):
        digest = hashlib.blake2b(vector.tobytes(), digest_size=16).digest()
        hashes[row] = np.frombuffer(digest, np.uint64)
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    is_new = np.append(True, (hashes[order[1:]] != hashes[order[:-1]]).any(axis=1))
    firsts = order[is_new]  # the sort is stable: of equal rows the first one
    rising = np.argsort(firsts)
    number = np.empty(len(firsts), np.intp)
    number[rising] = np.arange(len(firsts))
    equal = np.empty(len(vectors), np.intp)
    equal[order] = number[np.cumsum(is_new) - 1]
    return firsts[rising], equal


def _inputs(rows: Rows) -> NDArray[np.intp]:
    """Return a number for each row, (n,), which chunks of one input share."""
    import pyarrow.compute as pc

    if PARENT not in rows.schema.names:
        return np.arange(len(rows))
    columns = rows.read([PARENT, "id"])
    names = pc.coalesce(columns[PARENT], columns["id"])
    return np.asarray(pc.rank(names, tiebreaker="dense"), np.intp)


def _owners(inputs: NDArray[np.intp], equal: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each distinct vector the input that alone has it, else a number of its own."""
    count = int(equal.max()) + 1
    lowest, highest = np.full(count, inputs.max()), np.zeros(count, np.intp)
    np.minimum.at(lowest, equal, inputs)
    np.maximum.at(highest, equal, inputs)
    return np.where(lowest == highest, lowest, int(inputs.max()) + 1 + np.arange(count))


def _of(
    vectors: NDArray[np.float32], rows: NDArray[np.intp], scratch: Path | None
) -> NDArray[np.float32]:
    """Return some rows of the vectors, not held in memory either."""
    if len(rows) == len(vectors):
        return vectors
    some = room_for(len(rows), vectors.shape[1], scratch)
    for start in range(0, len(rows), _BLOCK):
        some[start : start + _BLOCK] = vectors[rows[start : start + _BLOCK]]
    return some
