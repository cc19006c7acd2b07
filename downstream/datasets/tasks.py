"""What a label is: one class, several, or a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.errors import HeadError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN = 3
MARKS = (";", "|", ",")
_BINS = 10


class Task(StrEnum):
    """What is learned: one class a row, any number of classes a row, or a number."""

    CLASSES = "classes"
    MULTILABEL = "multilabel"
    NUMBER = "number"


def targets(
    task: Task, labels: Sequence[Any], ids: Sequence[str], separator: str | None
) -> NDArray[Any]:
    """Return the targets of labels that are not None, (n,): of str, of tuples of str, or float64.

    Labels of several classes are lists, or strings that `separator` cuts; white space around the
    pieces and empty ones are left out. Raises HeadError where a label is no finite number,
    UsageError where nothing says what cuts strings that look like several classes.
    """
    if task is Task.NUMBER:
        return _numbers(labels, ids)
    found = np.empty(len(labels), dtype=object)
    if task is Task.CLASSES:
        names: dict[str, str] = {}  # one string a class, which is small and found fast
        found[:] = [names.setdefault(label, label) for label in labels]
    else:
        _require_separated(labels, separator)
        found[:] = [_several(label, separator) for label in labels]
    return found


def strata(task: Task, y: NDArray[Any]) -> NDArray[np.intp]:
    """Number the rows for a stratified split, (n,).

    They are classes; of several the rarest; of numbers tenths from the least to the greatest.
    """
    if task is Task.CLASSES:
        return np.unique(y, return_inverse=True)[1]
    if task is Task.NUMBER:
        edges = np.quantile(y, np.linspace(0, 1, _BINS + 1)[1:-1])
        return np.unique(np.searchsorted(edges, y), return_inverse=True)[1]
    names, counts = np.unique([name for row in y for name in row], return_counts=True)
    rank = {name: place for place, name in enumerate(names[np.argsort(counts, kind="stable")])}
    rarest = [min((rank[name] for name in row), default=len(rank)) for row in y]
    return np.unique(rarest, return_inverse=True)[1]


def _require_separated(labels: Sequence[Any], separator: str | None) -> None:
    """Refuse texts of several classes without a word on what lies between them."""
    if separator is not None or not any(isinstance(label, str) for label in labels):
        return
    texts = [label for label in labels if isinstance(label, str)]
    found = [mark for mark in MARKS if any(mark in text for text in texts)]
    if found:
        raise UsageError(
            f"The labels are texts, some with {found[0]!r} in them, such as "
            f"{next(text for text in texts if found[0] in text)!r}; nothing says what lies between "
            f"the classes.",
            fix=f"Say it: --separator {found[0]!r}. For lists, bring the labels as Parquet.",
        )


def _several(label: Any, separator: str | None) -> tuple[str, ...]:
    pieces = label.split(separator) if isinstance(label, str) and separator else label
    if isinstance(pieces, str):
        pieces = [pieces]
    names = (str(piece).strip() for piece in pieces if piece is not None)
    return tuple(sorted({name for name in names if name}))


def _numbers(labels: Sequence[Any], ids: Sequence[str]) -> NDArray[np.float64]:
    found = np.array([_number(label) for label in labels], dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(found))
    if len(wrong):
        shown = ", ".join(f"{labels[row]!r} (row {ids[row]!r})" for row in wrong[:_SHOWN])
        raise HeadError(
            f"{len(wrong):,} of {len(labels):,} labels are no finite numbers: {shown}.",
            fix="Mend them or leave them empty; for classes leave out --task number.",
        )
    return found


def _number(label: Any) -> float:
    try:
        return float(label)
    except (TypeError, ValueError):
        return math.nan
