"""How good answers are: one class a row, any number of classes, or numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from downstream.heads.models.choice import log_losses
from downstream.heads.trust.reliability import expected_calibration_error
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray


def measure(
    classes: NDArray[Any], probabilities: NDArray[np.float64], truth: NDArray[np.object_]
) -> Json:
    """Return accuracy, macro F1 and log loss of probabilities (n, k) for the labels `truth` (n,).

    A row whose label is none of `classes` is an error; `unknown_label_rows` counts them. Macro F1
    is over the labels that are true or predicted somewhere. Log loss is over the other
    `log_loss_rows`. `majority_accuracy` is what naming the most frequent label for every row would
    give. The expected calibration error is in 15 bins of the highest probability. A measure of no
    rows is None.
    """
    numbers = numbers_of(classes, truth)
    known = numbers >= 0
    losses = log_losses(probabilities[known], numbers[known])
    figures = per_class(classes, probabilities, truth)
    met = [each for each in figures.values() if each["support"] or each["predicted"]]
    correct = classes[probabilities.argmax(axis=1)] == truth
    return {
        "accuracy": mean_of(correct),
        "majority_accuracy": mean_of(truth == _most_frequent(truth)),
        "macro_f1": mean_of(np.array([each["f1"] for each in met])),
        "log_loss": mean_of(losses),
        "log_loss_rows": len(losses),
        "expected_calibration_error": expected_calibration_error(probabilities, numbers),
        "unknown_label_rows": int((~known).sum()),
    }


def per_class(
    classes: NDArray[Any], probabilities: NDArray[np.float64], truth: NDArray[np.object_]
) -> Json:
    """Return precision, recall, F1 of every label, known or not, and how often it is what.

    `support` is the number of rows with the label, `predicted` of those that were given it.
    """
    predicted = classes[probabilities.argmax(axis=1)]
    names = np.unique(np.concatenate([classes, truth]))
    given, true = np.searchsorted(names, predicted), np.searchsorted(names, truth)
    hits, givens, trues = (
        np.bincount(numbers, minlength=len(names)) for numbers in (true[true == given], given, true)
    )
    return {
        name: {
            "precision": float(hit / max(1, times)),
            "recall": float(hit / max(1, support)),
            "f1": float(2 * hit / max(1, times + support)),
            "support": int(support),
            "predicted": int(times),
        }
        for name, hit, times, support in zip(names, hits, givens, trues, strict=True)
    }


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


def numbers_of(classes: NDArray[Any], truth: NDArray[np.object_]) -> NDArray[np.intp]:
    """Return the number of each row's class, (n,), -1 for one that is none of `classes`."""
    number = {name: position for position, name in enumerate(classes)}
    return np.array([number.get(value, -1) for value in truth], dtype=np.intp)


def mean_of(values: NDArray[Any]) -> float | None:
    """Return the mean of values (n,), None of none."""
    return float(values.mean()) if len(values) else None


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


def _most_frequent(truth: NDArray[np.object_]) -> Any:
    names, counts = np.unique(truth, return_counts=True)
    return names[counts.argmax()] if len(names) else None
