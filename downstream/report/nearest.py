"""Nearest neighbours of vectors, those of a row's own group left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NONE = -1
_MOST_EXTRA = 64
_BLOCK = 2**24  # cosines, 64 MiB


def nearest(
    vectors: NDArray[np.floating],
    groups: NDArray[np.intp],
    k: int,
    rows: NDArray[np.intp] | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the `k` nearest rows outside the group of each, nearest first, and their cosines.

    `vectors` (n, d), `groups` (n,); `rows` (m,) are the positions of those asked for, all if None.
    Both results are (m, k); where a row has fewer than k others, they end in -1 and -inf. The
    search is exact, and works in blocks: beside a copy of the vectors it takes m x k memory.
    """
    import faiss

    unit = normalised(vectors)
    rows = np.arange(len(unit)) if rows is None else rows
    extra = min(int(np.bincount(groups).max()), _MOST_EXTRA)
    width = min(len(unit), k + extra)
    cosines, found = faiss.knn(unit[rows], unit, width, metric=faiss.METRIC_INNER_PRODUCT)
    others = groups[found] != groups[rows][:, None]
    chosen = np.argsort(~others, axis=1, kind="stable")[:, :k]  # others first, in their order
    known = np.take_along_axis(others, chosen, axis=1)
    places, near = _empty(len(rows), k)
    places[:, : chosen.shape[1]] = np.where(known, np.take_along_axis(found, chosen, 1), NONE)
    near[:, : chosen.shape[1]] = np.where(known, np.take_along_axis(cosines, chosen, 1), -np.inf)
    short = np.flatnonzero(places[:, -1] == NONE) if width < len(unit) else rows[:0]
    places[short], near[short] = _masked(unit, groups, rows[short], k)
    return places, near


def normalised(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return vectors (n, d) at unit length, as contiguous float32."""
    unit = np.array(vectors, dtype=np.float32, order="C")
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return unit


def _masked(
    unit: NDArray[np.float32], groups: NDArray[np.intp], rows: NDArray[np.intp], k: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Do the same for rows of large groups, by all of their cosines, a block at a time."""
    places, near = _empty(len(rows), k)
    step = max(1, _BLOCK // len(unit))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        cosines = unit[block] @ unit.T
        cosines[groups[block][:, None] == groups] = -np.inf
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        sorted_cosines = np.take_along_axis(cosines, best, axis=1)
        width = best.shape[1]
        near[start : start + step, :width] = sorted_cosines
        places[start : start + step, :width] = np.where(np.isneginf(sorted_cosines), NONE, best)
    return places, near


def _empty(rows: int, k: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    return np.full((rows, k), NONE, dtype=np.intp), np.full((rows, k), -np.inf, dtype=np.float32)
