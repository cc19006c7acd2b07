"""MultilabelHead: any number of classes a row, one against the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import validate_data

from downstream.datasets import Table, Task, strata
from downstream.heads import card
from downstream.heads.base import TableHead
from downstream.heads.models.linear import LinearModel
from downstream.heads.models.model import Lesson
from downstream.heads.models.registry import LINEAR_MODELS, model_named
from downstream.heads.models.scaling import Scaling
from downstream.heads.several import read_targets, rows_of_names
from downstream.heads.split import splits
from downstream.heads.thresholds import best_thresholds
from downstream.heads.truth import labelled
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from downstream.heads.models.model import Parts

_FOLDS = 5
_ARRAYS = ("mean", "scale", "coef", "intercept", "thresholds")


class MultilabelHead(ClassifierMixin, TableHead):  # type: ignore[misc]  # scikit-learn has no types
    """Give each row any number of classes: a linear model for each, against all other rows.

    `model` is one of `registry.LINEAR_MODELS`. `class_weight` is None or `balanced`: of each class,
    its rows against the others. `fit` takes rows of names or, as an array, a matrix (n, k) of 0 and
    1, whose columns are then the classes, also those that no row has. Labels of a table are lists
    of strings, or strings that `separator` cuts. Fitted attributes are those of `Head`, and
    `thresholds_` (k,): a row has a class from this probability on, that with the best F1 on
    held-out rows (one for all classes, micro F1, where fewer than 10 held-out rows have the class).
    """

    task: ClassVar[Task] = Task.MULTILABEL

    classes_: NDArray[Any]
    thresholds_: NDArray[np.float64]

    def __init__(
        self,
        model: str = "logistic",
        seed: int = 0,
        class_weight: str | None = None,
        columns: Sequence[str] = (),
        separator: str | None = None,
    ) -> None:
        self.model = model
        self.seed = seed
        self.class_weight = class_weight
        self.columns = columns
        self.separator = separator

    def __sklearn_tags__(self) -> Any:
        """Say that targets are several columns of 0 and 1."""
        tags = super().__sklearn_tags__()
        tags.target_tags.one_d_labels = False
        tags.target_tags.two_d_labels = True
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = True
        return tags

    def predict(self, X: ArrayLike | Table) -> NDArray[np.intp]:
        """Return which classes each row has, (n, k) of 0 and 1, in the order of `classes_`."""
        return (self.predict_proba(X) >= self.thresholds_).astype(np.intp)

    def predict_proba(self, X: ArrayLike | Table) -> NDArray[np.float64]:
        """Return the probability of each class, (n, k) float64; rows sum to no fixed number."""
        return self._all_outputs(X)

    def score(
        self,
        X: ArrayLike | Table,
        y: ArrayLike | Iterable[Iterable[Any]] | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the subset accuracy: the share of rows of which all of `classes_` are right.

        `y` is a matrix (n, k) of 0 and 1, or rows of names. For a table without `y`, those of its
        rows with a label, see `truth.labelled`.
        """
        if y is None and isinstance(X, Table):
            data = labelled(self, X)
            X, y = self.features(data), data.y
        if y is None:
            raise TypeError("score() needs y, the classes of the vectors.")
        targets = read_targets(y)
        truth = self.indicate(targets) if targets.ndim == 1 else targets.astype(bool)
        given = self.predict(X).astype(bool)
        if truth.shape != given.shape:
            raise ValueError(f"y is {truth.shape}, what the head answers {given.shape}.")
        weights = None if sample_weight is None else np.asarray(sample_weight)
        return float(np.average((given == truth).all(axis=1), weights=weights))

    @property
    def class_names(self) -> list[str]:
        """Return the classes as strings, in the order of `classes_`."""
        return [str(value) for value in self.classes_.tolist()]

    def indicate(self, y: Iterable[Iterable[Any]]) -> NDArray[np.bool_]:
        """Return which of `classes_`, or of their names, each label has; others are left out."""
        place = {name: number for number, name in enumerate(self.class_names)}
        place |= {name: number for number, name in enumerate(self.classes_.tolist())}
        rows = [[place[name] for name in names if name in place] for names in y]
        found = np.zeros((len(rows), len(self.classes_)), dtype=bool)
        for row, places in enumerate(rows):
            found[row, places] = True
        return found

    def _checked(
        self, X: ArrayLike, y: ArrayLike | None
    ) -> tuple[NDArray[np.floating], NDArray[Any]]:
        """Take targets as `read_targets` does."""
        vectors = np.asarray(validate_data(self, X, dtype=[np.float32, np.float64]))
        if y is None:
            raise ValueError("MultilabelHead requires y to be passed, but the target y is None.")
        targets = read_targets(y)
        check_consistent_length(vectors, targets)
        return vectors, targets

    def _learn(
        self,
        X: NDArray[np.floating],
        y: NDArray[Any],
        groups: NDArray[np.intp],
        *,
        spent: bool,  # noqa: ARG002  # the vectors serve more than one model
    ) -> None:
        if y.ndim == 2:  # classes that no row has stay, so that answers have the form of y
            self.classes_ = np.arange(y.shape[1])
            y = rows_of_names([np.flatnonzero(row).tolist() for row in y])
        else:
            self.classes_ = np.unique([name for row in y for name in row])
        if not len(self.classes_):
            raise ValueError("MultilabelHead needs a class; no row of y has one.")
        truth = self.indicate(y)
        held = next(splits(strata(Task.MULTILABEL, y), groups, _FOLDS, self.seed + 1))
        self.thresholds_ = np.full(len(self.classes_), 0.5)
        if held.any():
            self._fit_all(X[~held], truth[~held], groups[~held])
            self.thresholds_ = best_thresholds(self._outputs(X[held]), truth[held])
        self._fit_all(X, truth, groups)

    def _fit_all(
        self, X: NDArray[np.floating], truth: NDArray[np.bool_], groups: NDArray[np.intp]
    ) -> None:
        kind = model_named(self.model, LINEAR_MODELS)
        self._scaling = Scaling.fit(X)
        models = [self._fit_one(kind, X, column, groups) for column in truth.T]
        self._coef = np.array([coef for coef, _, _ in models])
        self._intercept = np.array([intercept for _, intercept, _ in models])
        self._settings = [settings for _, _, settings in models]

    def _fit_one(
        self,
        kind: type[LinearModel],
        X: NDArray[np.floating],
        has: NDArray[np.bool_],
        groups: NDArray[np.intp],
    ) -> tuple[NDArray[np.float64], float, Json]:
        """Return the log-odds of a class: what they grow with, their offset, and the settings."""
        count = int(has.sum())
        if count in {0, len(has)}:
            return np.zeros(X.shape[1]), float(np.log((count + 0.5) / (len(has) - count + 0.5))), {}
        balanced = len(has) / (2.0 * np.array([len(has) - count, count]))
        weights = balanced if self.class_weight == "balanced" else None
        model = kind.fit(Lesson(X, has.astype(np.intp), groups, weights, self.seed))
        odds = model.coef[1] - model.coef[0]
        return odds, float(model.intercept[1] - model.intercept[0]), model.settings

    def _outputs(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        from scipy.special import expit

        return np.asarray(expit(self._scaling.apply(X) @ self._coef.T + self._intercept))

    def _width(self) -> int:
        return len(self.classes_)

    def _parts(self) -> Parts:
        scaling = self._scaling
        arrays = (scaling.mean, scaling.scale, self._coef, self._intercept, self.thresholds_)
        return dict(zip(_ARRAYS, arrays, strict=True))

    def _facts(self) -> Json:
        return {
            "settings": {"of_classes": self._settings},
            "classes": self.classes_.tolist(),
            "class_weight": self.class_weight,
            "separator": self.separator,
            "keeps_rows": False,
        }

    def _hidden_facts(self) -> Json:
        return {"classes_dtype": self.classes_.dtype.str}

    @classmethod
    def _restore(cls, facts: Json, parts: Parts) -> Self:
        columns, separator = card.column_names(facts), facts["separator"]
        head = cls(facts["model"], facts["seed"], facts["class_weight"], columns, separator)
        head.classes_ = card.classes(facts["classes"], facts["classes_dtype"])
        arrays = [np.asarray(parts[name], dtype=np.float64) for name in _ARRAYS]
        mean, scale, head._coef, head._intercept, head.thresholds_ = arrays
        head._scaling = Scaling(mean, scale)
        head._settings = facts["settings"]["of_classes"]
        k, d = head._coef.shape
        if [a.shape for a in arrays] != [(d,), (d,), (len(head.classes_), d), (k,), (k,)]:
            raise ValueError("the arrays of a multi-label model do not fit together")
        return head
