"""Groups, and what becomes of them where some of their members are linked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def joined(groups: NDArray[np.intp], pairs: ArrayLike) -> NDArray[np.intp]:
    """Number the groups (n,) anew after those of each pair of members, (m, 2), are made one.

    The new numbers are dense and rise with the lowest old number of a group.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = groups[np.asarray(pairs, np.intp).reshape(-1, 2)]
    size = int(groups.max()) + 1
    links = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(size, size))
    numbers: NDArray[np.intp] = connected_components(links, directed=False)[1][groups]
    return np.unique(numbers, return_inverse=True)[1].astype(np.intp)
