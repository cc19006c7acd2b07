"""Retriever: finds the vectors nearest to queries, through a graph where that is quicker."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from downstream.index import exact
from downstream.index.graphs import Graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXACT = 10_000  # rows that are compared one by one however many there are beside them
_EXACT_SHARE = 0.1  # of all rows: fewer are compared one by one
_TOGETHER = 256  # queries that are compared with all rows at once
DEPTHS = (10, 100)  # numbers of hits that efforts are chosen for


class Retriever:
    """Vectors (n, dim) of unit length, and what finds the nearest of them.

    Without a graph, each search compares all. With one, its entries are all rows but those kept
    `apart`, (m,) sorted, which every search compares one by one: as the graph has never met them,
    they are what its recall is measured by. What it finds is compared exactly with the query.
    """

    def __init__(
        self,
        vectors: NDArray[np.float32],
        graph: Graph | None = None,
        apart: NDArray[np.int64] | None = None,
    ) -> None:
        self.vectors = vectors
        self.graph = graph
        self.apart = np.empty(0, np.int64) if apart is None else apart

    def find(
        self,
        queries: NDArray[np.float32],
        k: int,
        efforts: dict[int, int],
        allowed: NDArray[np.bool_] | None = None,
        *,
        complete: bool = True,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the places and cosines of the `k` nearest allowed rows, both (n, k), best first.

        They end in -1 and -inf where there are fewer rows; if not `complete`, also where the graph
        finds fewer. `efforts` are those of the graph for `DEPTHS`; at a depth that has none the
        search is exact. `allowed` (rows,) are all if None.
        """
        rows = None if allowed is None else np.flatnonzero(allowed)
        count = len(self.vectors) if rows is None else len(rows)
        reachable = min(k, count)
        effort = _effort(efforts, k)
        if self.graph is None or effort is None or self._is_few(count):
            return self._exactly(queries, k, rows)
        candidates = self._candidates(queries, 2 * k + 8, effort, allowed)
        places, cosines = exact.ranked(queries, self.vectors, candidates, k)
        short = np.flatnonzero(places[:, reachable - 1] == exact.NONE)
        if complete and len(short):
            places[short], cosines[short] = self._exactly(queries[short], k, rows)
        return places, cosines

    def within(
        self,
        queries: NDArray[np.float32],
        least: float,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Yield for each query all allowed rows that reach a cosine, within 1e-6, best first."""
        rows = None if allowed is None else np.flatnonzero(allowed)
        for start in range(0, len(queries), _TOGETHER):
            block = queries[start : start + _TOGETHER]
            for number, near in enumerate(exact.within(block, self.vectors, least, rows)):
                asked = block[number : number + 1]
                places, cosines = exact.ranked(asked, self.vectors, near[np.newaxis], len(near))
                reached = cosines[0] >= least - exact.TIE
                yield places[0][reached], cosines[0][reached]

    @cached_property
    def _entries(self) -> NDArray[np.int64]:
        """The row of each entry of the graph."""
        return np.delete(np.arange(len(self.vectors)), self.apart)

    @cached_property
    def _apart_vectors(self) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.vectors[self.apart])

    def is_small(self, allowed: NDArray[np.bool_]) -> bool:
        """Say whether so few rows are allowed that they are compared one by one."""
        return self._is_few(int(allowed.sum()))

    def _is_few(self, count: int) -> bool:
        total = len(self.vectors)
        return count < total and count <= max(_EXACT, _EXACT_SHARE * total)

    def _exactly(
        self, queries: NDArray[np.float32], k: int, rows: NDArray[np.intp] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        width = min(k + exact.SPARE, len(self.vectors) if rows is None else len(rows))
        found = exact.nearest(queries, self.vectors, width, rows)
        places, cosines = exact.ranked(queries, self.vectors, found, k)
        missing = ((0, 0), (0, k - places.shape[1]))
        return (
            np.pad(places, missing, constant_values=exact.NONE),
            np.pad(cosines, missing, constant_values=-np.inf),
        )

    def _candidates(
        self,
        queries: NDArray[np.float32],
        width: int,
        effort: int,
        allowed: NDArray[np.bool_] | None,
    ) -> NDArray[np.int64]:
        assert self.graph is not None
        entries = None if allowed is None else allowed[self._entries]
        found = self.graph.candidates(queries, min(width, len(self.graph)), effort, entries)
        in_graph = np.where(found == exact.NONE, exact.NONE, self._entries[found])
        rows = None if allowed is None else np.flatnonzero(allowed[self.apart])
        near = exact.nearest(queries, self._apart_vectors, min(width, len(self.apart)), rows)
        beside = np.append(self.apart, exact.NONE)[near]
        return np.concatenate([in_graph, beside], axis=1)


def _effort(efforts: dict[int, int], k: int) -> int | None:
    """Return the effort for `k` hits, None if none is known."""
    # efforts were measured with one more hit asked for, the query itself
    depth = next((depth for depth in DEPTHS if k <= depth + 1), DEPTHS[-1])
    if depth not in efforts:
        return None
    return int(np.ceil(efforts[depth] * max(1.0, (k - 1) / depth)))
