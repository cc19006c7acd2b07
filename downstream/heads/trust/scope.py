"""Whether a row is of the kind that a head was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from downstream.heads.models.model import Parts

MAX_ROWS = 20_000
BLOCK = 1_024  # rows whose similarities are in memory at once


@dataclass(frozen=True, slots=True)
class Scope:
    """Rows of the training: what lies near one that has the class predicted is in scope.

    `rows` (m, d) float32 of unit length, class after class; those of class c begin at `starts` (k,)
    at c. No class is without one; of many rows each class keeps an equal number, 20,000 in all.
    Nearest neighbours as in Sun et al., "Out-of-Distribution Detection with Deep Nearest
    Neighbors", 2022, here class by class.
    """

    names: ClassVar[tuple[str, ...]] = ("rows", "starts")

    rows: NDArray[np.float32]
    starts: NDArray[np.intp]

    @classmethod
    def learn(cls, X: NDArray[np.floating], y: NDArray[np.intp], seed: int) -> Self:
        """Keep rows of `X` (n, d) for every class 0..k-1 of `y` (n,)."""
        counts = np.bincount(y)
        drawn = np.random.default_rng(seed).permutation(len(y))
        by_class = drawn[np.argsort(y[drawn], kind="stable")]
        place = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
        most = max(1, MAX_ROWS // len(counts))
        kept = np.minimum(counts, most)
        return cls(_unit(X[by_class[place < most]]), np.cumsum(kept) - kept)

    @classmethod
    def load(cls, parts: Parts, shape: tuple[int, int]) -> Self:
        """Take the rows out of saved arrays; raise ValueError unless they fit (k, d)."""
        found = cls(*(np.asarray(parts[name]) for name in cls.names))
        k, d = shape
        if found.rows.dtype != np.float32 or found.starts.dtype.kind != "i":
            raise ValueError(f"rows of {found.rows.dtype} and starts of {found.starts.dtype}")
        ends = np.append(found.starts, len(found.rows))
        sound = found.rows.shape[1:] == (d,) and found.starts.shape == (k,) and ends[0] == 0
        if not sound or (np.diff(ends) < 1).any():
            raise ValueError(f"{found.rows.shape} rows in {found.starts.shape} classes")
        return found

    def parts(self) -> dict[str, NDArray[np.generic]]:
        """Return what is saved, by name."""
        return {name: getattr(self, name) for name in self.names}

    def score(
        self, X: NDArray[np.floating], probabilities: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the cosine of each row to the nearest row of its class, (n,); low is out of scope.

        What the class is the head's `probabilities` (n, k) say: the cosine is the expected one.
        """
        starts = range(0, len(X), BLOCK)
        nearest = (self._nearest(X[start : start + BLOCK]) for start in starts)
        blocks = (probabilities[start : start + BLOCK] for start in starts)
        scores = [np.einsum("nk,nk->n", *pair) for pair in zip(nearest, blocks, strict=True)]
        return np.concatenate([np.empty(0), *scores])

    def _nearest(self, X: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the cosine to the nearest row of every class, (n, k)."""
        return np.asarray(np.maximum.reduceat(_unit(X) @ self.rows.T, self.starts, axis=1))


def _unit(X: NDArray[np.floating]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    return np.asarray(X / np.where(lengths > 0, lengths, 1), dtype=np.float32)
