"""What an approximate kind of index must be able to do."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from featurize.types import Progress, Reporter

if TYPE_CHECKING:
    from numpy.typing import NDArray

ADDED = 1 << 14  # rows added at once


class Graph(abc.ABC):
    """A faiss index over 8-bit codes of unit vectors, which finds candidates by inner product.

    Its entries are numbered in the order they were added. How far a search goes is its `effort`, an
    option of each call, so that searches at the same time do not interfere.
    """

    kind: ClassVar[str]
    measure: ClassVar[str]  # what effort counts

    def __init__(self, index: Any) -> None:
        self.index = index

    def __len__(self) -> int:
        """Return the number of entries."""
        return int(self.index.ntotal)

    @classmethod
    @abc.abstractmethod
    def trained(cls, vectors: NDArray[np.float32], rows: NDArray[np.intp]) -> Self:
        """Return an empty one that has learned from a sample of these rows of the vectors."""

    def copy(self) -> Self:
        """Return one that grows on its own."""
        import faiss

        return type(self)(faiss.clone_index(self.index))

    @property
    @abc.abstractmethod
    def efforts(self) -> list[int]:
        """Return the efforts worth trying, rising; with the last one a search is as good as can."""

    @classmethod
    @abc.abstractmethod
    def memory(cls, rows: int, dim: int) -> int:
        """Return about how many bytes it takes."""

    @abc.abstractmethod
    def parameters(self, effort: int, selector: Any) -> Any:
        """Return the options of one search; `selector` is a faiss.IDSelector or None."""

    @abc.abstractmethod
    def require_sound(self) -> None:
        """Raise ValueError for one, read from a file, in which a search could leave its entries."""

    def add(self, vectors: NDArray[np.float32], rows: NDArray[np.intp], reporter: Reporter) -> None:
        """Add rows of the vectors, in their order."""
        for start in range(0, len(rows), ADDED):
            reporter.progress(Progress("adding", start, len(rows)))
            self.index.add(np.ascontiguousarray(vectors[rows[start : start + ADDED]]))
        reporter.progress(Progress("adding", len(rows), len(rows)))

    def candidates(
        self,
        queries: NDArray[np.float32],
        width: int,
        effort: int,
        allowed: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.int64]:
        """Return about the nearest entries of each query, (n, width) int64, -1 where none is left.

        `allowed` (entries,) says which ones count, all if None.
        """
        import faiss

        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        selector = None if bits is None else faiss.IDSelectorBitmap(bits)
        options = self.parameters(effort, selector)
        found: NDArray[np.int64] = self.index.search(queries, width, params=options)[1]
        return found


def sample(rows: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Return at most `size` of the rows, drawn the same way each time, sorted."""
    if len(rows) <= size:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, size, replace=False))


def require_8_bit(quantizer: Any, dim: int) -> None:
    """Raise ValueError for a quantizer, read from a file, that does not make a byte a number."""
    import faiss

    found = (quantizer.qtype, quantizer.d, quantizer.code_size, quantizer.trained.size())
    if found != (faiss.ScalarQuantizer.QT_8bit, dim, dim, 2 * dim):
        raise ValueError(f"its codes are not of {dim} numbers of 8 bits")
