"""Head: a scikit-learn classifier over embeddings, saved without pickle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from downstream.datasets import Dataset, Table, load_dataset, open_table
from downstream.heads import card
from downstream.heads.model import Calibration, Lesson
from downstream.heads.registry import model_named
from downstream.heads.store import SavedHead, read_head, write_head
from downstream.heads.weights import class_weights
from featurize.bundle import EncoderCard
from featurize.errors import HeadError, UsageError
from featurize.table.layout import EMBEDDING
from featurize.table.reader import BATCH, EmbeddingTable, vectors_of
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Head(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Classify embeddings.

    `model` names the method, one of `registry.MODELS`; all work on standardised vectors, with
    settings chosen by cross-validation. `class_weight` says what a row of each class counts: None
    for one, `balanced` for as much as makes all classes equal, else a mapping from classes; those
    it lacks count one. A class may have a single example.

    Fitted attributes: `classes_` (k,), `n_features_in_`, `model_`; `encoder_`, the card of the
    encoder whose vectors it was trained on, None if they came as an array; `training_`, what it was
    trained on; `metrics_`, what `downstream.train` measured on a hold-out.
    """

    def __init__(
        self,
        model: str = "logistic",
        seed: int = 0,
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
    ) -> None:
        self.model = model
        self.seed = seed
        self.class_weight = class_weight

    def fit(
        self,
        X: ArrayLike | Table,
        y: ArrayLike | None = None,
        *,
        label: str | None = None,
        labels: str | Path | None = None,
    ) -> Self:
        """Learn from vectors (n, d) and their classes (n,), or from an embedding table or its path.

        The classes of arrays keep their type; those of a table are strings. For a table, `label`
        names the label column and `labels` a file that holds it, see `datasets.load_dataset`.
        Raises ValueError for arrays and HeadError for a table that cannot be learned from.
        """
        if isinstance(X, Table):
            if y is not None:
                raise UsageError(
                    "fit() takes an embedding table without y: it has its labels.",
                    fix="Name their column with `label`, or give arrays: fit(X, y).",
                )
            return self.fit_dataset(load_dataset(X, label=label, labels_file=labels))
        if label is not None or labels is not None:
            raise UsageError(
                "fit() takes `label` and `labels` with an embedding table only.",
                fix="Give the classes of an array as y.",
            )
        X, y = validate_data(self, X, y, dtype=[np.float32, np.float64])
        check_classification_targets(y)
        vectors, classes = np.asarray(X), np.asarray(y)
        return self._learn(vectors, classes, np.arange(len(classes)), encoder=None)

    def fit_dataset(self, data: Dataset, rows: NDArray[np.bool_] | None = None) -> Self:
        """Learn from a dataset, or from those of its rows that a mask (n,) marks."""
        data.require_trainable()
        chosen = np.ones(len(data), dtype=bool) if rows is None else rows
        X, y, groups = data.X[chosen], data.y[chosen], data.groups[chosen]
        self.n_features_in_ = X.shape[1]
        self._learn(X, y, groups, encoder=data.encoder)
        self.training_ |= {
            "label": data.label,
            "unmatched": data.unmatched,
            **data.origin,
        }
        return self

    def predict(self, X: ArrayLike | Table) -> NDArray[Any]:
        """Return the most probable class of each row, (n,), of the type of `classes_`."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: ArrayLike | Table) -> NDArray[np.float64]:
        """Return the probability of each class, (n, k) float64, in the order of `classes_`.

        `X` are vectors (n, d), or an embedding table or its path. Raises MismatchError where the
        table's vectors come from another encoder.
        """
        parts = [self._probabilities(batch) for batch in self._batches(X)]
        return np.concatenate([np.empty((0, len(self.classes_))), *parts])

    def score(
        self,
        X: ArrayLike | Table,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the accuracy on `X` and its classes `y`.

        For a table without `y`, that on its rows with a label in the column of the training.
        """
        if y is None and isinstance(X, Table):
            self.require_space(table := open_table(X))
            data = load_dataset(table, label=self.training_["label"])
            names = np.array(self.class_names, dtype=object)
            correct = names[self.predict_proba(data.X).argmax(axis=1)] == data.y
            weights = None if sample_weight is None else np.asarray(sample_weight)
            return float(np.average(correct, weights=weights))
        if y is None:
            raise TypeError("score() needs y, the classes of the vectors.")
        return float(super().score(X, y, sample_weight))

    @property
    def class_names(self) -> list[str]:
        """Return the classes as strings, in the order of `classes_`."""
        return [str(value) for value in self.classes_.tolist()]

    def require_space(self, table: EmbeddingTable) -> None:
        """Raise MismatchError or HeadError unless the head fits the table's vectors."""
        check_is_fitted(self)
        if self.encoder_ is not None:
            self.encoder_.require_same_space(table.card, here="the head", there=str(table.path))
        if table.card.dim != self.n_features_in_:
            raise HeadError(
                f"The head takes vectors of {self.n_features_in_} numbers; {table.path} holds "
                f"vectors of {table.card.dim}."
            )

    def describe(self) -> Json:
        """Return what the head is and what it was made from, as JSON values."""
        check_is_fitted(self)
        return card.describe(self)

    def save(self, path: str | Path) -> None:
        """Save to a folder, without pickle; an older head there is replaced as a whole.

        Raises HeadError where anything else is in the way.
        """
        facts = self.describe() | {"classes_dtype": self.classes_.dtype.str}
        write_head(Path(path), SavedHead(facts, self.model_.parts()), self._probabilities)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load a saved head, which then predicts bit for bit as it did; raise HeadError else."""
        saved = read_head(Path(path))
        try:
            head = cls(saved.facts["model"], saved.facts["seed"], card.class_weight(saved.facts))
            card.restore(head, saved.facts, saved.parts)
            saved.check(head._probabilities, (len(head.classes_), head.n_features_in_))
        except (KeyError, TypeError, ValueError) as error:
            raise HeadError(
                f"{path} is no complete head: {error!r}.", fix="Train the head again."
            ) from error
        return head

    def _learn(
        self,
        X: NDArray[np.floating],
        y: NDArray[Any],
        groups: NDArray[np.intp],
        encoder: EncoderCard | None,
    ) -> Self:
        kind = model_named(self.model)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Head needs at least two classes; y has one class: {y[0]!r}.")
        weights = class_weights(self.class_weight, self.classes_, numbers)
        self.model_ = kind.fit(Lesson(X, numbers, groups, weights, self.seed))
        self.calibration_: Calibration | None = None
        self.encoder_ = encoder
        self.metrics_: Json = {}
        self.training_ = card.of_arrays(len(y))
        return self

    def _probabilities(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        found = self.model_.probabilities(X)
        return found if self.calibration_ is None else self.calibration_.apply(found)

    def _batches(self, X: ArrayLike | Table) -> Iterator[NDArray[np.floating]]:
        """Yield vectors in batches of a table's size, so that arrays and tables agree exactly."""
        check_is_fitted(self)
        if isinstance(X, Table):
            table = open_table(X)
            self.require_space(table)
            for batch in table.iter_batches([EMBEDDING]):
                yield vectors_of(batch)
            return
        vectors = np.asarray(validate_data(self, X, reset=False, dtype=[np.float32, np.float64]))
        for start in range(0, len(vectors), BATCH):
            yield vectors[start : start + BATCH]
