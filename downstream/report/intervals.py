"""95 % intervals for figures of repeated, grouped cross-validation.

A figure is a mean over rows, or a smooth function of such means: it comes with the influence of
each row, and the variance is that of the sums over groups (the linearisation estimate of survey
statistics: Binder, "On the variances of asymptotically normal estimators from complex surveys",
1983), since rows of one group are not independent. Models of overlapping trainings are not either,
which makes that variance too small: it is multiplied by 1 + 2 x test rows / training rows. Nadeau
and Bengio, "Inference for the generalization error", 2003, have the ratio once, which is too little
where vectors have about as many dimensions as there are rows. Shares get a Wilson interval for the
effective number of rows, which stays within 0 and 1 and does not collapse there (Lam, Gopal and
Qian, "Confidence intervals for the F1 score", arXiv:2309.14621, have it for F1 too).
`benchmarks/intervals.py` measures the coverage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.95
Z = 1.959964  # the quantile of the normal distribution that leaves out 5 % on both sides


def interval(mean: float, low: float, high: float) -> Json:
    """Return an interval as the report's JSON has it."""
    return {"mean": float(mean), "low": float(low), "high": float(high)}


def group_variance(influence: NDArray[np.float64], groups: NDArray[np.intp], folds: int) -> float:
    """Return the variance of a mean over rows, given how much each row adds to it, (n,).

    Groups are numbered from 0; each was held out by models trained on `folds - 1` parts of `folds`.
    """
    sums = np.bincount(groups, influence)
    count = len(np.unique(groups))
    return float(correction(folds) * count / max(1, count - 1) * np.square(sums).sum())


def correction(folds: int) -> float:
    """Return by how much the variance grows: 1 + 2 x test rows / training rows."""
    return 1 + 2 / (folds - 1)


def share(mean: float, variance: float, at_bounds: float) -> Json:
    """Return the Wilson interval of a share, a mean recall or an F1 within 0 and 1.

    `at_bounds` is the effective number of rows where the variance is 0, as it is at 0 and 1.
    """
    effective = mean * (1 - mean) / variance if variance > 0 else at_bounds
    low, high = wilson(np.array([mean]), np.array([effective]))
    return interval(mean, low[0], high[0])


def wilson(
    mean: NDArray[np.float64], effective: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of Wilson's score intervals of shares of `effective` rows, (n,) each."""
    ratio = Z**2 / effective
    middle = (mean + ratio / 2) / (1 + ratio)
    half = np.sqrt(ratio * mean * (1 - mean) + ratio**2 / 4) / (1 + ratio)
    return np.clip(middle - half, 0, mean), np.clip(middle + half, mean, 1)


def student(mean: float, error: float, freedom: int) -> Json:
    """Return Student's interval of a mean with its standard error."""
    from scipy.stats import t

    half = t.ppf((1 + LEVEL) / 2, freedom) * error
    return interval(mean, mean - half, mean + half)


def p_value(mean: float, error: float, freedom: int) -> float:
    """Return the two-sided p-value of Student's test that a mean is 0."""
    from scipy.stats import t

    if error == 0:
        return float(mean == 0)
    return float(2 * t.sf(abs(mean) / error, freedom))
