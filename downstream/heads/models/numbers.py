"""Models of numbers: least squares, neighbours and boosted trees over standardised features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, TypeAlias

import numpy as np

from downstream.heads.models.boosting import Trees
from downstream.heads.models.choice import scored_folds
from downstream.heads.models.linear import ARRAYS
from downstream.heads.models.model import Lesson
from downstream.heads.models.neighbors import Neighbors
from downstream.heads.models.scaling import Scaling
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from downstream.heads.models.model import Parts

    Learn: TypeAlias = Callable[
        [NDArray[np.floating], NDArray[np.float64], float],
        Callable[[NDArray[np.floating]], NDArray[np.float64]],
    ]


class NumberModel(Protocol):
    """A learned model of numbers, as `Model` is one of classes.

    The lesson numbers the strata of the rows; `target` (n,) float64 is what is learned.
    """

    keeps_rows: ClassVar[bool]

    @property
    def settings(self) -> Json:
        """Return what was chosen in training, for the card."""

    @classmethod
    def fit(cls, lesson: Lesson, target: NDArray[np.float64]) -> Self:
        """Choose the settings by cross-validation and learn with them from every row."""

    def values(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return a number for each row, (n,) float64."""

    def parts(self) -> Parts:
        """Return what is saved, by name."""

    @classmethod
    def load(cls, parts: Parts, settings: Json) -> Self:
        """Take the model out of what was saved; raise ValueError unless it fits together."""


@dataclass(frozen=True, slots=True)
class RidgeNumbers:
    """Least squares with an L2 penalty, as arrays: `coef` (1, d), `intercept` (1,)."""

    keeps_rows: ClassVar[bool] = False

    settings: Json
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]

    @classmethod
    def fit(cls, lesson: Lesson, target: NDArray[np.float64]) -> Self:
        """Choose the penalty and learn with it."""
        alphas = (1.0, 1e1, 1e2, 1e3, 1e4)
        alpha = _choose(lesson, target, alphas, lambda X, y, a: cls._at(X, y, a).values)
        return cls._at(lesson.X, target, alpha)

    @classmethod
    def _at(cls, X: NDArray[np.floating], y: NDArray[np.float64], alpha: float) -> Self:
        from sklearn.linear_model import Ridge

        scaling = Scaling.fit(X)
        ridge = Ridge(alpha=alpha).fit(scaling.apply(X), y)
        coef, intercept = np.atleast_2d(ridge.coef_), np.atleast_1d(ridge.intercept_)
        return cls({"alpha": alpha}, scaling.mean, scaling.scale, coef, intercept)

    def values(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return a number for each row, (n,) float64."""
        scaled = Scaling(self.mean, self.scale).apply(X)
        return np.asarray(scaled @ self.coef[0] + self.intercept[0])

    def parts(self) -> Parts:
        """Return what is saved, by name."""
        return {name: getattr(self, name) for name in ARRAYS}

    @classmethod
    def load(cls, parts: Parts, settings: Json) -> Self:
        """Take the model out of what was saved; raise ValueError unless it fits together."""
        model = cls(settings, *(np.asarray(parts[name], np.float64) for name in ARRAYS))
        (one, d), rest = model.coef.shape, (model.mean, model.scale, model.intercept)
        if one != 1 or [each.shape for each in rest] != [(d,), (d,), (1,)]:
            raise ValueError(f"the arrays of a model over {d} features do not fit together")
        return model


@dataclass(frozen=True, slots=True)
class KnnNumbers:
    """The mean of the nearest neighbours, nearer ones counting more."""

    keeps_rows: ClassVar[bool] = True

    neighbors: Neighbors
    target: NDArray[np.float64]

    @property
    def settings(self) -> Json:
        """Return what was chosen in training."""
        return {"neighbors": int(self.neighbors.rows.n_neighbors)}

    @classmethod
    def fit(cls, lesson: Lesson, target: NDArray[np.float64]) -> Self:
        """Choose the number of neighbours and keep the rows."""
        counts = (3.0, 5.0, 10.0, 20.0)
        k = _choose(lesson, target, counts, lambda X, y, k: cls._at(X, y, k).values)
        return cls._at(lesson.X, target, k)

    @classmethod
    def _at(cls, X: NDArray[np.floating], y: NDArray[np.float64], k: float) -> Self:
        return cls(Neighbors.fit(X, int(k)), y)

    def values(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return a number for each row, (n,) float64."""
        near, votes = self.neighbors.votes(X)
        return np.asarray((self.target[near] * votes).sum(axis=1))

    def parts(self) -> Parts:
        """Return what is saved, by name."""
        return {**self.neighbors.parts(), "target": self.target}

    @classmethod
    def load(cls, parts: Parts, _settings: Json) -> Self:
        """Take the model out of what was saved; raise ValueError unless it fits together."""
        neighbors, target = Neighbors.load(parts), np.asarray(parts["target"], np.float64)
        if target.shape != (neighbors.rows.n_samples_fit_,):
            raise ValueError("a knn model has a number for each row")
        return cls(neighbors, target)


@dataclass(frozen=True, slots=True)
class BoostingNumbers:
    """scikit-learn's HistGradientBoostingRegressor."""

    keeps_rows: ClassVar[bool] = False

    trees: Trees

    @property
    def settings(self) -> Json:
        """Return what was chosen in training."""
        return self.trees.settings

    @classmethod
    def fit(cls, lesson: Lesson, target: NDArray[np.float64]) -> Self:
        """Choose the number of rounds and learn with it."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        return cls(Trees.fit(HistGradientBoostingRegressor, lesson, target))

    def values(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return a number for each row, (n,) float64."""
        if not len(X):
            return np.empty(0)
        with self.trees.threads(len(X)):
            found = self.trees.trees.predict(self.trees.scaling.apply(X))
        return np.asarray(found, dtype=np.float64)

    def parts(self) -> Parts:
        """Return what is saved, by name."""
        return self.trees.parts()

    @classmethod
    def load(cls, parts: Parts, _settings: Json) -> Self:
        """Take the model out of what was saved; raise ValueError unless it fits together."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        return cls(Trees.load(HistGradientBoostingRegressor, parts))


NUMBER_MODELS: dict[str, type[NumberModel]] = {
    "ridge": RidgeNumbers,
    "knn": KnnNumbers,
    "boosting": BoostingNumbers,
}


def _choose(
    lesson: Lesson, target: NDArray[np.float64], settings: tuple[float, ...], learn: Learn
) -> float:
    """Choose the setting with the least squared error of held-out rows; settings ascend."""
    folds = scored_folds(lesson)
    best, least = settings[len(settings) // 2], np.inf
    for setting in settings if folds else ():
        error = sum(
            float(
                np.square(learn(lesson.X[~f], target[~f], setting)(lesson.X[f]) - target[f]).sum()
            )
            for f in folds
        )
        if error > least:
            break
        best, least = setting, error
    return best
