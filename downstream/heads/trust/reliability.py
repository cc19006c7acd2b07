"""Whether probabilities are honest: how often answers of some confidence are right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 15


def expected_calibration_error(
    probabilities: NDArray[np.float64], classes: NDArray[np.intp], bins: int = BINS
) -> float | None:
    """Return how far confidence lies from accuracy, on average over rows, in bins of equal width.

    `probabilities` (n, k); `classes` (n,) number the true ones, -1 for one that is none of the k.
    The confidence of a row is its highest probability. None for no rows. After Naeini et al.,
    "Obtaining Well Calibrated Probabilities Using Bayesian Binning", 2015.
    """
    confidence, correct, place = _binned(probabilities, classes, bins)
    gaps = np.bincount(place, confidence - correct, minlength=bins)
    return float(np.abs(gaps).sum() / len(classes)) if len(classes) else None


def reliability_bins(
    probabilities: NDArray[np.float64], classes: NDArray[np.intp], bins: int = BINS
) -> list[Json]:
    """Return the bins of a reliability diagram: low, high, rows, mean confidence and accuracy.

    A bin holds confidences above `low` up to `high`; confidence and accuracy of an empty one are
    None. For the arguments see `expected_calibration_error`.
    """
    confidence, correct, place = _binned(probabilities, classes, bins)
    rows = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, values, minlength=bins) for values in (confidence, correct)]
    return [
        {
            "low": number / bins,
            "high": (number + 1) / bins,
            "rows": int(count),
            "confidence": float(confident / count) if count else None,
            "accuracy": float(right / count) if count else None,
        }
        for number, (count, confident, right) in enumerate(zip(rows, *sums, strict=True))
    ]


def _binned(
    probabilities: NDArray[np.float64], classes: NDArray[np.intp], bins: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp]]:
    """Return confidence, correctness and bin of every row, (n,) each."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == classes
    place = np.clip(np.ceil(confidence * bins).astype(np.intp) - 1, 0, bins - 1)
    return confidence, correct, place
