"""The true neighbours, by faiss alone, and the share of them that was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def true_places(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    k: int,
    rows: NDArray[np.intp] | None = None,
) -> NDArray[np.int64]:
    """Return the places of the `k` nearest vectors of each query, among `rows` if given, (n, m).

    m is k, or the number of rows where these are fewer.
    """
    import faiss

    near = vectors if rows is None else np.ascontiguousarray(vectors[rows])
    found = faiss.knn(queries, near, min(k, len(near)), metric=faiss.METRIC_INNER_PRODUCT)[1]
    return np.asarray(found if rows is None else rows[found])


def recall(found: Sequence[Sequence[int]] | NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return the mean share of true places that were found; 1 where there is none to find."""
    if not truth.size:
        return 1.0
    pairs = zip(found, truth, strict=True)
    return float(np.mean([len({*one} & {*other}) / len(other) for one, other in pairs]))
