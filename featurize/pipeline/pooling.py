"""One vector for a text of several windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def mean_of_windows(
    vectors: NDArray[np.float32],
    tokens: NDArray[np.int64],
    ends: NDArray[np.int64],
    *,
    normalize: bool,
) -> NDArray[np.float32]:
    """Return the mean of the windows of each text, weighted by their tokens, (texts, dim) float32.

    `vectors` (windows, dim) and `tokens` (windows,) stand text after text, up to before `ends`
    (texts,). With `normalize` a mean has unit length again; one of zeros stays so. The vector of a
    single window is that of the text, bit for bit.
    """
    means = np.empty((len(ends), vectors.shape[1]), np.float32)
    for text, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        if end - start == 1:
            means[text] = vectors[start]
            continue
        mean = np.average(vectors[start:end].astype(np.float64), axis=0, weights=tokens[start:end])
        length = np.linalg.norm(mean) if normalize else 1.0
        means[text] = mean / max(length, np.finfo(np.float64).tiny)
    return means
