"""Standardised vectors, without what only rounding left in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 32_768  # rows that are measured at once: what that takes is several copies of them
_NOISE = 1e-6  # of a vector's length: dimensions that vary less hold only what rounding left there


@dataclass(frozen=True, slots=True)
class Scaling:
    """The `mean` and the `scale` (d,) float64 of every dimension.

    A dimension that holds nothing but rounding has an infinite scale, so that it becomes zero.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, X: NDArray[np.floating]) -> Self:
        """Measure the dimensions of vectors (n, d)."""
        from sklearn.preprocessing import StandardScaler

        found = StandardScaler()
        for start in range(0, len(X), BLOCK):
            found.partial_fit(X[start : start + BLOCK])
        length = np.sqrt(np.square(found.mean_).sum() + found.var_.sum())
        spread = np.sqrt(found.var_)
        return cls(found.mean_, np.where(spread <= _NOISE * length, np.inf, spread))

    def apply(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return standardised vectors, (n, d) float64."""
        return np.asarray((X - self.mean) / self.scale)

    def shrink(self, X: NDArray[np.floating], *, spent: bool) -> NDArray[np.floating]:
        """Return standardised vectors in the type of the given ones, at half their memory.

        They take the place of vectors that are `spent`.
        """
        scaled: NDArray[np.floating] = X if spent else np.empty_like(X)
        np.subtract(X, self.mean.astype(X.dtype), out=scaled)
        scaled /= self.scale.astype(X.dtype)
        return scaled
