"""The verdict: whether the encoder's vectors serve the labels better than the raw data do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

import numpy as np

from downstream.report.baselines.baselines import MAJORITY, Rivals
from downstream.report.held_out import NEVER, HeldOut
from downstream.report.intervals import correction, p_value, student
from downstream.report.scores import Events
from downstream.report.study import Study
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA = 0.01
METRIC = "balanced_accuracy"
TEST = "corrected resampled t-test over folds, two-sided"
_CALLED = {
    MAJORITY: "naming the largest class",
    "tfidf": "TF-IDF with logistic regression",
    "colours": "colour histograms with logistic regression",
    "pixels": "small raw images with logistic regression",
}


class Transfer(StrEnum):
    """What the vectors are worth beside raw features."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one learner is than another: mean, standard error, degrees of freedom."""

    mean: float
    error: float
    freedom: int

    @classmethod
    def between(cls, study: Study, ours: HeldOut, theirs: HeldOut) -> Self:
        """Compare balanced accuracy on the same folds by the corrected resampled t-test.

        The differences of folds are correlated, as their trainings overlap: their variance is
        multiplied by 1/J + 2 x test rows / training rows, for J folds in all repeats, instead of
        1/J. Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52, 2003,
        have the ratio once; in simulations that let up to 2.8 % pass at 1 % where rows were few for
        their dimensions or came in groups of four, this at most 0.7 % (`benchmarks/intervals.py`).
        """
        folds = _fold_differences(study, ours, theirs)
        spread = folds.var(ddof=1) if len(folds) > 1 else 0.0
        overlap = correction(ours.fold_count) - 1
        error = float(np.sqrt((1 / len(folds) + overlap) * spread))
        return cls(float(folds.mean()), error, max(1, len(folds) - 1))

    @property
    def p_value(self) -> float:
        """Return the two-sided p-value of no difference."""
        return p_value(self.mean, self.error, self.freedom)

    def to_json(self) -> Json:
        """Return the difference with its interval."""
        return student(self.mean, self.error, self.freedom)


def transfer(study: Study, held_out: HeldOut, rivals: Rivals) -> Json:
    """Return the verdict, the difference to the rival that decided it, and its test at 1 %.

    `positive`: the head is better than every baseline, each at 1 %; `p_value` is the largest.
    `negative`: a baseline on raw features is better than the head and better than knowing nothing;
    `p_value` is Holm's for several such baselines. `neutral`: neither was shown. The metric is
    balanced accuracy: one that says nothing of the inputs has 1 / k there whatever the classes'
    sizes, so that labels at random, with which naming the largest class is most often right, are
    no ground to blame the vectors.
    """
    overall = {name: Events.of(study, held).overall() for name, held in rivals.predictions.items()}
    gaps = {
        name: Difference.between(study, held_out, held) for name, held in rivals.predictions.items()
    }
    verdict, rival, chance = _judge(study, rivals, gaps)
    return {
        "verdict": str(verdict),
        "metric": METRIC,
        "head": Events.of(study, held_out).overall()[METRIC],
        "rival": rival,
        "rivals": {name: figures[METRIC] for name, figures in overall.items()},
        "difference": gaps[rival].to_json(),
        "p_value": chance,
        "test": TEST,
        "alpha": ALPHA,
        "why": _why(verdict, rival, rivals),
    }


def _judge(
    study: Study, rivals: Rivals, gaps: dict[str, Difference]
) -> tuple[Transfer, str, float]:
    """Return the verdict, the rival that decided it and the p-value."""
    hardest = max(gaps, key=lambda name: (gaps[name].mean <= 0, gaps[name].p_value))
    if gaps[hardest].mean > 0 and gaps[hardest].p_value <= ALPHA:
        return Transfer.POSITIVE, hardest, gaps[hardest].p_value
    raw = sorted(set(gaps) - {MAJORITY}, key=lambda name: gaps[name].p_value)
    for tried, name in enumerate(raw):
        chance = min(1.0, gaps[name].p_value * (len(raw) - tried))
        if chance > ALPHA:
            break
        if gaps[name].mean < 0 and _knows_something(study, rivals, name):
            return Transfer.NEGATIVE, name, chance
    strongest = min(gaps, key=lambda name: gaps[name].mean)
    return Transfer.NEUTRAL, strongest, gaps[strongest].p_value


def _knows_something(study: Study, rivals: Rivals, name: str) -> bool:
    held = rivals.predictions
    gain = Difference.between(study, held[name], held[MAJORITY])
    return gain.mean > 0 and gain.p_value <= ALPHA


def _why(verdict: Transfer, rival: str, rivals: Rivals) -> str:
    """Return the reason in a sentence."""
    name = _CALLED.get(rival, rival)
    if verdict is Transfer.NEGATIVE:
        return (
            f"On the same folds {name} is better than the head on the vectors: the encoder loses "
            "what these labels depend on."
        )
    if verdict is Transfer.NEUTRAL:
        return (
            f"On the same folds no difference between the head on the vectors and {name} could be "
            f"shown at {ALPHA:.0%}: the vectors have not proved to be worth more for these labels."
        )
    if set(rivals.predictions) == {MAJORITY}:
        return (
            "On the same folds the head on the vectors is better than naming the largest class; "
            "there were no raw data to learn from directly, so nothing is said of those."
        )
    return (
        "On the same folds the head on the vectors is better than every baseline; the closest is "
        f"{name}."
    )


def _fold_differences(study: Study, ours: HeldOut, theirs: HeldOut) -> NDArray[np.float64]:
    """Return the differences of balanced accuracy by repeat and fold, (J,).

    Each class has the weight of all its rows, so that a fold without a rare one counts.
    """
    sizes = np.bincount(study.classes[ours.scored], minlength=len(study.names))
    weights = ours.scored.sum() / ((sizes > 0).sum() * np.maximum(sizes, 1))
    found = []
    for fold, mine, other in zip(ours.folds, ours.probabilities, theirs.probabilities, strict=True):
        for number in np.unique(fold[fold != NEVER]):
            held = fold == number
            true = study.classes[held]
            gain = 1.0 * (mine[held].argmax(axis=1) == true)
            gain -= other[held].argmax(axis=1) == true
            found.append(np.mean(gain * weights[true]))
    return np.array(found)
