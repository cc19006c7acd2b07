"""Vectors of unit length, and the faiss graphs over them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.errors import IndexFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS = ("flat",)
_READING = threading.Lock()


def normalised(vectors: NDArray[Any], what: str) -> NDArray[np.float32]:
    """Return copies of unit length, (n, dim) float32; raise IndexFileError naming a bad row."""
    squares = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64, casting="same_kind")
    bad = np.flatnonzero(~(np.isfinite(squares) & (squares > 0)))
    if len(bad):
        raise IndexFileError(
            f"Row {bad[0]} of {what} is not finite or all zeros: it has no direction.",
            fix="`featurize verify` finds such rows in a table.",
        )
    unit = np.empty(vectors.shape, np.float32)
    np.divide(vectors, np.sqrt(squares)[:, np.newaxis], out=unit, casting="same_kind")
    return unit


def build_graph(vectors: NDArray[np.float32]) -> Any:
    """Return an exact index by inner product over `vectors` (n, dim)."""
    import faiss

    graph = faiss.IndexFlatIP(vectors.shape[1])
    graph.add(vectors)
    return graph


def write_graph(graph: Any, path: Path) -> None:
    """Write a graph; faiss's own writer would only print that a disk is full."""
    import faiss

    path.write_bytes(faiss.serialize_index(graph).data)


def read_graph(path: Path) -> Any:
    """Parse a file whose hash was checked; nothing in it can be longer than the file itself."""
    import faiss

    size = path.stat().st_size
    with _READING:  # the limits are the process's
        bytes_limit = faiss.get_deserialization_vector_byte_limit()
        loop_limit = faiss.get_deserialization_loop_limit()
        faiss.set_deserialization_vector_byte_limit(size)
        faiss.set_deserialization_loop_limit(size)
        try:
            graph = faiss.read_index(str(path))
        finally:
            faiss.set_deserialization_vector_byte_limit(bytes_limit)
            faiss.set_deserialization_loop_limit(loop_limit)
    if not isinstance(graph, faiss.IndexFlatIP):
        raise ValueError(f"{path.name} holds a {type(graph).__name__}")
    return graph
