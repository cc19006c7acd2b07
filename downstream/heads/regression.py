"""RegressionHead: a scikit-learn regressor over embeddings, saved without pickle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from downstream.datasets import Table, Task, strata
from downstream.heads import card
from downstream.heads.base import TableHead
from downstream.heads.models.choice import scored_folds
from downstream.heads.models.model import Lesson
from downstream.heads.models.numbers import NUMBER_MODELS, NumberModel
from downstream.heads.models.registry import model_named
from downstream.heads.truth import labelled
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from downstream.heads.models.model import Parts

COVERAGE = 0.9
_ENOUGH = 20


class RegressionHead(RegressorMixin, TableHead):  # type: ignore[misc]  # scikit-learn has no types
    """Learn a number, such as a score or a price.

    `model` is `ridge`, `knn` or `boosting`. `columns` names columns of a table to learn from beside
    its vectors. Fitted attributes are those of `Head` but for the classes; `mean_`, that of what it
    learned; and `margin_`: nine of ten held-out rows lay at most so far from what was predicted,
    None for fewer than 20 of them.
    """

    task: ClassVar[Task] = Task.NUMBER

    model_: NumberModel
    mean_: float
    margin_: float | None

    def __init__(self, model: str = "ridge", seed: int = 0, columns: Sequence[str] = ()) -> None:
        self.model = model
        self.seed = seed
        self.columns = columns

    def predict(self, X: ArrayLike | Table) -> NDArray[np.float64]:
        """Return a number for each row, (n,) float64, of vectors (n, d), a table or its path."""
        return self._all_outputs(X)[:, 0]

    def score(
        self,
        X: ArrayLike | Table,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return R2, the share of the variance of `y` (n,) that is explained.

        For a table without `y`, that on its rows with a number, see `truth.labelled`.
        """
        if y is None and isinstance(X, Table):
            data = labelled(self, X)
            X, y = self.features(data), data.y
        if y is None:
            raise TypeError("score() needs y, the numbers of the vectors.")
        return float(super().score(X, y, sample_weight))

    def _checked(
        self, X: ArrayLike, y: ArrayLike | None
    ) -> tuple[NDArray[np.floating], NDArray[Any]]:
        X, y = validate_data(self, X, y, dtype=[np.float32, np.float64], y_numeric=True)
        return np.asarray(X), np.asarray(y, dtype=np.float64)

    def _learn(
        self,
        X: NDArray[np.floating],
        y: NDArray[Any],
        groups: NDArray[np.intp],
        *,
        spent: bool,  # noqa: ARG002  # the vectors serve more than one model
    ) -> None:
        kind = model_named(self.model, NUMBER_MODELS)
        bins = strata(Task.NUMBER, y)
        lesson = Lesson(X, bins, groups, None, self.seed)
        self.model_ = kind.fit(lesson, y)
        self.mean_ = float(y.mean())
        errors = [_errors(kind, lesson, y, held) for held in scored_folds(lesson)]
        self.margin_ = _margin(np.concatenate([np.empty(0), *errors]))

    def _outputs(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        return self.model_.values(X)[:, None]

    def _width(self) -> int:
        return 1

    def _parts(self) -> Parts:
        return self.model_.parts()

    def _facts(self) -> Json:
        return {
            "settings": self.model_.settings,
            "keeps_rows": self.model_.keeps_rows,
            "mean": self.mean_,
            "margin": self.margin_,
            "coverage": COVERAGE,
        }

    @classmethod
    def _restore(cls, facts: Json, parts: Parts) -> Self:
        head = cls(facts["model"], facts["seed"], card.column_names(facts))
        head.model_ = model_named(facts["model"], NUMBER_MODELS).load(parts, facts["settings"])
        head.mean_, head.margin_ = facts["mean"], facts["margin"]
        return head


def _errors(
    kind: type[NumberModel], lesson: Lesson, y: NDArray[np.float64], held: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return how far from the truth a model is on rows that it did not learn, (m,)."""
    rest = replace(lesson, X=lesson.X[~held], y=lesson.y[~held], groups=lesson.groups[~held])
    return np.abs(kind.fit(rest, y[~held]).values(lesson.X[held]) - y[held])


def _margin(errors: NDArray[np.float64]) -> float | None:
    """Return the conformal quantile: about nine in ten new rows are as near, None if unknown."""
    if len(errors) < _ENOUGH:
        return None
    rank = min(len(errors), int(np.ceil(COVERAGE * (len(errors) + 1))))
    return float(np.sort(errors)[rank - 1])
