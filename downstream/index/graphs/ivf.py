"""An inverted file: vectors lie in cells around centroids, and a search visits the nearest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from downstream.index.graphs.base import Graph, require_8_bit, sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PER_CELL = 40  # rows of the sample for each centroid
_ROUNDS = 10  # of k-means


class InvertedFile(Graph):
    """IVF with 8-bit scalar quantisation; effort is the number of cells that are visited."""

    kind: ClassVar[str] = "ivf"
    measure: ClassVar[str] = "cells visited"

    @classmethod
    def trained(cls, vectors: NDArray[np.float32], rows: NDArray[np.intp]) -> Self:
        """Place the centroids by k-means over a sample of 40 rows for each."""
        import faiss

        dim, cells = vectors.shape[1], _cells(len(rows))
        index = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(dim),
            dim,
            cells,
            faiss.ScalarQuantizer.QT_8bit,
            faiss.METRIC_INNER_PRODUCT,
        )
        index.cp.niter, index.cp.seed = _ROUNDS, 1
        index.cp.min_points_per_centroid = 1  # few rows are not worth a warning
        index.train(np.ascontiguousarray(vectors[sample(rows, _PER_CELL * cells)]))
        return cls(index)

    @property
    def efforts(self) -> list[int]:
        """Return 1, 2, 3, 4, 6, 8, 12 ... and all cells."""
        cells = int(self.index.nlist)
        steps = {n for power in range(20) for n in (1 << power, 3 << power)}
        return [*sorted(n for n in steps if n < cells), cells]

    @classmethod
    def memory(cls, rows: int, dim: int) -> int:
        """Count a byte a number, 8 for each entry's place, and the centroids."""
        return rows * (dim + 8) + _cells(rows) * dim * 4

    def parameters(self, effort: int, selector: Any) -> Any:
        """Return how many cells are visited."""
        import faiss

        return faiss.SearchParametersIVF(nprobe=min(effort, self.index.nlist), sel=selector)

    def require_sound(self) -> None:
        """Check that the cells hold each entry once."""
        import faiss

        index, seen = self.index, np.zeros(len(self), bool)
        lists = faiss.downcast_InvertedLists(index.invlists)
        if not isinstance(lists, faiss.ArrayInvertedLists):
            raise ValueError(f"its entries lie in {type(lists).__name__}")
        require_8_bit(index.sq, index.d)
        if (lists.code_size, lists.nlist) != (index.d, index.nlist):
            raise ValueError(f"its codes have {lists.code_size} bytes")
        if not isinstance(faiss.downcast_index(index.quantizer), faiss.IndexFlat):
            raise ValueError("its centroids are no plain vectors")
        if (index.quantizer.ntotal, index.quantizer.d) != (index.nlist, index.d):
            raise ValueError(f"it has {index.quantizer.ntotal} centroids for {index.nlist} cells")
        for cell in range(index.nlist):
            if size := lists.list_size(cell):
                entries = faiss.rev_swig_ptr(lists.get_ids(cell), size)
                if entries.min() < 0 or entries.max() >= len(self) or seen[entries].any():
                    raise ValueError(f"cell {cell} holds foreign entries")
                seen[entries] = True
        if not seen.all():
            raise ValueError("an entry is in no cell")


def _cells(rows: int) -> int:
    """Return about twice the root of the rows, a power of two, at least 4 rows each."""
    return max(1, min(1 << round(math.log2(2 * math.sqrt(max(1, rows)))), rows // 4))
