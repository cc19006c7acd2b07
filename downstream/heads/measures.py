"""How good answers are that are numbers, or any number of classes a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray


def measure_numbers(
    predicted: NDArray[np.float64], truth: NDArray[np.float64], mean: float
) -> Json:
    """Return mae, rmse, r2 and Spearman's rank correlation of numbers (n,), and a baseline's.

    `mean_mae` and `mean_rmse` are those of answering `mean`, that of the training, for every row.
    A measure that is not defined, as of no rows, is None.
    """
    if not len(truth):
        return dict.fromkeys(("mae", "rmse", "r2", "spearman", "mean_mae", "mean_rmse"))
    errors, constant = predicted - truth, mean - truth
    spread = np.square(truth - truth.mean()).sum()
    return {
        "mae": float(np.abs(errors).mean()),
        "rmse": float(np.sqrt(np.square(errors).mean())),
        "r2": float(1 - np.square(errors).sum() / spread) if spread > 0 else None,
        "spearman": _spearman(predicted, truth),
        "mean_mae": float(np.abs(constant).mean()),
        "mean_rmse": float(np.sqrt(np.square(constant).mean())),
    }


def measure_multilabel(
    probabilities: NDArray[np.float64], given: NDArray[np.bool_], truth: NDArray[np.bool_]
) -> Json:
    """Return what is right of `given` (n, k), the classes each row got, and of probabilities.

    Micro and macro F1 (macro: over the classes that are true or given somewhere), subset accuracy
    (all classes of a row right), Hamming loss (share of wrong decisions), and the mean of the
    average precisions of the classes that some row has. A measure of no rows is None.
    """
    if not len(truth):
        names = ("micro_f1", "macro_f1", "subset_accuracy", "hamming_loss")
        return dict.fromkeys((*names, "mean_average_precision"))
    figures = class_figures(given, truth)
    met = [f1 for f1, support, times in figures if support or times]
    hits = (given & truth).sum()
    return {
        "micro_f1": float(2 * hits / max(1, given.sum() + truth.sum())),
        "macro_f1": float(np.mean(met)) if met else None,
        "subset_accuracy": float((given == truth).all(axis=1).mean()),
        "hamming_loss": float((given != truth).mean()),
        "mean_average_precision": _mean_average_precision(probabilities, truth),
    }


def class_figures(
    given: NDArray[np.bool_], truth: NDArray[np.bool_]
) -> list[tuple[float, int, int]]:
    """Return F1, the number of rows with it and of rows given it, class after class."""
    hits, times, support = ((a).sum(axis=0) for a in (given & truth, given, truth))
    f1 = 2 * hits / np.maximum(1, times + support)
    return list(zip(f1.tolist(), support.tolist(), times.tolist(), strict=True))


def _mean_average_precision(
    probabilities: NDArray[np.float64], truth: NDArray[np.bool_]
) -> float | None:
    from sklearn.metrics import average_precision_score

    present = truth.any(axis=0)
    if not present.any():
        return None
    found = average_precision_score(truth[:, present], probabilities[:, present], average="macro")
    return float(found)


def _spearman(predicted: NDArray[np.float64], truth: NDArray[np.float64]) -> float | None:
    from scipy.stats import rankdata

    ranks = [rankdata(values) for values in (predicted, truth)]
    if min(np.ptp(each) for each in ranks) == 0:
        return None
    return float(np.corrcoef(*ranks)[0, 1])
