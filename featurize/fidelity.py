"""How near vectors are to those they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 10


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How near the vectors of `inputs` inputs are to those they stand for.

    `neighbours_kept` is the share of the 10 nearest others that stay among the 10. A vector of
    zeros, or of what is no number, makes the cosines NaN.
    """

    min_cosine: float
    mean_cosine: float
    neighbours_kept: float
    inputs: int

    @classmethod
    def of(cls, found: NDArray[np.float32], expected: NDArray[np.float32]) -> Self:
        """Compare vectors (n, dim) with those they stand for."""
        with np.errstate(invalid="ignore"):
            near, kept = cosines(found, expected), neighbours_kept(found, expected)
        return cls(float(near.min()), float(near.mean()), kept, len(found))


def cosines(found: NDArray[np.float32], expected: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine of each of n vectors (n, dim) to the one it stands for."""
    ours, theirs = found.astype(np.float64), expected.astype(np.float64)
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    nearness: NDArray[np.float64] = (ours * theirs).sum(axis=1) / lengths
    return nearness


def neighbours_kept(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return the share of each vector's 10 nearest others, by cosine, that stay among its 10.

    `found` (n, any dim) and `expected` (n, dim) may differ in length. Of 11 vectors or fewer, all
    others are among the nearest.
    """
    ours, theirs = _nearest(found), _nearest(expected)
    kept = [len(set(mine) & set(other)) for mine, other in zip(ours, theirs, strict=True)]
    return float(np.mean(kept)) / max(1, len(ours[0])) if len(found) > 1 else 1.0


def _nearest(vectors: NDArray[np.float32]) -> list[list[int]]:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    products = unit @ unit.T
    np.fill_diagonal(products, -np.inf)
    others = min(NEIGHBOURS, len(vectors) - 1)
    nearest: list[list[int]] = np.argsort(-products, axis=1)[:, :others].tolist()
    return nearest
