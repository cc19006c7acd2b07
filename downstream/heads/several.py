"""Several classes a row: rows of names, or a matrix of 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.multiclass import type_of_target

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_targets(y: Any) -> NDArray[Any]:
    """Return an array (n, k) of 0 and 1 as it is, and else rows of names as tuples, (n,).

    Raises ValueError for other numbers in an array, and for what may be such a matrix but is given
    as lists: names of classes may be 0 and 1 as well.
    """
    if isinstance(y, np.ndarray) and y.ndim == 2:
        targets = np.asarray(check_array(y))
        if not np.isin(targets, (0, 1)).all():
            raise ValueError("A matrix y says with 0 and 1 which classes a row has.")
        return targets
    rows = rows_of_names(y)
    if len({len(row) for row in rows}) == 1 < len(rows[0]) and _are_marks(rows):
        raise ValueError(
            "Rows of 0 and 1, all of one length, look like a matrix, but lists name classes: give "
            "np.array(y)."
        )
    return rows


def rows_of_names(y: Any) -> NDArray[np.object_]:
    """Return rows of names as tuples, (n,); raise ValueError where a row is no collection."""
    rows = list(y)
    if any(isinstance(row, str) or not isinstance(row, Iterable) for row in rows):
        raise ValueError(
            f"Unknown label type: {type_of_target(rows)}. Give rows of names, or a matrix (n, k) "
            f"of 0 and 1; one class a row is for Head."
        )
    found = np.empty(len(rows), dtype=object)
    found[:] = [tuple(row) for row in rows]
    return found


def _are_marks(rows: Iterable[tuple[Any, ...]]) -> bool:
    return all(value in (0, 1) for row in rows for value in row)
