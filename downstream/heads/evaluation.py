"""How good a head is on labelled rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from downstream.datasets import load_dataset
from downstream.heads.head import Head
from downstream.heads.linear import log_losses
from featurize.table.reader import EmbeddingTable
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray


def evaluate(
    head: Head,
    table: EmbeddingTable,
    *,
    label: str | None = None,
    labels_file: str | Path | None = None,
) -> Json:
    """Measure a head on a table's labelled rows.

    `label` defaults to the column the head was trained on. Returns label, classes, rows, metrics
    (see `measure`), `per_class` and `unmatched`. Raises MismatchError where the table's vectors
    come from another encoder.
    """
    head.require_space(table)
    name = label or head.training_["label"]
    data = load_dataset(table, label=name, labels_file=labels_file)
    probabilities = head.predict_proba(data.X)
    classes = np.array(head.class_names, dtype=object)
    return {
        "label": data.label,
        "classes": classes.tolist(),
        "rows": len(data),
        "metrics": measure(classes, probabilities, data.y),
        "per_class": per_class(classes, probabilities, data.y),
        "unmatched": data.unmatched,
    }


def measure(
    classes: NDArray[Any], probabilities: NDArray[np.float64], truth: NDArray[np.object_]
) -> Json:
    """Return accuracy, macro F1 and log loss of probabilities (n, k) for the labels `truth` (n,).

    A row whose label is none of `classes` is an error; `unknown_label_rows` counts them. Macro F1
    is over the labels that are true or predicted somewhere. Log loss is over the other
    `log_loss_rows`. A measure of no rows is None.
    """
    from sklearn.metrics import f1_score

    if not len(truth):
        return {"accuracy": None, "macro_f1": None, "log_loss": None}
    predicted = classes[probabilities.argmax(axis=1)]
    number = {name: position for position, name in enumerate(classes)}
    known = np.array([value in number for value in truth], dtype=bool)
    numbers = np.array([number[value] for value in truth[known]], dtype=np.intp)
    losses = log_losses(probabilities[known], numbers)
    return {
        "accuracy": float((predicted == truth).mean()),
        "macro_f1": float(f1_score(truth, predicted, average="macro", zero_division=0)),
        "log_loss": float(losses.mean()) if len(losses) else None,
        "log_loss_rows": len(losses),
        "unknown_label_rows": int((~known).sum()),
    }


def per_class(
    classes: NDArray[Any], probabilities: NDArray[np.float64], truth: NDArray[np.object_]
) -> Json:
    """Return precision, recall, F1 and number of true rows of every label, known or not."""
    from sklearn.metrics import precision_recall_fscore_support

    predicted = classes[probabilities.argmax(axis=1)]
    names = sorted({*classes, *truth})
    figures = precision_recall_fscore_support(truth, predicted, labels=names, zero_division=0)
    return {
        name: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
        for name, p, r, f, n in zip(names, *figures, strict=True)
    }
