"""Clustered unit vectors, drawn block by block from seeds, and an embedding table of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize.table import EmbeddingTable
from featurize.table.layout import EMBEDDING
from featurize.table.reader import vectors_of
from searching.tables import PART, as_rows, write_parts

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

DIM, CENTRES = 384, 2000
LOW_RANK, ISOTROPIC = "low-rank", "isotropic"
SHAPES = {
    LOW_RANK: "within a cluster, vectors differ mostly in 32 directions that all clusters share",
    ISOTROPIC: "within a cluster, vectors differ in all directions alike",
}
SHARES = {"half": 0.5, "one percent": 0.01, "one in 10,000": 0.0001}
FIVE = "five"  # rows, fewer than are asked for
_DIRECTIONS = 32


@dataclass(frozen=True)
class Clusters:
    """Vectors around 2,000 centres, of which the n-th has a share like 1 / sqrt(n)."""

    shape: str
    seed: int = 0

    def blocks(self, rows: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Yield the clusters (n,) and vectors (n, 384) of so many rows, 8,192 at a time."""
        for start in range(0, rows, PART):
            yield self._drawn(min(PART, rows - start), start)

    def queries(self, count: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return clusters and vectors drawn as the rows are, but of a stream of their own."""
        return self._drawn(count, -1)

    def _drawn(self, count: int, stream: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        chance = np.random.default_rng([self.seed, stream + 1])
        clusters = chance.choice(CENTRES, count, p=self._sizes)
        vectors = self._centres[clusters] + self._noise(count, chance)
        return clusters, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _noise(self, count: int, chance: np.random.Generator) -> NDArray[np.float32]:
        """Draw what vectors differ by from their centres, of about 0.7 times their length."""
        everywhere = chance.standard_normal((count, DIM), np.float32) / np.float32(DIM**0.5)
        if self.shape == ISOTROPIC:
            return 0.7 * everywhere
        within = chance.standard_normal((count, _DIRECTIONS), np.float32) @ self._directions
        return 0.6 * within + 0.25 * everywhere

    @cached_property
    def _sizes(self) -> NDArray[np.float64]:
        sizes = np.arange(1, CENTRES + 1) ** -0.5
        return np.asarray(sizes / sizes.sum())

    @cached_property
    def _centres(self) -> NDArray[np.float32]:
        centres = np.random.default_rng([self.seed, 10**12]).normal(size=(CENTRES, DIM))
        return (centres / np.linalg.norm(centres, axis=1, keepdims=True)).astype(np.float32)

    @cached_property
    def _directions(self) -> NDArray[np.float32]:
        drawn = np.random.default_rng([self.seed, 10**12 + 1]).normal(size=(_DIRECTIONS, DIM))
        return (drawn / (DIM * _DIRECTIONS) ** 0.5).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A table of clustered vectors, and the same vectors as a file of numpy's."""

    table: Path
    file: Path

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Return the vectors in the order of the table, (rows, 384), mapped."""
        mapped: NDArray[np.float32] = np.load(self.file, mmap_mode="r")
        return mapped


def write_clusters(clusters: Clusters, rows: int, folder: Path) -> Drawn:
    """Write a table with the columns `share`, `parity` and `cluster`, and its vectors.

    `share` names a random share of the rows, `parity` says whether the cluster's number is even.
    """
    drawn = Drawn(folder / "table", folder / "vectors.npy")
    write_parts(drawn.table, _parts(clusters, rows))
    vectors = np.lib.format.open_memmap(drawn.file, "w+", np.float32, (rows, DIM))
    start = 0
    for batch in EmbeddingTable.open(drawn.table).iter_batches([EMBEDDING]):  # in its own order
        vectors[start : start + batch.num_rows] = vectors_of(batch)
        start += batch.num_rows
    vectors.flush()
    return drawn


def _parts(clusters: Clusters, rows: int) -> Iterator[pa.Table]:
    chance, start = np.random.default_rng(clusters.seed), 0
    for numbers, block in clusters.blocks(rows):
        places = np.arange(start, start + len(block))
        columns = {
            "share": _shares(places, rows, chance),
            "parity": np.where(numbers % 2, "odd", "even"),
            "cluster": numbers,
        }
        yield as_rows([f"row-{place:09}" for place in places], block, columns)
        start += len(block)


def _shares(places: NDArray[np.intp], rows: int, chance: np.random.Generator) -> NDArray[np.str_]:
    bounds = np.cumsum(list(SHARES.values()))
    names = np.array([*SHARES, "rest"])
    shares = names[np.searchsorted(bounds, chance.random(len(places)), side="right")]
    shares[np.isin(places, np.arange(5) * (rows // 5))] = FIVE
    return np.asarray(shares)
