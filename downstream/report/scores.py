"""Scores of held-out predictions, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from downstream.heads.models.choice import log_losses
from downstream.report.held_out import NEVER, HeldOut
from downstream.report.intervals import correction, group_variance, interval, share, student, wilson
from downstream.report.study import Study
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array


def scores(study: Study, held_out: HeldOut) -> Json:
    """Return accuracy, balanced accuracy, macro F1, log loss and figures of classes, as intervals.

    `rows_scored` of the `rows` that were taken from the table's `rows_of` were held out; classes of
    the others, `classes_unmeasured` in number, are in one group each. All figures are of models
    trained on all folds but one. See `intervals` for the method.
    """
    events = Events.of(study, held_out)
    measured = np.unique(study.classes[held_out.scored])
    return {
        "folds": held_out.fold_count,
        "repeats": held_out.repeats,
        "rows": len(study),
        "rows_of": study.total,
        "rows_scored": int(held_out.scored.sum()),
        "classes_unmeasured": len(study.names) - len(measured),
        **events.overall(),
        "per_class": events.per_class(study.names),
    }


@dataclass(frozen=True, slots=True)
class Events:
    """Every prediction that was made, in all repeats, (m,) each; a row's weights sum to 1.

    `true` and `given` are classes, `losses` -log of the probability of the true one, `groups` are
    numbered from 0, `weights` one over the number of repeats that held the row out.
    """

    true: NDArray[np.intp]
    given: NDArray[np.intp]
    losses: NDArray[np.float64]
    groups: NDArray[np.intp]
    weights: NDArray[np.float64]
    classes: int
    folds: int

    @classmethod
    def of(cls, study: Study, held_out: HeldOut) -> Self:
        """Take the predictions of a study."""
        repeats, rows = np.nonzero(held_out.folds != NEVER)
        probabilities, true = held_out.probabilities[repeats, rows], study.classes[rows]
        groups = np.unique(study.groups, return_inverse=True)[1]
        return cls(
            true=true,
            given=probabilities.argmax(axis=1),
            losses=log_losses(probabilities, true),
            groups=groups[rows],
            weights=1 / (held_out.folds != NEVER).sum(axis=0)[rows],
            classes=len(study.names),
            folds=held_out.fold_count,
        )

    def overall(self) -> Json:
        """Return the figures over all classes as intervals."""
        correct = (self.true == self.given).astype(float)
        return {
            "accuracy": self._accuracy(correct),
            "balanced_accuracy": self._balanced_accuracy(correct),
            "macro_f1": self._macro_f1(correct),
            "log_loss": self._log_loss(),
        }

    def per_class(self, names: list[str]) -> Json:
        """Return precision, recall, F1 and support of every class that was held out."""
        support, given, hits = (self._by_group(kind) for kind in ("true", "given", "hits"))
        union = support + given - hits
        precision, recall, overlap = (
            self._ratios(hits, whole) for whole in (given, support, union)
        )
        f1 = [2 * each / (1 + each) for each in overlap]  # of Jaccard's overlap, as Lam et al. do
        rows = support.sum(axis=0)
        return {
            name: {
                "precision": interval(*(end[number] for end in precision)),
                "recall": interval(*(end[number] for end in recall)),
                "f1": interval(*(end[number] for end in f1)),
                "support": round(rows[number]),
            }
            for number, name in enumerate(names)
            if rows[number]
        }

    def _accuracy(self, correct: NDArray[np.float64]) -> Json:
        mean = np.average(correct, weights=self.weights)
        influence = self.weights * (correct - mean) / self.weights.sum()
        return share(mean, self._variance(influence), self._independent)

    def _balanced_accuracy(self, correct: NDArray[np.float64]) -> Json:
        support = self._count(self.true)
        recall = self._count(self.true, correct) / np.maximum(support, 1)
        each = (support > 0).sum() * np.maximum(support, 1)
        influence = self.weights * (correct - recall[self.true]) / each[self.true]
        return share(recall[support > 0].mean(), self._variance(influence), self._least_independent)

    def _macro_f1(self, correct: NDArray[np.float64]) -> Json:
        sizes = self._count(self.true) + self._count(self.given)
        met, each = (sizes > 0).sum(), np.where(sizes > 0, sizes, 1)
        f1 = 2 * self._count(self.true, correct) / each
        gain = 2 * correct / each[self.true]
        loss = (f1 / each)[self.true] + (f1 / each)[self.given]
        variance = self._variance(self.weights * (gain - loss) / met)
        return share(f1.sum() / met, variance, self._least_independent)

    def _log_loss(self) -> Json:
        mean = np.average(self.losses, weights=self.weights)
        variance = self._variance(self.weights * (self.losses - mean) / self.weights.sum())
        freedom = max(1, len(np.unique(self.groups)) - 1)
        found = student(float(mean), float(np.sqrt(variance)), freedom)
        return found | {"low": max(0.0, found["low"])}

    def _variance(self, influence: NDArray[np.float64]) -> float:
        return group_variance(influence, self.groups, self.folds)

    @property
    def _independent(self) -> float:
        return len(np.unique(self.groups)) / correction(self.folds)

    @property
    def _least_independent(self) -> float:
        """Return to how many rows as many classes of that many groups come in a mean over them."""
        groups = (self._by_group("true") > 0).sum(axis=0)
        groups = groups[groups > 0]
        return float(len(groups) ** 2 / (1 / groups).sum() / correction(self.folds))

    def _count(self, classes: NDArray[np.intp], values: Any = 1.0) -> NDArray[np.float64]:
        return np.bincount(classes, self.weights * values, minlength=self.classes).astype(float)

    def _by_group(self, kind: str) -> csr_array:
        """Return how often, in each group (rows), each class (columns) is true, given or both."""
        from scipy.sparse import coo_array

        classes = {"true": self.true, "given": self.given, "hits": self.true}[kind]
        values = self.weights * (self.true == self.given) if kind == "hits" else self.weights
        shape = (self.groups.max() + 1, self.classes)
        return coo_array((values, (self.groups, classes)), shape=shape).tocsr()

    def _ratios(self, part: csr_array, whole: csr_array) -> tuple[NDArray[np.float64], ...]:
        """Return mean, low and high of the share `part` has of `whole`, class by class, (k,)."""
        rows = np.asarray(whole.sum(axis=0)).ravel()
        groups = np.asarray((whole > 0).sum(axis=0)).ravel()
        mean = np.asarray(part.sum(axis=0)).ravel() / np.maximum(rows, 1e-9)
        left = (part - whole.multiply(mean[None]).tocsr()).power(2).sum(axis=0)
        scale = correction(self.folds) * groups / np.maximum(1, groups - 1)
        variance = scale * np.asarray(left).ravel() / np.maximum(rows, 1e-9) ** 2
        # With few groups the variance may be small by chance: never more rows than there are.
        most = rows / correction(self.folds)
        known = (variance > 0) & (mean > 0) & (mean < 1)
        effective = np.where(known, mean * (1 - mean) / np.where(known, variance, 1), groups)
        low, high = wilson(mean, np.maximum(np.minimum(effective, most), 1e-9))
        return mean, low, high
