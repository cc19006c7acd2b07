"""One setting of a method, chosen by stratified and grouped cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from downstream.heads.models.model import Lesson
from downstream.heads.split import splits, subsample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scores: TypeAlias = Callable[[Lesson, float, NDArray[np.floating]], NDArray[np.float64]]

MAX_SEARCH_ROWS = 20_000
MAX_SEARCH_SCORES = 20_000_000
ENOUGH_SCORED = 2_000
FOLDS = 5
_TEMPERATURES = (1e-3, 1e3)


@dataclass(frozen=True, slots=True)
class Search:
    """What is tried: settings in ascending order, and the one for where nothing can be held out.

    `tempered` says that scores are no log-odds until they are divided by a temperature, which is
    then chosen as well.
    """

    settings: tuple[float, ...]
    default: float
    tempered: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The setting with the least log loss on held-out rows, and the temperature that gave it."""

    setting: float
    temperature: float


def choose(lesson: Lesson, search: Search, scores: Scores) -> Choice:
    """Choose by the log loss of held-out rows, out of at most 20,000.

    `scores` learns a lesson with a setting and returns a score for each class, (m, k) float64, of
    other rows: softmax turns them into probabilities. Folds are scored until 2,000 rows have been:
    all five of a small set, one of a large one. Settings are tried until the loss grows.
    """
    sample = _sample(lesson)
    folds = scored_folds(sample)
    best, least = Choice(search.default, 1.0), np.inf
    for setting in search.settings if folds else ():
        held = [(scores(part(sample, ~fold), setting, sample.X[fold]), fold) for fold in folds]
        truth = np.concatenate([sample.y[fold] for _, fold in held])
        found = np.concatenate([each for each, _ in held])
        weights = None if sample.weights is None else sample.weights[truth]
        temperature = _temperature(found, truth, weights) if search.tempered else 1.0
        loss = _loss(found / temperature, truth, weights)
        if loss > least:
            break
        best, least = Choice(setting, temperature), loss
    return best


def part(lesson: Lesson, rows: NDArray[np.bool_]) -> Lesson:
    """Return those rows of a lesson that a mask (n,) marks, their classes numbered anew."""
    present, numbers = np.unique(lesson.y[rows], return_inverse=True)
    return replace(
        lesson,
        X=lesson.X[rows],
        y=numbers,
        groups=lesson.groups[rows],
        weights=None if lesson.weights is None else lesson.weights[present],
    )


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn scores (n, k), which are lost, into probabilities of the same shape."""
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def log_losses(
    probabilities: NDArray[np.float64], classes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return -log of the probability of each row's class, (n,), bounded as scikit-learn does."""
    of_class = probabilities[np.arange(len(classes)), classes]
    return -np.log(np.clip(of_class, np.finfo(np.float64).eps, 1.0))


def _sample(lesson: Lesson) -> Lesson:
    """Return a stratified part of a large lesson, its classes numbered anew."""
    most = min(MAX_SEARCH_ROWS, MAX_SEARCH_SCORES // (1 + int(lesson.y.max())))
    return part(lesson, subsample(lesson.y, lesson.groups, most, lesson.seed))


def scored_folds(lesson: Lesson) -> list[NDArray[np.bool_]]:
    """Return the folds, as masks of held-out rows; none where no row can be held out."""
    folds: list[NDArray[np.bool_]] = []
    for held in splits(lesson.y, lesson.groups, FOLDS, lesson.seed):
        if sum(int(fold.sum()) for fold in folds) >= ENOUGH_SCORED:
            break
        if held.any():
            folds.append(held)
    return folds


def _loss(
    scores: NDArray[np.float64], truth: NDArray[np.intp], weights: NDArray[np.float64] | None
) -> float:
    return float(np.average(log_losses(softmax(scores), truth), weights=weights))


def _temperature(
    scores: NDArray[np.float64], truth: NDArray[np.intp], weights: NDArray[np.float64] | None
) -> float:
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log: _loss(scores / np.exp(log), truth, weights),
        bounds=np.log(_TEMPERATURES),
        method="bounded",
    )
    return float(np.exp(found.x))
