"""How good a head is on labelled rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from downstream.datasets import Dataset, Table
from downstream.heads.head import Head
from downstream.heads.kinds import AnyHead
from downstream.heads.measures import (
    class_figures,
    mean_of,
    measure,
    measure_multilabel,
    measure_numbers,
    numbers_of,
    per_class,
)
from downstream.heads.multilabel import MultilabelHead
from downstream.heads.opening import open_head
from downstream.heads.regression import RegressionHead
from downstream.heads.truth import labelled
from featurize.errors import HeadError
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN = 3


def evaluate(
    head: AnyHead | str | Path,
    table: Table,
    *,
    label: str | None = None,
    labels_file: str | Path | None = None,
) -> Json:
    """Measure a head on a table's labelled rows; both may be given as their paths.

    `label` defaults to what the head learned, see `truth.labelled`. Returns label, rows, metrics
    (see `figures`), `unmatched`, `incomplete` (the table's last run had not come to its end) and
    `seen_in_training` (these are the very rows the head was trained on); of classes these too, and
    `per_class`; of one class a row also `answers` (see `answered`) and `unseen` (see `detection`).
    Raises MismatchError where the table's vectors come from another encoder, HeadError where no row
    has a label that is a class of the head.
    """
    head = open_head(head)
    data = labelled(head, table, label=label, labels_file=labels_file)
    if not isinstance(head, RegressionHead):
        _require_known(head, data)
    X = head.features(data)
    found = _found(head, X)
    return {
        "label": data.label,
        "rows": len(data),
        "metrics": _metrics(head, found, data.y),
        **_of_classes(head, X, found, data.y),
        "unmatched": data.unmatched,
        "incomplete": data.origin["incomplete"],
        "seen_in_training": head.training_["rows_sha256"] == data.origin["rows_sha256"],
    }


def figures(head: AnyHead, X: NDArray[np.floating], truth: NDArray[Any]) -> Json:
    """Return what a head's task is measured by, for features (n, f) and targets (n,).

    See `measures`.
    """
    return _metrics(head, _found(head, X), truth)


def _found(head: AnyHead, X: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the numbers (n,) or the probabilities (n, k) that a head gives."""
    return head.predict(X) if isinstance(head, RegressionHead) else head.predict_proba(X)


def _metrics(head: AnyHead, found: NDArray[np.float64], truth: NDArray[Any]) -> Json:
    if isinstance(head, RegressionHead):
        return measure_numbers(found, truth, head.mean_)
    if isinstance(head, MultilabelHead):
        strangers = sum(not set(names) <= set(head.class_names) for names in truth)
        return measure_multilabel(found, found >= head.thresholds_, head.indicate(truth)) | {
            "unknown_label_rows": strangers
        }
    return measure(np.array(head.class_names, dtype=object), found, truth)


def _of_classes(
    head: AnyHead, X: NDArray[np.floating], found: NDArray[np.float64], truth: NDArray[Any]
) -> Json:
    if isinstance(head, RegressionHead):
        return {}
    names = np.array(head.class_names, dtype=object)
    if isinstance(head, Head):
        return {
            "classes": names.tolist(),
            "per_class": per_class(names, found, truth),
            "answers": answered(head, found, truth),
            "unseen": detection(head, X, found, truth),
        }
    each = {
        name: {"f1": f1, "support": support, "predicted": times}
        for name, (f1, support, times) in zip(
            names, class_figures(found >= head.thresholds_, head.indicate(truth)), strict=True
        )
    }
    return {"classes": names.tolist(), "per_class": each}


def answered(
    head: Head, probabilities: NDArray[np.float64], truth: NDArray[np.object_]
) -> Json | None:
    """Return how many rows are answered from the head's threshold on, and how many are right.

    That is `threshold`, `min_precision`, `rows`, their share `coverage` and `precision`, None where
    there are none. None for a head without a threshold.
    """
    abstention = head.trust_.abstention
    if abstention is None:
        return None
    given = abstention.answers(probabilities)
    names = np.array(head.class_names, dtype=object)
    return {
        "threshold": abstention.threshold,
        "min_precision": abstention.min_precision,
        "rows": int(given.sum()),
        "coverage": mean_of(given),
        "precision": mean_of((names[probabilities.argmax(axis=1)] == truth)[given]),
    }


def detection(
    head: Head,
    X: NDArray[np.floating],
    probabilities: NDArray[np.float64],
    truth: NDArray[np.object_],
) -> Json | None:
    """Return how well rows with labels unseen in training are told from the others.

    That is `rows` of them and `auroc`, of what it is `by`: `scope` where the head keeps rows for
    it, else `confidence`. None where all labels, or none, were seen.
    """
    from sklearn.metrics import roc_auc_score

    seen = numbers_of(np.array(head.class_names, dtype=object), truth) >= 0
    if seen.all() or not seen.any():
        return None
    scope = head.trust_.scope
    score = probabilities.max(axis=1) if scope is None else scope.score(X, probabilities)
    return {
        "rows": int((~seen).sum()),
        "auroc": float(roc_auc_score(seen, score)),
        "by": "confidence" if scope is None else "scope",
    }


def _require_known(head: Head | MultilabelHead, data: Dataset) -> None:
    is_several = isinstance(head, MultilabelHead)
    found = {name for names in data.y for name in names} if is_several else set(data.y)
    if found.isdisjoint(head.class_names):
        raise HeadError(
            f"No label of column {data.label!r} is a class of the head: the rows have "
            f"{_examples(found)}; the head knows {_examples(set(head.class_names))}.",
            fix="Name the column with the head's classes with --label.",
        )


def _examples(names: set[str]) -> str:
    shown = ", ".join(repr(name) for name in sorted(names)[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
