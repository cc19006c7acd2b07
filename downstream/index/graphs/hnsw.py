"""A navigable graph: each vector is linked to near ones, and a search walks along the links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from downstream.index.graphs.base import Graph, require_8_bit, sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LINKS = 16  # of each entry; twice as many on the lowest level
_BUILDING = 80  # candidates for them
_SAMPLE = 100_000


class NavigableGraph(Graph):
    """HNSW over 8-bit codes (Malkov and Yashunin, 2016); effort is the length of its candidates."""

    kind: ClassVar[str] = "hnsw"
    measure: ClassVar[str] = "candidates kept"

    @classmethod
    def trained(cls, vectors: NDArray[np.float32], rows: NDArray[np.intp]) -> Self:
        """Learn the range of each dimension."""
        import faiss

        index = faiss.IndexHNSWSQ(
            vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, _LINKS, faiss.METRIC_INNER_PRODUCT
        )
        index.hnsw.efConstruction = _BUILDING
        index.train(np.ascontiguousarray(vectors[sample(rows, _SAMPLE)]))
        return cls(index)

    @property
    def efforts(self) -> list[int]:
        """Return 16, 24, 32, 48 ... up to 4,096, or to all entries where these are fewer."""
        steps = sorted(n for power in range(4, 12) for n in (1 << power, 3 << (power - 1)))
        return [*(n for n in [*steps, 4096] if n < len(self)), *([len(self)] * (len(self) <= 4096))]

    @classmethod
    def memory(cls, rows: int, dim: int) -> int:
        """Count a byte a number, and the links."""
        return rows * (dim + 2 * _LINKS * 4 + 32)

    def parameters(self, effort: int, selector: Any) -> Any:
        """Return how many candidates are kept on the way."""
        import faiss

        return faiss.SearchParametersHNSW(efSearch=effort, sel=selector)

    def require_sound(self) -> None:
        """Check that no link leaves the entries, or the levels that they have."""
        import faiss

        self._require_codes()
        hnsw = self.index.hnsw
        per_level = faiss.vector_to_array(hnsw.cum_nneighbor_per_level)
        levels, offsets = faiss.vector_to_array(hnsw.levels), faiss.vector_to_array(hnsw.offsets)
        self._require_levels(per_level, levels)
        if len(offsets) != len(self) + 1 or offsets[0]:
            raise ValueError("its links are not those of its entries")
        if not np.array_equal(np.diff(offsets.astype(np.int64)), per_level[levels]):
            raise ValueError("its links are not those of its entries")
        links = faiss.vector_to_array(hnsw.neighbors)
        if len(links) != offsets[-1]:
            raise ValueError("its links are not those of its entries")
        if links.min(initial=-1) < -1 or links.max(initial=-1) >= len(self):
            raise ValueError("a link leaves the entries")
        for level in range(1, hnsw.max_level + 1):
            first = offsets[:-1][levels > level].astype(np.int64) + per_level[level]
            linked = links[
                first[:, np.newaxis] + np.arange(per_level[level + 1] - per_level[level])
            ]
            if (levels[linked[linked >= 0]] <= level).any():
                raise ValueError("a link leads to a level that an entry has not")

    def _require_codes(self) -> None:
        import faiss

        storage, dim = faiss.downcast_index(self.index.storage), self.index.d
        if not isinstance(storage, faiss.IndexScalarQuantizer):
            raise ValueError(f"its entries are {type(storage).__name__}")
        if (storage.ntotal, storage.d) != (len(self), dim):
            raise ValueError(f"it has codes of {storage.ntotal} entries for {len(self)}")
        require_8_bit(storage.sq, dim)
        if storage.codes.size() != len(self) * dim:
            raise ValueError("its codes are cut off")

    def _require_levels(self, per_level: NDArray[np.int32], levels: NDArray[np.int32]) -> None:
        """Check the links that each level begins with, and the number of levels of each entry."""
        hnsw = self.index.hnsw
        if not len(per_level) or per_level[0] or (np.diff(per_level) < 0).any():
            raise ValueError("its levels have no rising numbers of links")
        if len(levels) != len(self) or not -1 <= hnsw.entry_point < len(self):
            raise ValueError("its levels are not those of its entries")
        if levels.min(initial=1) < 1 or levels.max(initial=1) >= len(per_level):
            raise ValueError("an entry has a level that there is not")
        first = levels[hnsw.entry_point] if hnsw.entry_point >= 0 else 0
        if hnsw.max_level + 1 != first or first != levels.max(initial=0):
            raise ValueError("it does not begin on its highest level")
