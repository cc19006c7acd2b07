"""How near vectors are to those they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 10


def cosines(found: NDArray[np.float32], expected: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine of each of n vectors (n, dim) to the one it stands for."""
    ours, theirs = found.astype(np.float64), expected.astype(np.float64)
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    nearness: NDArray[np.float64] = (ours * theirs).sum(axis=1) / lengths
    return nearness


def neighbours_kept(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return the share of each vector's 10 nearest others, by cosine, that stay among its 10.

    `found` (n, any dim) and `expected` (n, dim) may differ in length; n is more than 10.
    """
    ours, theirs = _nearest(found), _nearest(expected)
    kept = [len(set(mine) & set(other)) for mine, other in zip(ours, theirs, strict=True)]
    return float(np.mean(kept)) / NEIGHBOURS


def _nearest(vectors: NDArray[np.float32]) -> list[list[int]]:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    products = unit @ unit.T
    np.fill_diagonal(products, -np.inf)
    nearest: list[list[int]] = np.argsort(-products, axis=1)[:, :NEIGHBOURS].tolist()
    return nearest
