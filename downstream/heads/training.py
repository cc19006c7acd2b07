"""Training a head for use: measured on a hold-out, then learned from every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import clone

from downstream.datasets import Dataset, LabelSource, Table, Task, open_table, strata
from downstream.heads.evaluation import figures
from downstream.heads.head import Head
from downstream.heads.kinds import AnyHead, new_head, task_named
from downstream.heads.measures import measure
from downstream.heads.opening import open_head
from downstream.heads.split import splits, subsample
from downstream.heads.truth import named_in
from featurize.errors import HeadError, UsageError
from featurize.table.reader import EmbeddingTable
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOLD_OUT_FOLDS = 5
MAX_PROBE_ROWS = 100_000


def train(  # noqa: PLR0913  # each is a choice of its own
    table: Table,
    *,
    model: str | None = None,
    label: str | None = None,
    labels_file: str | Path | None = None,
    seed: int = 0,
    task: str | None = None,
    class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
    columns: Sequence[str] = (),
    separator: str | None = None,
    update: AnyHead | str | Path | None = None,
    calibrate: str | None = None,
    min_precision: float | None = None,
    scope: bool = False,
) -> AnyHead:
    """Train a head on all labelled rows of a table, after measuring the method on some of them.

    The table is given as such or as its path. `task` says what is learned, and so which head comes
    back: `classes` a Head, `multilabel` a MultilabelHead, `number` a RegressionHead, whose options
    the others are; the last three are of Head alone. The hold-out is a fifth of the rows, of more
    than 100,000 a fifth of about so many, drawn from all classes. It is stratified, and rows of one
    document or of equal content stay on one side. `head.metrics_` holds what `evaluation.figures`
    returns, `rows_train`, `rows_test`, and for classes `classes_unmeasured`: the number of classes
    that no held-out row has. The head is the one that its own `fit(table)` gives. `update`
    is a head of this table, or its path, whose labels, method and options are taken over, as from
    scratch: labels given here win. Raises HeadError where there is too little to learn from, see
    `Dataset.require_trainable`, and where no threshold reaches `min_precision`.
    """
    stated = {"calibrate": calibrate, "min_precision": min_precision, "scope": scope or None}
    trust = {name: value for name, value in stated.items() if value is not None}
    if update is not None:
        chosen = (model, task, class_weight, separator, columns or None, trust or None)
        if any(each is not None for each in chosen):
            raise UsageError(
                "An update takes method, task and options from the head it updates.",
                fix="Leave --update out to choose others, or leave the others out.",
            )
        return _updated(open_head(update), open_table(table), label, labels_file)
    named = task_named(task or Task.CLASSES)
    head = new_head(named, model, seed, class_weight, columns, separator)
    if trust and not isinstance(head, Head):
        raise UsageError(
            f"A head for {named} takes no {' or '.join(trust)}, which are for one class a row.",
            fix="Leave that out.",
        )
    head.set_params(**trust)
    return train_on(head, head.dataset(table, label=label, labels_file=labels_file))


def _updated(
    older: AnyHead, table: EmbeddingTable, label: str | None, labels_file: str | Path | None
) -> AnyHead:
    """Train a head like an older one on its labels and those of a file."""
    if labels_file is None:
        raise UsageError("An update brings new labels.", fix="Name their file with --labels.")
    require_updatable(older, table)
    sources = [LabelSource.from_json(each) for each in older.training_["labels"]]
    named = label or named_in(labels_file, older)
    data = older.dataset(table, label=named, labels_file=labels_file, older=sources)
    return train_on(clone(older), data)


def require_updatable(head: AnyHead, table: EmbeddingTable) -> None:
    """Raise unless new labels can be added to those that a head learned of a table."""
    if not head.training_["labels"]:
        raise HeadError(
            "The head does not say where its labels came from.",
            fix="It was trained on arrays or by an earlier version: train one from the table.",
        )
    head.require_space(table)
    if head.training_["table_id"] != table.table_id:
        raise HeadError(
            f"The head was trained on {head.training_['table']}; {table.path} is another table.",
            fix="Update it with its own table, or train a new head from this one.",
        )


def train_on(head: AnyHead, data: Dataset) -> AnyHead:
    """Measure an unfitted head on a hold-out and let it learn from all rows, which are spent."""
    data.require_trainable()
    metrics = _held_out_metrics(data, clone(head))
    head.fit_dataset(data, spent=True)
    head.metrics_ = metrics
    return head


def _held_out_metrics(data: Dataset, probe: AnyHead) -> Json:
    numbers = strata(data.task, data.y)
    drawn = _probed(numbers, data.groups, probe.seed)
    held = np.zeros(len(data), dtype=bool)
    held[drawn] = next(splits(numbers[drawn], data.groups[drawn], HOLD_OUT_FOLDS, probe.seed))
    rest = drawn & ~held
    counts = {"rows_train": int(rest.sum()), "rows_test": int(held.sum())}
    if data.task is Task.CLASSES:
        counts["classes_unmeasured"] = len(set(numbers)) - len(set(numbers[held]))
    if not held.any() and isinstance(probe, Head):
        names = np.unique(data.y)
        return measure(names, np.empty((0, len(names))), data.y[held]) | counts
    if isinstance(probe, Head):
        probe.set_params(min_precision=None, scope=False)  # what a fifth of the rows cannot measure
    probe.fit_dataset(data, rest)
    return figures(probe, probe.features(data, held), data.y[held]) | counts


def _probed(classes: NDArray[np.intp], groups: NDArray[np.intp], seed: int) -> NDArray[np.bool_]:
    """Draw the rows that a probe learns from or is measured on, all of a class too rare to draw."""
    drawn = subsample(classes, groups, MAX_PROBE_ROWS, seed)
    missed = ~np.isin(classes, classes[drawn])
    return drawn | np.isin(groups, groups[missed])
