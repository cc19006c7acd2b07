"""The nearest other rows of every row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from downstream.datasets import Table
from downstream.index import VectorIndex
from downstream.index.exact import NONE
from downstream.index.finder import require_count, require_score
from downstream.index.listing import free_hits_file, write_hits
from featurize.types import Json, Progress, Reporter, Silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMMAND = "neighbors"
_BLOCK = 1 << 12


def neighbors(  # noqa: PLR0913 - each is a choice of its own
    table: Table,
    out: str | Path,
    k: int = 10,
    *,
    kind: str = "auto",
    recall: float = 0.95,
    min_score: float | None = None,
    reporter: Reporter | None = None,
) -> Json:
    """Write the `k` nearest other rows of each row of a table, best first, to a Parquet file.

    They are found by an index of this `kind` and `recall`, see `VectorIndex.build`; 1 asks for
    exact ones. Rows equal to a row are its neighbours, it is not its own. Those under `min_score`,
    a cosine, are left out. The file is written as they are found, see `write_hits`. Returns the
    number of `rows` and of `hits`, the lines of the file, and kind and recall of the index. Raises
    what `VectorIndex.build` and `write_hits` do.
    """
    require_count(k)
    require_score(min_score)
    reporter = reporter or Silent()
    place = free_hits_file(out, COMMAND)
    index = VectorIndex.build(table, kind, recall, scratch=place.parent, reporter=reporter)
    asked = {"k": k, "min_score": min_score}
    hits = write_hits(place, COMMAND, index, _found(index, k, min_score, reporter), asked)
    return {
        "rows": len(index),
        "hits": hits,
        "k": k,
        "kind": index.facts["method"],
        "recall": index.facts["recall"],
        "incomplete": index.origin["incomplete"],
    }


def _found(
    index: VectorIndex, k: int, min_score: float | None, reporter: Reporter
) -> Iterator[tuple[list[str], NDArray[np.int64], NDArray[np.float64]]]:
    """Yield the ids of some rows, (n,), with places and cosines of their neighbours, (n, k)."""
    ids, vectors = index.ids, index.vectors
    for start in range(0, len(ids), _BLOCK):
        reporter.progress(Progress("searching", start, len(ids)))
        rows = np.arange(start, min(start + _BLOCK, len(ids)))
        places, cosines = index.find(vectors[rows], k + 1, min_score=min_score)
        itself = places == rows[:, np.newaxis]
        others = np.argsort(itself, axis=1, kind="stable")[:, :k]
        found = np.take_along_axis(np.where(itself, NONE, places), others, axis=1)
        yield ids[start : start + _BLOCK], found, np.take_along_axis(cosines, others, axis=1)
    reporter.progress(Progress("searching", len(ids), len(ids)))
