"""Training a head for use: measured on a hold-out, then learned from every row."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from downstream.datasets import Dataset, Table, load_dataset
from downstream.heads.evaluation import measure
from downstream.heads.head import Head
from downstream.heads.split import splits
from featurize.types import Json

HOLD_OUT_FOLDS = 5


def train(
    table: Table,
    *,
    model: str = "logistic",
    label: str | None = None,
    labels_file: str | Path | None = None,
    seed: int = 0,
) -> Head:
    """Train a head on all labelled rows of a table, after measuring the method on a fifth of them.

    The table is given as such or as its path. The hold-out is stratified, and rows of one document
    or of equal content stay on one side. `head.metrics_` holds what `measure` returns and
    `rows_train`, `rows_test`, `classes_unmeasured`: the number of classes that no held-out row has.
    The head is the one that `Head(model, seed).fit(table)` gives. Raises HeadError where there is
    too little to learn from, see `Dataset.require_trainable`.
    """
    data = load_dataset(table, label=label, labels_file=labels_file)
    data.require_trainable()
    metrics = _held_out_metrics(data, model, seed)
    head = Head(model, seed).fit_dataset(data)
    head.metrics_ = metrics
    return head


def _held_out_metrics(data: Dataset, model: str, seed: int) -> Json:
    names, numbers = np.unique(data.y, return_inverse=True)
    held = next(splits(numbers, data.groups, HOLD_OUT_FOLDS, seed))
    counts = {
        "rows_train": int((~held).sum()),
        "rows_test": int(held.sum()),
        "classes_unmeasured": len(names) - len(set(numbers[held])),
    }
    if not held.any():
        return measure(names, np.empty((0, len(names))), data.y[held]) | counts
    probe = Head(model, seed).fit_dataset(data, ~held)
    return measure(names, probe.predict_proba(data.X[held]), data.y[held]) | counts
