"""What all heads share: they learn from tables or arrays, fit one vector space, and are saved."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from downstream.datasets import Dataset, LabelSource, Table, Task, load_dataset, open_table
from downstream.heads import card
from downstream.heads.columns import Columns
from downstream.heads.store import SavedHead, read_head, write_head
from featurize.bundle import EncoderCard
from featurize.errors import HeadError, UsageError
from featurize.table.layout import EMBEDDING
from featurize.table.reader import BATCH, EmbeddingTable, vectors_of
from featurize.types import Json

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import ArrayLike, NDArray

    from downstream.heads.models.model import Parts


class TableHead(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A supervised estimator over embeddings, and columns beside them.

    A kind of head says how it learns, what it answers, and what its card holds of it.
    """

    task: ClassVar[Task]
    model: str
    seed: int
    columns: Sequence[str]
    separator: str | None = None

    encoder_: EncoderCard | None
    columns_: Columns | None
    metrics_: Json
    training_: Json
    n_features_in_: int

    def fit(
        self,
        X: ArrayLike | Table,
        y: ArrayLike | None = None,
        *,
        label: str | None = None,
        labels: str | Path | None = None,
    ) -> Self:
        """Learn from vectors (n, d) and targets (n,), or from an embedding table or its path.

        Classes of arrays keep their type; those of a table are strings. Of a table, `label` names
        the label column and `labels` a file that holds it, see `datasets.load_dataset`. Raises
        ValueError for arrays and HeadError for a table that cannot be learned from.
        """
        if isinstance(X, Table):
            if y is not None:
                raise UsageError(
                    "fit() takes an embedding table without y: it has its labels.",
                    fix="Name their column with `label`, or give arrays: fit(X, y).",
                )
            return self.fit_dataset(self.dataset(X, label=label, labels_file=labels), spent=True)
        if label is not None or labels is not None or self.columns:
            raise UsageError(
                "fit() takes `label`, `labels` and columns with an embedding table only.",
                fix="Give the classes of an array as y.",
            )
        vectors, targets = self._checked(X, y)
        self._learn(vectors, targets, np.arange(len(targets)), spent=False)
        self.columns_ = self.encoder_ = None
        self.metrics_, self.training_ = {}, card.of_arrays(len(targets))
        return self

    def dataset(
        self,
        table: Table,
        *,
        label: str | None = None,
        labels_file: str | Path | None = None,
        older: Sequence[LabelSource] = (),
    ) -> Dataset:
        """Read the labelled rows of a table, and the columns, as this head learns from them."""
        return load_dataset(
            table,
            label=label,
            labels_file=labels_file,
            task=self.task,
            separator=self.separator,
            columns=self.columns,
            older=older,
        )

    def fit_dataset(
        self, data: Dataset, rows: NDArray[np.bool_] | None = None, *, spent: bool = False
    ) -> Self:
        """Learn from a dataset, or from those of its rows that a mask (n,) marks.

        The vectors of one that is `spent` may be overwritten, which saves a copy of them.
        """
        data.require_trainable()
        chosen = slice(None) if rows is None else rows
        X, self.columns_ = data.X[chosen], None
        if data.columns is not None:
            beside = data.columns if rows is None else data.columns.filter(rows)
            self.columns_ = Columns.fit(X, beside)
            X = self.columns_.join(X, beside)
        self.n_features_in_ = X.shape[1]
        spent = spent or rows is not None  # those are a copy
        self._learn(X, data.y[chosen], data.groups[chosen], spent=spent)
        self.encoder_, self.metrics_ = data.encoder, {}
        facts = {"label": data.label, "unmatched": data.unmatched}
        self.training_ = card.of_arrays(len(X)) | facts | data.origin
        return self

    def features(self, data: Dataset, rows: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
        """Return what the head takes of a dataset's rows, or of those a mask marks, (m, f)."""
        vectors = data.X if rows is None else data.X[rows]
        if self.columns_ is None:
            return vectors
        assert data.columns is not None
        return self.columns_.join(
            vectors, data.columns if rows is None else data.columns.filter(rows)
        )

    def features_of(self, batch: pa.RecordBatch) -> NDArray[np.float32]:
        """Return what the head takes of a table's batch with the columns of `reads`, (m, f)."""
        import pyarrow as pa

        vectors = vectors_of(batch)
        if self.columns_ is None:
            return vectors
        return self.columns_.join(vectors, pa.Table.from_batches([batch]))

    @property
    def reads(self) -> list[str]:
        """Return the columns of a table that the head takes."""
        return [EMBEDDING] if self.columns_ is None else [EMBEDDING, *self.columns_.names]

    def require_space(self, table: EmbeddingTable) -> None:
        """Raise MismatchError or HeadError unless the head fits the table's vectors and columns."""
        check_is_fitted(self)
        if self.encoder_ is not None:
            self.encoder_.require_same_space(table.card, here="the head", there=str(table.path))
        dim = self.n_features_in_ if self.columns_ is None else self.columns_.dim
        if table.card.dim != dim:
            raise HeadError(
                f"The head takes vectors of {dim} numbers; {table.path} holds "
                f"vectors of {table.card.dim}."
            )
        if missing := [name for name in self.reads if name not in table.schema.names]:
            raise UsageError(
                f"{table.path} has no column {missing[0]!r}, which the head was trained with.",
                fix=f"Carry it along when embedding; the head takes {', '.join(self.reads[1:])}.",
            )

    def describe(self) -> Json:
        """Return what the head is and what it was made from, as JSON values."""
        check_is_fitted(self)
        return card.common(self) | self._facts() | self.training_

    def save(self, path: str | Path) -> None:
        """Save to a folder, without pickle; an older head there is replaced as a whole.

        Raises HeadError where anything else is in the way.
        """
        facts = self.describe() | self._hidden_facts()
        columns = {} if self.columns_ is None else self.columns_.parts()
        write_head(Path(path), SavedHead(facts, {**self._parts(), **columns}), self._outputs)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load a saved head, which then predicts bit for bit as it did; raise HeadError else."""
        saved = read_head(Path(path))
        try:
            if (task := saved.facts.get("task", Task.CLASSES)) != cls.task:
                raise HeadError(
                    f"{path} is a head for {task}, not for {cls.task}.",
                    fix="Open it with downstream.open_head(path), which takes any.",
                )
            card.require_types(saved.facts)
            head = cls._restore(saved.facts, saved.parts)
            card.restore(head, saved.facts, saved.parts)
            saved.check(head._outputs, (head._width(), head.n_features_in_))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise HeadError(
                f"{path} is no complete head: {error!r}.", fix="Train the head again."
            ) from error
        return head

    def _checked(
        self, X: ArrayLike, y: ArrayLike | None
    ) -> tuple[NDArray[np.floating], NDArray[Any]]:
        """Return vectors and targets as arrays; raise ValueError unless they are sound."""
        X, y = validate_data(self, X, y, dtype=[np.float32, np.float64])
        return np.asarray(X), np.asarray(y)

    @abstractmethod
    def _learn(
        self, X: NDArray[np.floating], y: NDArray[Any], groups: NDArray[np.intp], *, spent: bool
    ) -> None:
        """Learn targets of features (n, f), which may be overwritten if they are `spent`."""

    @abstractmethod
    def _outputs(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the numbers behind the answers, (n, w) float64, for features (n, f)."""

    @abstractmethod
    def _width(self) -> int:
        """Return w."""

    @abstractmethod
    def _parts(self) -> Parts:
        """Return what is saved beside the card, by name."""

    @abstractmethod
    def _facts(self) -> Json:
        """Return what the card holds of this kind of head."""

    def _hidden_facts(self) -> Json:
        """Return what the saved card alone holds."""
        return {}

    @classmethod
    @abstractmethod
    def _restore(cls, facts: Json, parts: Parts) -> Self:
        """Return a head with what it learned, out of what was saved."""

    def _all_outputs(self, X: ArrayLike | Table) -> NDArray[np.float64]:
        parts = [self._outputs(batch) for batch in self._batches(X)]
        return np.concatenate([np.empty((0, self._width())), *parts])

    def _batches(self, X: ArrayLike | Table) -> Iterator[NDArray[np.floating]]:
        """Yield features in batches of a table's size, so that arrays and tables agree exactly."""
        check_is_fitted(self)
        if isinstance(X, Table):
            table = open_table(X)
            self.require_space(table)
            for batch in table.iter_batches(self.reads):
                yield self.features_of(batch)
            return
        vectors = np.asarray(validate_data(self, X, reset=False, dtype=[np.float32, np.float64]))
        for start in range(0, len(vectors), BATCH):
            yield vectors[start : start + BATCH]
