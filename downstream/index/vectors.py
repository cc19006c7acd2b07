"""Vectors of unit length, kept in a file that is mapped rather than held in memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.errors import IndexFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def normalised(vectors: NDArray[Any], what: str, first: int = 0) -> NDArray[np.float32]:
    """Return copies of unit length, (n, dim) float32; raise IndexFileError naming a bad row.

    `first` is the number of the first one among the rows of `what`.
    """
    squares = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64, casting="same_kind")
    bad = np.flatnonzero(~(np.isfinite(squares) & (squares > 0)))
    if len(bad):
        raise IndexFileError(
            f"Row {first + bad[0]} of {what} is not finite or all zeros: it has no direction.",
            fix="`featurize verify` finds such rows in a table.",
        )
    unit = np.empty(vectors.shape, np.float32)
    np.divide(vectors, np.sqrt(squares)[:, np.newaxis], out=unit, casting="same_kind")
    return unit


def room_for(rows: int, dim: int, scratch: Path | None) -> NDArray[np.float32]:
    """Return (rows, dim) float32, zeros, in a file without a name: no kill leaves it behind.

    The file lies in the folder `scratch`, by default that of temporary files; the memory it takes
    is the system's to reclaim.
    """
    if not rows:
        return np.empty((0, dim), np.float32)
    with tempfile.TemporaryFile(dir=scratch) as file:
        if hasattr(os, "posix_fallocate"):  # else a full disk ends the process without a word
            os.posix_fallocate(file.fileno(), 0, 4 * rows * dim)
        return np.memmap(file, np.float32, "w+", shape=(rows, dim))
