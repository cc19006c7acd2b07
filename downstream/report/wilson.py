"""Intervals of shares."""

from __future__ import annotations

import math

from featurize.types import Json

_Z = 1.959964  # of a standard normal, 95 % lie within


def wilson(share: float, trials: float) -> Json:
    """Return Wilson's score interval of a share of independent trials, at 95 %.

    Unlike the usual one it is never empty, also for a share of 0 or 1.
    """
    if not trials:
        return {"mean": share, "low": 0.0, "high": 1.0}
    spread = _Z**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return {"mean": share, "low": min(low, share), "high": max(high, share)}
