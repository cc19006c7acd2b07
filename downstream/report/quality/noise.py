"""Labels that are probably wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from downstream.report.held_out import NOTHING, HeldOut
from downstream.report.intervals import share
from downstream.report.nearest import NONE, nearest
from downstream.report.quality.shown import shown
from downstream.report.study import Study
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 1_000
NEIGHBOURS = 15
MOST_SUPPORT = 0.2


def noise(study: Study, held: HeldOut, most: int = MOST) -> Json:
    """Return the rows whose labels are probably wrong, the surest first, and how many there may be.

    `suspects` are up to `most` rows with their `label`, the class `proposed` instead and a `score`,
    1 - the probability that the head, which has not seen the row, gives to its label; `found` is
    the number of all. `share` estimates the wrong labels among the `rows` judged. Its interval is
    that of chance alone: rows that truly lie between classes count as wrong too, so that on clean
    labels it is as high as the head is confidently wrong.
    """
    if not held.scored.any():
        return dict(NOTHING)
    judged = np.flatnonzero(held.scored)
    probabilities, labels = held.averaged()[judged], study.classes[judged]
    wrong = wrong_share(probabilities, labels)
    support = _support(study, judged)
    ranked = suspects(probabilities, labels, support)
    return {
        "suspects": [
            shown(study, judged[row])
            | {
                "label": study.names[labels[row]],
                "proposed": study.names[probabilities[row].argmax()],
                "score": float(1 - probabilities[row, labels[row]]),
                "neighbours": float(support[row]),
            }
            for row in ranked[:most]
        ],
        "found": len(ranked),
        "rows": len(judged),
        "share": share(wrong, wrong * (1 - wrong) / max(1, len(judged)), max(1, len(judged))),
    }


def suspects(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.intp],
    support: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Return the rows whose labels are probably wrong, the surest first.

    Of `probabilities` (n, k), out of fold, and `labels` (n,), confident learning estimates how many
    are wrong; so many rows, those whose own labels are the least probable, are taken. Of these a
    row stands if its label is not the most probable one and at most a fifth of its neighbours bear
    it: `support` (n,) is their share. Method: Northcutt, Jiang and Chuang, "Confident Learning:
    Estimating Uncertainty in Dataset Labels", JAIR 2021.
    """
    own = probabilities[np.arange(len(labels)), labels]
    many = round(wrong_share(probabilities, labels) * len(labels))
    least = np.argsort(own, kind="stable")[:many]
    stands = (probabilities[least].argmax(axis=1) != labels[least]) & (
        support[least] <= MOST_SUPPORT
    )
    return np.asarray(least[stands])


def wrong_share(probabilities: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """Return the share of wrong labels that confident learning estimates.

    A row confidently belongs to the most probable of the classes that are as probable for it as
    they are, on average, for the rows that bear their label. The share of each label's confident
    rows that belong to another class holds for all rows with the label.
    """
    own = probabilities[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    sums = np.bincount(labels, own, minlength=len(counts))
    usual = np.divide(sums, counts, out=np.full(len(counts), np.inf), where=counts > 0)
    over = np.where(probabilities >= usual, probabilities, -1.0)
    confident = over.max(axis=1) >= 0
    agree = over.argmax(axis=1) == labels
    known = np.bincount(labels[confident], minlength=len(counts))
    right = np.bincount(labels[confident & agree], minlength=len(counts))
    kept = np.divide(right, known, out=np.ones(len(counts)), where=known > 0)
    return float(((1 - kept) * counts).sum() / len(labels)) if len(labels) else 0.0


def _support(study: Study, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the share of each row's 15 nearest neighbours of other groups that bear its label."""
    places, _ = nearest(study.vectors, study.groups, NEIGHBOURS, rows)
    same = (study.classes[places] == study.classes[rows][:, None]) & (places != NONE)
    return np.asarray(same.sum(axis=1) / np.maximum(1, (places != NONE).sum(axis=1)))
