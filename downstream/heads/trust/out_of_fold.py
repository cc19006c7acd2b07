"""What a model says of rows that it has not learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from downstream.heads.models.choice import part
from downstream.heads.models.model import Lesson, Model
from downstream.heads.split import splits, subsample

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 5
MAX_ROWS = 20_000
MAX_PROBABILITIES = 5_000_000  # 40 MB, of which each step of a calibration takes the logarithm


@dataclass(frozen=True, slots=True)
class HeldOutRows:
    """Rows predicted by models that have seen neither them nor their groups.

    `probabilities` (n, k) float64; `classes` (n,), the numbers of the true ones; `groups` (n,).
    """

    probabilities: NDArray[np.float64]
    classes: NDArray[np.intp]
    groups: NDArray[np.intp]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.classes)

    def part(self, rows: NDArray[np.bool_]) -> Self:
        """Return those of the rows that a mask (n,) marks."""
        return replace(
            self,
            probabilities=self.probabilities[rows],
            classes=self.classes[rows],
            groups=self.groups[rows],
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """A copy of some rows of a lesson of `k` classes, of which `present` (j,) are in it."""

    lesson: Lesson
    present: NDArray[np.intp]
    k: int

    @classmethod
    def of(cls, lesson: Lesson) -> Self:
        """Copy all rows, of many a stratified sample of 20,000."""
        drawn = subsample(lesson.y, lesson.groups, MAX_ROWS, lesson.seed)
        return cls(part(lesson, drawn), np.unique(lesson.y[drawn]), int(lesson.y.max()) + 1)


def out_of_fold(model: Model, rows: Sample, enough: int = MAX_ROWS) -> HeldOutRows:
    """Learn again without some rows, with the settings of `model`, and predict those.

    Folds, of five, are held out until `enough` rows have been predicted, and of a fold no more than
    that. The probability of a class that the sample lacks is zero.
    """
    sample, present, count = rows.lesson, rows.present, len(rows.lesson.y)
    enough = min(enough, MAX_PROBABILITIES // rows.k)
    probabilities, done = np.zeros((count, rows.k)), np.zeros(count, dtype=bool)
    order = np.random.default_rng(sample.seed).permutation(count)
    for held in splits(sample.y, _by_appearance(sample.groups), FOLDS, sample.seed):
        if (wanted := enough - done.sum()) <= 0:
            break
        if held.any():
            asked = np.sort(order[held[order]][:wanted])
            learned = model.refit(part(sample, ~held))
            probabilities[np.ix_(asked, present)] = learned.probabilities(sample.X[asked])
            done[asked] = True
    groups = _by_appearance(sample.groups[done])
    return HeldOutRows(probabilities[done], present[sample.y[done]], groups)


def _by_appearance(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """Number groups in the order of their first rows, so that their numbers decide nothing."""
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[member]
