"""Logistic regression on standardised embeddings."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from downstream.heads.model import Lesson
from downstream.heads.split import deal, splits
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from downstream.heads.model import Parts

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
DEFAULT_STRENGTH = 1e-1
MAX_SEARCH_ROWS = 20_000
ENOUGH_SCORED = 2_000
FOLDS = 5
_NOISE = 1e-6  # of a vector's length: dimensions that vary less hold only what rounding left there


@dataclass(frozen=True, slots=True)
class LogisticModel:
    """A multinomial logistic regression, as the arrays that predict.

    `mean`, `scale` (d,), `coef` (k, d), `intercept` (k,), `C` () float64, for k classes. A model of
    two classes has zeros for the first. Fitted with scikit-learn, applied with numpy alone, so that
    a loaded model predicts what the fitted one did. `keeps_rows` says whether its arrays hold rows
    of the training, so that it cannot outlive their being forgotten.
    """

    names: ClassVar[tuple[str, ...]] = ("mean", "scale", "coef", "intercept", "C")
    keeps_rows: ClassVar[bool] = False

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    C: NDArray[np.float64]

    @classmethod
    def fit(cls, lesson: Lesson) -> Self:
        """Learn the classes.

        One thread does it: the result does not depend on the number of cores, and the two BLAS
        pools of numpy and scipy, which the solver calls in turn, would wait for each other (ten
        times slower on a busy machine).
        """
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        with threadpool_limits(1, user_api="blas"):
            strength = _best_strength(lesson.X, lesson.y, lesson.groups, lesson.seed)
            return cls._fit(lesson.X, lesson.y, strength, tolerance=1e-4)

    @classmethod
    def _fit(
        cls,
        vectors: NDArray[np.floating],
        classes: NDArray[np.intp],
        strength: float,
        tolerance: float,
    ) -> Self:
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(vectors)
        length = np.sqrt(np.square(scaler.mean_).sum() + scaler.var_.sum())
        scaler.scale_ = np.where(scaler.scale_ < _NOISE * length, 1.0, scaler.scale_)
        scaled = scaler.transform(vectors)
        regression = LogisticRegression(C=strength, tol=tolerance, max_iter=1000)
        with warnings.catch_warnings(action="ignore"):  # of rare classes, of steps run out
            regression.fit(scaled, classes)
        coef, intercept = regression.coef_, regression.intercept_
        if len(coef) == 1:
            coef = np.concatenate([np.zeros_like(coef), coef])
            intercept = np.concatenate([np.zeros_like(intercept), intercept])
        fitted = (scaler.mean_, scaler.scale_, coef, intercept, strength)
        return cls(*(np.asarray(values, dtype=np.float64) for values in fitted))

    @classmethod
    def load(cls, parts: Parts, _settings: Json) -> Self:
        """Take the model out of saved arrays; raise ValueError unless they fit together."""
        model = cls(*(np.asarray(parts[name], dtype=np.float64) for name in cls.names))
        k, d = model.coef.shape
        shapes = [model.mean.shape, model.scale.shape, model.intercept.shape, model.C.shape]
        if shapes != [(d,), (d,), (k,), ()]:
            raise ValueError(f"the arrays of a {k} x {d} model have the shapes {shapes}")
        return model

    @property
    def settings(self) -> Json:
        """Return what was chosen in training."""
        return {"C": float(self.C)}

    def parts(self) -> dict[str, NDArray[np.float64]]:
        """Return the arrays that make up the model, by name."""
        return {name: getattr(self, name) for name in self.names}

    def probabilities(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of every class, (n, k) float64, for `vectors` (n, d)."""
        logits = (vectors - self.mean) / self.scale @ self.coef.T + self.intercept
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def log_losses(
    probabilities: NDArray[np.float64], classes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return -log of the probability of each row's class, (n,), bounded as scikit-learn does."""
    of_class = probabilities[np.arange(len(classes)), classes]
    return -np.log(np.clip(of_class, np.finfo(np.float64).eps, 1.0))


def _best_strength(
    vectors: NDArray[np.floating],
    classes: NDArray[np.intp],
    groups: NDArray[np.intp],
    seed: int,
) -> float:
    """Choose C by the log loss of stratified, grouped cross-validation on at most 20,000 rows.

    Folds are scored until 2,000 rows have been: all five of a small set, one of a large one. C
    grows until the loss does, which spares the slowest fits. Where no row can be held out, because
    each class lies in one group, C is 0.1.
    """
    sample = deal(classes, groups, -(-len(classes) // MAX_SEARCH_ROWS), seed) == 0
    vectors, groups = vectors[sample], groups[sample]
    present, classes = np.unique(classes[sample], return_inverse=True)
    folds = _scored_folds(classes, groups, seed) if len(present) > 1 else []
    if not folds:
        return DEFAULT_STRENGTH
    best, least = DEFAULT_STRENGTH, np.inf
    for strength in STRENGTHS:
        loss = sum(_held_out_loss(vectors, classes, held, strength) for held in folds)
        if loss > least:
            break
        best, least = strength, loss
    return best


def _scored_folds(
    classes: NDArray[np.intp], groups: NDArray[np.intp], seed: int
) -> list[NDArray[np.bool_]]:
    """Return the folds, as masks of held-out rows, that choose C."""
    folds: list[NDArray[np.bool_]] = []
    for held in splits(classes, groups, FOLDS, seed):
        if sum(int(fold.sum()) for fold in folds) >= ENOUGH_SCORED:
            break
        if held.any():
            folds.append(held)
    return folds


def _held_out_loss(
    vectors: NDArray[np.floating],
    classes: NDArray[np.intp],
    held: NDArray[np.bool_],
    strength: float,
) -> float:
    """Return the summed log loss of the rows held out; a rough fit is enough to compare C."""
    model = LogisticModel._fit(vectors[~held], classes[~held], strength, tolerance=1e-3)
    return float(log_losses(model.probabilities(vectors[held]), classes[held]).sum())
