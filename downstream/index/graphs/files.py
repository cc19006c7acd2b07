"""Files of graphs: written whole, parsed only after their hash was checked and within limits."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import IO

from downstream.index.graphs.base import Graph

_ELSEWHERE = (b"ilod", b"ilof")  # inverted lists in a file that the index names
_READING = threading.Lock()


def write_graph(graph: Graph, path: Path) -> None:
    """Write a graph; faiss's own writer would only print that a disk is full."""
    import faiss

    with path.open("wb") as file:
        writer = faiss.PyCallbackIOWriter(file.write)
        faiss.write_index(graph.index, writer)
        del writer


def read_graph(kind: type[Graph], path: Path) -> Graph:
    """Parse a file whose hash was checked; nothing in it can be longer than the file itself.

    Raises ValueError or RuntimeError for one that holds something else, or refers to other files.
    """
    import faiss

    size = path.stat().st_size
    with path.open("rb") as file, _READING:  # the limits are the process's
        bytes_limit = faiss.get_deserialization_vector_byte_limit()
        loop_limit = faiss.get_deserialization_loop_limit()
        faiss.set_deserialization_vector_byte_limit(size)
        faiss.set_deserialization_loop_limit(size)
        try:
            index = faiss.read_index(faiss.PyCallbackIOReader(_Guarded(file)))
        finally:
            faiss.set_deserialization_vector_byte_limit(bytes_limit)
            faiss.set_deserialization_loop_limit(loop_limit)
    expected = _TYPES[kind.kind]
    if type(index).__name__ != expected or index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise ValueError(f"{path.name} holds a {type(index).__name__}, not an {expected}")
    graph = kind(index)
    graph.require_sound()
    return graph


_TYPES = {"ivf": "IndexIVFScalarQuantizer", "hnsw": "IndexHNSWSQ"}


class _Guarded:
    """Reads for faiss, and stops it at the word that would make it open another file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __call__(self, size: int) -> bytes:
        data = self._file.read(size)
        if data in _ELSEWHERE:
            raise ValueError("it keeps its entries in another file")
        return data
