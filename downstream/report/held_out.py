"""Out-of-fold predictions of the head: what scores, confusions, calibration and verdict rest on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from downstream.heads.models.model import Lesson
from downstream.heads.models.solvers import LogisticModel
from downstream.heads.split import splits
from downstream.report.study import Study

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 5
FEW_ROWS = 2_000
FEW_NUMBERS = 1 << 16
REPEATS_SMALL = 3
REPEATS_LARGE = 2
NEVER = -1
NOTHING = {
    "skipped": "No row could be held out: each class lies in one group of rows. Label rows of "
    "other groups in at least two classes."
}

Learner: TypeAlias = "Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]]"
"""Takes rows to learn from, all classes among them, and rows (m,) to give (m, k) probabilities."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Predictions for every row by models that have seen neither it nor its group.

    `probabilities` (repeats, n, k) float64 are NaN where a row was never held out in a repeat;
    `folds` (repeats, n) intp number the fold in which it was, -1 for never. Each repeat deals the
    groups anew.
    """

    probabilities: NDArray[np.float64]
    folds: NDArray[np.intp]

    @property
    def repeats(self) -> int:
        """Return how often the groups were dealt."""
        return len(self.folds)

    @property
    def fold_count(self) -> int:
        """Return the number of folds of a repeat."""
        return int(self.folds.max()) + 1

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Return which rows were held out at least once, (n,)."""
        return np.asarray((self.folds != NEVER).any(axis=0))

    def averaged(self) -> NDArray[np.float64]:
        """Return the mean over the repeats, (n, k); NaN for rows that are not `scored`."""
        times = (self.folds != NEVER).sum(axis=0)[:, None]
        mean = np.full(self.probabilities.shape[1:], np.nan)
        np.divide(np.nansum(self.probabilities, axis=0), times, out=mean, where=times > 0)
        return mean


def held_out(study: Study, repeats: int | None = None, folds: int = FOLDS) -> HeldOut:
    """Cross-validate the head on folds that keep classes in proportion and groups whole.

    The groups are dealt `repeats` times, 3 for at most 2,000 rows, else 2. A class that lies in one
    group is learned but never held out. For large tables take `study.bounded()` first.
    """
    few = len(study) <= FEW_ROWS
    dealt = deal_repeats(study, repeats or (REPEATS_SMALL if few else REPEATS_LARGE), folds)
    return cross_validated(study, dealt, head_learner(study, study.vectors))


def deal_repeats(study: Study, repeats: int, folds: int) -> NDArray[np.intp]:
    """Return the fold that holds each row out, (repeats, n), -1 for rows that none does."""
    dealt = np.full((repeats, len(study)), NEVER, dtype=np.intp)
    for repeat in range(repeats):
        held = splits(study.classes, study.groups, folds, study.seed * repeats + repeat)
        for number, rows in enumerate(held):
            dealt[repeat, rows] = number
    return dealt


def cross_validated(study: Study, folds: NDArray[np.intp], learner: Learner) -> HeldOut:
    """Return what a learner predicts for the rows held out by `folds` (repeats, n)."""
    found = np.full((*folds.shape, len(study.names)), np.nan)
    for repeat, fold in enumerate(folds):
        for number in np.unique(fold[fold != NEVER]):
            held = fold == number
            found[repeat, held] = learner(np.flatnonzero(~held), np.flatnonzero(held))
    return HeldOut(found, folds)


def head_learner(study: Study, features: NDArray[np.floating]) -> Learner:
    """Return the head's own method on features (n, d) of the rows.

    Where the features are few numbers (FEW_NUMBERS: 170 rows of 384), C is chosen on the rows of
    each training alone, as `Head` does; else on those of the first, which saves most of the time:
    with more rows other trainings seldom choose another of the four values, or lose by it.
    """
    first: list[LogisticModel] = []

    def learn(train: NDArray[np.intp], test: NDArray[np.intp]) -> NDArray[np.float64]:
        model = learned(study, features, train, first[0] if first else None)
        if features.size > FEW_NUMBERS:
            first.append(model)
        return model.probabilities(features[test])

    return learn


def learned(
    study: Study,
    features: NDArray[np.floating],
    rows: NDArray[np.intp],
    like: LogisticModel | None = None,
) -> LogisticModel:
    """Learn by the head's own method from some rows; C is chosen, or that of a model `like` it."""
    lesson = Lesson(features[rows], study.classes[rows], study.groups[rows], None, study.seed)
    return LogisticModel.fit(lesson) if like is None else like.refit(lesson)
