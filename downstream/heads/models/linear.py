"""Linear models of classes on standardised embeddings: learned by solvers, applied by numpy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from downstream.heads.models.choice import Choice, Search, choose, softmax
from downstream.heads.models.model import Lesson
from downstream.heads.models.scaling import Scaling
from featurize.errors import HeadError
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from downstream.heads.models.model import Parts

ARRAYS = ("mean", "scale", "coef", "intercept")
MAX_SCORES = 100_000_000


@dataclass(frozen=True, slots=True)
class Solved:
    """The weights (k, d) and the offsets (k,) of k linear scores."""

    coef: NDArray[np.floating]
    intercept: NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class LinearModel(ABC):
    """Linear scores of standardised vectors whose softmax is the probability of each class.

    `mean`, `scale` (d,), `coef` (k, d), `intercept` (k,) float64, for k classes. What a method
    learns from is the scaled vectors; `solve` says how. Scores that are no log-odds are divided by
    a temperature, that with the least log loss on held-out rows. A loaded model predicts what the
    fitted one did, since numpy alone applies both.
    """

    keeps_rows: ClassVar[bool] = False
    weights_are_priors: ClassVar[bool] = False
    search: ClassVar[Search]
    setting: ClassVar[str]

    settings: Json
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]

    @classmethod
    @abstractmethod
    def solve(cls, lesson: Lesson, setting: float, *, rough: bool) -> Solved:
        """Learn scores from scaled vectors; a rough solution is enough to compare settings."""

    @classmethod
    def fit(cls, lesson: Lesson) -> Self:
        """Choose the setting and learn with it.

        One thread does it: the result does not depend on the number of cores, and the two BLAS
        pools of numpy and scipy, which the solvers call in turn, would wait for each other.
        """
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        _require_room(lesson)
        with threadpool_limits(1, user_api="blas"):
            choice = choose(lesson, cls.search, cls._held_out_scores)
            return cls._with(lesson, choice, rough=False)

    def refit(self, lesson: Lesson) -> Self:
        """Learn anew, roughly and with the same settings, from other rows."""
        from threadpoolctl import threadpool_limits

        choice = Choice(self.settings[self.setting], self.settings.get("temperature", 1.0))
        with threadpool_limits(1, user_api="blas"):
            return self._with(lesson, choice, rough=True)

    @classmethod
    def _with(cls, lesson: Lesson, choice: Choice, *, rough: bool) -> Self:
        model = cls._at(lesson, choice.setting, rough=rough)
        settings = {cls.setting: choice.setting}
        if cls.search.tempered:
            settings["temperature"] = choice.temperature
        offset = 0.0 if lesson.weights is None else np.log(lesson.weights)
        return replace(
            model,
            coef=model.coef / choice.temperature,
            intercept=model.intercept / choice.temperature
            + (offset if cls.weights_are_priors else 0.0),
            settings=settings,
        )

    @classmethod
    def _at(cls, lesson: Lesson, setting: float, *, rough: bool) -> Self:
        scaling = Scaling.fit(lesson.X)
        X = scaling.shrink(lesson.X, spent=lesson.spent)
        solved = cls.solve(replace(lesson, X=X), setting, rough=rough)
        coef, intercept = solved.coef, solved.intercept
        if len(coef) == 1:  # of two classes, scored by one: the first has zeros
            coef = np.concatenate([np.zeros_like(coef), coef])
            intercept = np.concatenate([np.zeros_like(intercept), intercept])
        learned = (scaling.mean, scaling.scale, coef, intercept)
        return cls({}, *(np.asarray(values, dtype=np.float64) for values in learned))

    @classmethod
    def _held_out_scores(
        cls, lesson: Lesson, setting: float, X: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        return cls._at(lesson, setting, rough=True)._scores(X)

    @classmethod
    def load(cls, parts: Parts, settings: Json) -> Self:
        """Take the model out of saved arrays; raise ValueError unless they fit together."""
        arrays = (np.asarray(parts[name], dtype=np.float64) for name in ARRAYS)
        model = cls(dict(settings), *arrays)
        k, d = model.coef.shape
        shapes = [model.mean.shape, model.scale.shape, model.intercept.shape]
        if shapes != [(d,), (d,), (k,)]:
            raise ValueError(f"the arrays of a {k} x {d} model have the shapes {shapes}")
        return model

    def parts(self) -> dict[str, NDArray[np.float64]]:
        """Return the arrays that make up the model, by name."""
        return {name: getattr(self, name) for name in ARRAYS}

    def probabilities(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of every class, (n, k) float64, for `X` (n, d)."""
        return softmax(self._scores(X))

    def _scores(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        scaled = Scaling(self.mean, self.scale).apply(X)
        return np.asarray(scaled @ self.coef.T + self.intercept)


def _require_room(lesson: Lesson) -> None:
    """Raise HeadError where rows x classes would not fit into memory."""
    rows, classes = len(lesson.y), 1 + int(lesson.y.max())
    if rows * classes > MAX_SCORES:
        raise HeadError(
            f"{rows:,} rows in {classes:,} classes are too many for a linear model: at most "
            f"{MAX_SCORES:,} scores are held at once.",
            fix="Use --model knn, which needs no scores, or merge rare classes.",
        )
