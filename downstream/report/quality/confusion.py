"""Which classes are taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from downstream.report.held_out import NOTHING, HeldOut
from downstream.report.quality.shown import shown
from downstream.report.study import Study
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_CLASSES = 200
PAIRS = 10
EXAMPLES = 4


def confusion(study: Study, held: HeldOut) -> Json:
    """Return the confusion matrix of the rows held out, and the most confused pairs of classes.

    A row counts once, as the class that is most probable on average over the repeats. `matrix` has
    a line for each true class and a column for each predicted one, in the order of `names`: all
    classes up to 200; of more, only those of the most confused pairs. `most` are up to 10 ordered
    pairs by the `rows` of the one class that were taken for the other: their `share` of the class,
    and those of them of which the head was surest.
    """
    if not held.scored.any():
        return dict(NOTHING)
    scored = np.flatnonzero(held.scored)
    probabilities = held.averaged()[scored]
    truth, predicted = study.classes[scored], probabilities.argmax(axis=1)
    supports = np.bincount(truth, minlength=len(study.names))
    pairs = _most_confused(truth, predicted, len(study.names))
    most = []
    for one, other, rows in pairs:
        taken = np.flatnonzero((truth == one) & (predicted == other))
        surest = taken[np.argsort(-probabilities[taken, other], kind="stable")][:EXAMPLES]
        most.append(
            {
                "truth": study.names[one],
                "predicted": study.names[other],
                "rows": rows,
                "share": rows / int(supports[one]),
                "examples": [
                    shown(study, scored[row]) | {"confidence": float(probabilities[row, other])}
                    for row in surest
                ],
            }
        )
    kept = _kept(pairs, len(study.names))
    return {
        "names": [study.names[number] for number in kept],
        "matrix": _matrix(truth, predicted, kept),
        "rows": len(scored),
        "wrong": int((truth != predicted).sum()),
        "most": most,
    }


def _most_confused(
    truth: NDArray[np.intp], predicted: NDArray[np.intp], k: int
) -> list[tuple[int, int, int]]:
    """Return up to 10 pairs (true, predicted, rows), by falling rows."""
    wrong = truth != predicted
    pairs, rows = np.unique(truth[wrong] * k + predicted[wrong], return_counts=True)
    largest = np.argsort(-rows, kind="stable")[:PAIRS]
    return [(int(pairs[at] // k), int(pairs[at] % k), int(rows[at])) for at in largest]


def _kept(pairs: list[tuple[int, int, int]], k: int) -> NDArray[np.intp]:
    """Return the classes of which the matrix tells."""
    if k <= MAX_CLASSES:
        return np.arange(k)
    return np.unique(np.array([pair[:2] for pair in pairs], dtype=np.intp))


def _matrix(
    truth: NDArray[np.intp], predicted: NDArray[np.intp], kept: NDArray[np.intp]
) -> list[list[int]]:
    """Count the rows of each true and each predicted class among those kept, which ascend."""
    inside = np.isin(truth, kept) & np.isin(predicted, kept)
    matrix = np.zeros((len(kept), len(kept)), dtype=np.intp)
    places = (np.searchsorted(kept, each[inside]) for each in (truth, predicted))
    np.add.at(matrix, tuple(places), 1)
    listed: list[list[int]] = matrix.tolist()
    return listed
