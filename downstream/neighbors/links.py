"""Links: vectors whose cosine reaches a threshold, and the groups that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from downstream.index.exact import TIE, cosines_of
from downstream.neighbors.joining import joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS, COLUMNS = 1 << 11, 1 << 12  # of the tiles in which cosines are computed
_ROUNDING = 1e-5  # by which sums in float32 may be wrong
_CHECKED = 1 << 14  # pairs whose cosines are computed again at once


class Links:
    """Groups of vectors (n, dim) of unit length, linked directly or through others.

    Two are linked if their cosine reaches the threshold, within 1e-6, and their `owners`, (n,), are
    not the same. `group` (n,) numbers the groups, as far as links were looked for.
    """

    def __init__(
        self, vectors: NDArray[np.float32], owners: NDArray[np.intp], threshold: float
    ) -> None:
        self.vectors = vectors
        self.owners = owners
        self.threshold = threshold
        self.group = np.arange(len(vectors))

    def __len__(self) -> int:
        """Return the number of vectors."""
        return len(self.vectors)

    def reach(self, cosines: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Say which cosines reach the threshold."""
        return cosines >= self.threshold - TIE

    def join(self, pairs: NDArray[np.intp]) -> None:
        """Make one group of each pair of vectors, (m, 2), that have different owners."""
        pairs = pairs[self._may_be_new(pairs)]
        if len(pairs):
            self.group = joined(self.group, pairs)

    def compare(self, rows: NDArray[np.intp], start: int = 0) -> None:
        """Find all links between some vectors and those from `start` on."""
        for first in range(start, len(self), COLUMNS):
            pairs, cosines = self.near(rows, first)
            sure = cosines >= self.threshold + _ROUNDING
            self.join(pairs[sure])
            doubtful = pairs[~sure]
            while len(doubtful := doubtful[self._may_be_new(doubtful)]):
                some, doubtful = doubtful[:_CHECKED], doubtful[_CHECKED:]
                exact = cosines_of(self.vectors[some[:, 0]], self.vectors, some[:, 1:])
                self.join(some[self.reach(exact[:, 0])])

    def near(
        self, rows: NDArray[np.intp], first: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return pairs, (m, 2), of some vectors with the `COLUMNS` from `first` on.

        Theirs are all cosines, (m,), that reach the threshold or miss it by less than 1e-5.
        """
        cosines = self.vectors[rows] @ self.vectors[first : first + COLUMNS].T
        one, other = np.nonzero(cosines >= self.threshold - _ROUNDING)
        pairs = np.stack([rows[one], first + other], axis=1)
        differ = self.owners[pairs[:, 0]] != self.owners[pairs[:, 1]]
        return pairs[differ], cosines[one[differ], other[differ]]

    def _may_be_new(self, pairs: NDArray[np.intp]) -> NDArray[np.bool_]:
        left, right = pairs[:, 0], pairs[:, 1]
        apart = self.group[left] != self.group[right]
        return np.asarray(apart & (self.owners[left] != self.owners[right]))
