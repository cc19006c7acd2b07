"""Shorter vectors: the first dimensions of those whose encoder was trained for that.

After Kusupati et al., Matryoshka Representation Learning, 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def shorten(vectors: NDArray[np.float32], dim: int, *, normalize: bool) -> NDArray[np.float32]:
    """Return the first `dim` numbers of vectors (n, at least dim) float32.

    With `normalize` they have unit length again; a vector of zeros stays one.
    """
    if dim == vectors.shape[1]:
        return vectors
    cut: NDArray[np.float32] = vectors[:, :dim]
    if not normalize:
        return cut
    lengths = np.linalg.norm(cut, axis=1, keepdims=True)
    unit: NDArray[np.float32] = cut / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
