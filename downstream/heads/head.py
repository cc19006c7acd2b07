"""Head: a scikit-learn classifier over embeddings, saved without pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from downstream.datasets import Table, Task
from downstream.heads import card
from downstream.heads.base import TableHead
from downstream.heads.models.model import Lesson, Model
from downstream.heads.models.registry import MODELS, model_named
from downstream.heads.models.weights import class_weights
from downstream.heads.trust.trust import Trust, Wanted
from downstream.heads.truth import labelled
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from downstream.heads.models.model import Parts


class Head(ClassifierMixin, TableHead):  # type: ignore[misc]  # scikit-learn has no types
    """Classify embeddings.

    `model` names the method, one of `registry.MODELS`; all work on standardised vectors, with
    settings chosen by cross-validation. `class_weight` says what a row of each class counts: None
    for one, `balanced` for as much as makes all classes equal, else a mapping from classes; those
    it lacks count one. `columns` names columns of a table to learn from beside its vectors. A class
    may have a single example.

    `calibrate` sets probabilities right by what held-out rows are: `temperature`, `isotonic`,
    `auto` or `none`, see `calibration.calibrate`. `min_precision` finds the confidence from which
    answers are right that often: `predict_table` gives no others, while `predict` answers always.
    `scope` keeps 20,000 rows of the training at most, to tell what belongs to none of the classes.

    Fitted attributes: `classes_` (k,), `n_features_in_`, `model_`; `trust_`, what those options
    gave; `encoder_`, the card of the encoder whose vectors it was trained on, None if they came as
    an array; `training_`, what it was trained on; `metrics_`, what `downstream.train` measured on a
    hold-out.
    """

    task: ClassVar[Task] = Task.CLASSES

    classes_: NDArray[Any]
    model_: Model
    trust_: Trust

    def __init__(  # noqa: PLR0913 - each is a choice of its own
        self,
        model: str = "logistic",
        seed: int = 0,
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
        columns: Sequence[str] = (),
        calibrate: str = "auto",
        min_precision: float | None = None,
        scope: bool = False,
    ) -> None:
        self.model = model
        self.seed = seed
        self.class_weight = class_weight
        self.columns = columns
        self.calibrate = calibrate
        self.min_precision = min_precision
        self.scope = scope

    def predict(self, X: ArrayLike | Table) -> NDArray[Any]:
        """Return the most probable class of each row, (n,), of the type of `classes_`."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: ArrayLike | Table) -> NDArray[np.float64]:
        """Return the probability of each class, (n, k) float64, in the order of `classes_`.

        `X` are vectors (n, d), or an embedding table or its path. Raises MismatchError where the
        table's vectors come from another encoder.
        """
        return self._all_outputs(X)

    def score(
        self,
        X: ArrayLike | Table,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the accuracy on `X` and its classes `y`.

        For a table without `y`, that on its rows with a label, see `truth.labelled`.
        """
        if y is None and isinstance(X, Table):
            data = labelled(self, X)
            names = np.array(self.class_names, dtype=object)
            correct = names[self.predict_proba(self.features(data)).argmax(axis=1)] == data.y
            weights = None if sample_weight is None else np.asarray(sample_weight)
            return float(np.average(correct, weights=weights))
        if y is None:
            raise TypeError("score() needs y, the classes of the vectors.")
        return float(super().score(X, y, sample_weight))

    @property
    def class_names(self) -> list[str]:
        """Return the classes as strings, in the order of `classes_`."""
        return [str(value) for value in self.classes_.tolist()]

    def _checked(
        self, X: ArrayLike, y: ArrayLike | None
    ) -> tuple[NDArray[np.floating], NDArray[Any]]:
        vectors, classes = super()._checked(X, y)
        if classes.dtype == object and any(value is None for value in classes):
            raise ValueError("y holds None: leave out the rows without a class.")
        check_classification_targets(classes)
        return vectors, classes

    def _learn(
        self, X: NDArray[np.floating], y: NDArray[Any], groups: NDArray[np.intp], *, spent: bool
    ) -> None:
        kind = model_named(self.model, MODELS)
        wanted = Wanted(self.calibrate, self.min_precision, self.scope)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Head needs at least two classes; y has one class: {y[0]!r}.")
        weights = class_weights(self.class_weight, self.classes_, numbers)
        lesson = Lesson(X, numbers, groups, weights, self.seed, spent)
        self.model_, self.trust_ = Trust.learn(kind, lesson, wanted)

    def _outputs(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        return self.trust_.calibrated(self.model_.probabilities(X))

    def _width(self) -> int:
        return len(self.classes_)

    def _parts(self) -> Parts:
        return {**self.model_.parts(), **self.trust_.parts()}

    def _facts(self) -> Json:
        return {
            "settings": self.model_.settings,
            "classes": self.classes_.tolist(),
            "class_weight": card.weight_pairs(self.class_weight),
            "keeps_rows": self.model_.keeps_rows or self.trust_.keeps_rows,
            "calibrate": self.calibrate,
            **self.trust_.to_json(),
        }

    def _hidden_facts(self) -> Json:
        return {"classes_dtype": self.classes_.dtype.str}

    @classmethod
    def _restore(cls, facts: Json, parts: Parts) -> Self:
        columns = card.column_names(facts)
        head = cls(facts["model"], facts["seed"], card.class_weight(facts), columns)
        head.classes_ = card.classes(facts["classes"], facts["classes_dtype"])
        head.model_ = model_named(facts["model"], MODELS).load(parts, facts["settings"])
        head.trust_ = Trust.load(facts, parts, (len(head.classes_), facts["dim"]))
        head.calibrate = facts.get("calibrate", "none")
        head.min_precision = head.trust_.min_precision
        head.scope = head.trust_.keeps_rows
        return head
