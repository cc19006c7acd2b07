"""From which probability on a row has a class: that with the best F1 on held-out rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ENOUGH = 10


def best_thresholds(
    probabilities: NDArray[np.float64], truth: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the threshold of each class with the best F1, (k,)."""
    shared = _best(probabilities.ravel(), truth.ravel())
    enough = truth.sum(axis=0) >= _ENOUGH
    own = [
        _best(probabilities[:, c], truth[:, c]) if enough[c] else shared for c in range(len(enough))
    ]
    return np.array(own)


def _best(probabilities: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Return the middle between the last value that raises F1 and the next one below."""
    order = np.argsort(-probabilities, kind="stable")
    given = np.arange(1, len(order) + 1)
    f1 = 2 * np.cumsum(truth[order]) / (given + max(1, int(truth.sum())))
    ranked = probabilities[order]
    ends = np.append(ranked[1:] < ranked[:-1], True)
    best = int(np.argmax(np.where(ends, f1, -1.0)))
    if not truth.any():
        return 0.5
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2)
