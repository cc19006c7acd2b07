"""Exact search: cosines of queries with stored vectors, none skipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NONE = -1
TIE = 1e-6  # cosines this near count as equal: vectors of float32 have about unit length
SPARE = 4  # more than asked for are scored again: in float32 the last places may change hands
_BLOCK = 1 << 24  # numbers of stored vectors that are copied, or cosines held, at once
_FEW = 4  # queries that are faster asked without a copy of the rows


def nearest(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    k: int,
    rows: NDArray[np.intp] | None = None,
) -> NDArray[np.int64]:
    """Return the places of the `k` vectors nearest to each query, (n, k) int64, in no order.

    Queries (n, dim) and vectors (m, dim) have unit length. `rows` are the places that count, all if
    None; where they are fewer than k, -1 fills up.
    """
    import faiss

    if not k or not len(queries):
        return np.full((len(queries), k), NONE, np.int64)
    if rows is None:
        return np.asarray(faiss.knn(queries, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)[1])
    if len(queries) <= _FEW:
        asked = np.broadcast_to(rows.astype(np.int64), (len(queries), len(rows)))
        return shortlist(queries, vectors, np.ascontiguousarray(asked), k)
    best = np.full((len(queries), 0), NONE, np.int64)
    for places in _slices(rows, _BLOCK // vectors.shape[1]):
        found = faiss.knn(queries, vectors[places], k, metric=faiss.METRIC_INNER_PRODUCT)[1]
        found = np.where(found == NONE, NONE, places[found])
        best = shortlist(queries, vectors, np.concatenate([best, found], axis=1), k)
    return best


def within(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    least: float,
    rows: NDArray[np.intp] | None = None,
) -> Iterator[NDArray[np.int64]]:
    """Yield for each query the places of all vectors with about that cosine or more, sorted.

    About, because the cosines are of float32: some lie under it by less than 1e-5.
    """
    places = np.arange(len(vectors)) if rows is None else rows
    size = max(1, _BLOCK // vectors.shape[1])
    found: list[list[NDArray[np.int64]]] = [[] for _ in queries]
    for block in _slices(places, size):
        near = vectors[block] if rows is not None else vectors[block[0] : block[-1] + 1]
        for start in range(0, len(queries), step := max(1, _BLOCK // len(block))):
            cosines = queries[start : start + step] @ near.T
            for number, line in enumerate(cosines >= least - 1e-5, start):
                found[number].append(block[line].astype(np.int64))
    yield from (np.concatenate([*parts, np.empty(0, np.int64)]) for parts in found)


def shortlist(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    candidates: NDArray[np.int64],
    k: int,
) -> NDArray[np.int64]:
    """Return of the candidates of each query, (n, m), the `k` nearest, (n, k), in no order."""
    import faiss

    if candidates.shape[1] <= k:
        missing = ((0, 0), (0, k - candidates.shape[1]))
        return np.pad(candidates, missing, constant_values=NONE)
    # the C++ beneath checks nothing: a place outside the vectors would read foreign memory
    candidates = np.ascontiguousarray(candidates, np.int64)
    if candidates.size and (candidates.min() < NONE or candidates.max() >= len(vectors)):
        raise IndexError("a candidate is none of the vectors")
    if (candidates == NONE).any():
        candidates = np.sort(candidates, axis=1)[:, ::-1].copy()  # faiss stops at the first -1
    queries, vectors = np.ascontiguousarray(queries), np.ascontiguousarray(vectors)
    cosines = np.empty((len(queries), k), np.float32)
    places = np.empty((len(queries), k), np.int64)
    faiss.knn_inner_products_by_idx(
        *map(faiss.swig_ptr, (queries, vectors, candidates)),
        *(vectors.shape[1], len(queries), len(vectors), candidates.shape[1], k),
        *map(faiss.swig_ptr, (cosines, places)),
        candidates.shape[1],
    )
    return places


def ranked(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    candidates: NDArray[np.int64],
    k: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the `k` nearest of the candidates of each query, best first, and their cosines.

    Both are (n, k), ending in -1 and -inf where there are fewer. The cosines are of float64, one
    pair at a time, so that they do not depend on what else is asked; equal ones come in the order
    of the vectors.
    """
    places = shortlist(queries, vectors, candidates, min(k + SPARE, candidates.shape[1]))
    cosines = cosines_of(queries, vectors, places)
    order = np.lexsort((places, -cosines))[:, :k]
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(cosines, order, axis=1)


def cosines_of(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], places: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the cosines of queries (n, dim) with the vectors at places (n, k), -inf for -1."""
    known = places.ravel() != NONE
    asked = np.repeat(np.arange(len(queries)), places.shape[1])[known]
    rows = places.ravel()[known]
    cosines = np.empty(len(rows))
    for part in _slices(np.arange(len(rows)), _BLOCK // 4 // vectors.shape[1]):
        near = vectors[rows[part]].astype(np.float64)
        cosines[part] = np.einsum("pd,pd->p", near, queries[asked[part]].astype(np.float64))
    filled = np.full(places.size, -np.inf)
    filled[known] = np.clip(cosines, -1, 1)
    return filled.reshape(places.shape)


def _slices(rows: NDArray[np.intp], size: int) -> Iterator[NDArray[np.intp]]:
    for start in range(0, len(rows), max(1, size)):
        yield rows[start : start + max(1, size)]
