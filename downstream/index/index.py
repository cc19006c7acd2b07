"""VectorIndex: the rows of an embedding table nearest to a query, by cosine."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from downstream.artifact import Artifact
from downstream.datasets import Table, open_table
from downstream.index.origin import origin_of, staleness
from downstream.index.vectors import KINDS, build_graph, normalised, read_graph, write_graph
from featurize.bundle import EncoderCard
from featurize.errors import IndexFileError, OutdatedIndex, UsageError
from featurize.table.layout import EMBEDDING
from featurize.table.reader import EmbeddingTable
from featurize.types import Json

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import ArrayLike, NDArray

GRAPH, ROWS, VECTORS = "index.faiss", "rows.parquet", "vectors.npy"
INDEX = Artifact(
    "index",
    "featurize index TABLE --out INDEX",
    "index.json",
    (GRAPH, ROWS, VECTORS),
    IndexFileError,
    OutdatedIndex,
)
BLOCK = 256  # queries asked at once
ASKED = 1 << 20  # hits asked for at once
RESCORED = 1 << 22  # numbers of stored vectors, in float64, that are scored at once


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found: its id, its cosine with the query, its columns but id and vector."""

    id: str
    score: float
    columns: Json


class VectorIndex:
    """An index over the rows of one embedding table, which holds all it needs to answer.

    `facts` is its card; `vectors` (n, dim) float32 have unit length; `rows` are the other columns,
    in the same order. `encoder` is the card of the encoder that made the vectors, `origin` says
    which table they come from and which bundle encodes queries.
    """

    def __init__(
        self, facts: Json, graph: Any, vectors: NDArray[np.float32], rows: pa.Table
    ) -> None:
        self.facts = facts
        self.graph = graph
        self.vectors = vectors
        self.rows = rows
        self.encoder = EncoderCard.from_json(facts["encoder"])
        self.origin: Json = facts["origin"]

    @classmethod
    def build(cls, table: Table, kind: str = "flat") -> Self:
        """Index normalised copies of the vectors of a table, given as such or as its path.

        `flat` compares a query with every row; `auto` chooses it. Raises IndexFileError for a table
        without rows, UsageError for an unknown kind.
        """
        table = open_table(table)
        chosen = KINDS[0] if kind == "auto" else kind
        if chosen not in KINDS:
            known = ", ".join(("auto", *KINDS))
            raise UsageError(f"There is no index of kind {kind!r}.", fix=f"Choose one of: {known}.")
        if not len(table):
            raise IndexFileError(
                f"{table.path} has no rows to index.", fix="Its rejects say why there are none."
            )
        vectors = normalised(table.to_numpy(), str(table.path))
        rows = table.select([name for name in table.schema.names if name != EMBEDDING])
        return cls(_facts(table, chosen), build_graph(vectors), vectors, rows)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.vectors)

    @property
    def ids(self) -> list[str]:
        """Return the ids, in the order of the rows."""
        return list(self._positions)

    def search(self, vectors: ArrayLike, k: int = 10) -> list[list[Hit]]:
        """Return the `k` rows nearest to each query, best first, fewer where there are fewer rows.

        `vectors` (n, dim), finite, of any length but zero. Scores are cosines, computed again from
        the stored vectors, so that they do not depend on what else is searched; equal scores come
        in the order of the rows. Raises IndexFileError for queries that cannot be asked.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise UsageError(f"-k expects a number of hits from 1 up, got {k!r}.")
        queries, k = self._checked(vectors), min(k, len(self))
        size = min(BLOCK, max(1, ASKED // k))
        blocks = (queries[start : start + size] for start in range(0, len(queries), size))
        return [hits for block in blocks for hits in self._nearest(block, k)]

    def search_table(self, queries: Table, k: int = 10) -> list[list[Hit]]:
        """Search for each row of a table, given as such or as its path.

        Raises MismatchError for another encoder's vectors.
        """
        queries = open_table(queries)
        self.encoder.require_same_space(queries.card, here="the index", there=str(queries.path))
        return self.search(queries.to_numpy(), k)

    def search_id(self, id: str, k: int = 10) -> list[Hit]:
        """Return the `k` rows nearest to the row of this id, itself left out."""
        hits = self.search(self.vector(id)[np.newaxis], k + 1)[0]
        return [hit for hit in hits if hit.id != id][:k]

    def vector(self, id: str) -> NDArray[np.float32]:
        """Return the vector of a row, (dim,) float32, of unit length."""
        if id not in self._positions:
            raise IndexFileError(
                f"The index has no row with the id {id!r}.",
                fix=f"Its {len(self)} ids look like {self.ids[0]!r}.",
            )
        return np.array(self.vectors[self._positions[id]])

    def staleness(self) -> dict[str, int]:
        """Count the table's rows that are `missing` here, and rows here that it has `removed`.

        Both are 0 where the table is as it was, and where it is not found at its recorded path.
        """
        return staleness(self.origin, self.rows, self.encoder.fingerprint)

    def save(self, path: str | Path) -> None:
        """Save to a folder, which then stands alone; an older index there is replaced as a whole.

        The same table gives the same bytes. Raises IndexFileError where anything else is in the
        way.
        """
        import pyarrow.parquet as pq

        with INDEX.saving(Path(path), self.facts) as folder:
            write_graph(self.graph, folder / GRAPH)
            np.save(folder / VECTORS, self.vectors, allow_pickle=False)
            pq.write_table(self.rows, folder / ROWS, compression="zstd", write_page_checksum=True)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a saved index after checking the SHA-256 of its files; raise IndexFileError else.

        Also where ids were forgotten from its table since it was made.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        folder = Path(path)
        facts = INDEX.read(folder)
        try:
            origin = facts["origin"]
            INDEX.require_not_forgotten(origin["table"], origin["version"], origin.get("table_id"))
            vectors = np.load(folder / VECTORS, mmap_mode="r", allow_pickle=False)
            rows = pq.read_table(folder / ROWS)
            index = cls(facts, read_graph(folder / GRAPH), vectors, rows)
            index._require_consistent()
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise IndexFileError(
                f"{path} is no complete index: {error}.", fix=INDEX.mend
            ) from error
        return index

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self.rows["id"].to_pylist())}

    def _checked(self, vectors: ArrayLike) -> NDArray[np.float32]:
        """Check what faiss only asserts, because assertions vanish under `python -O`."""
        queries = np.asarray(vectors)
        if queries.ndim != 2 or queries.shape[1] != self.encoder.dim:
            raise IndexFileError(
                f"Queries of shape (n, {self.encoder.dim}) are expected, got {queries.shape}.",
                fix="Wrap a single query in a list; encode it with the index's encoder.",
            )
        if queries.dtype.kind not in "fiu":
            raise IndexFileError(f"Queries of numbers are expected, got {queries.dtype}.")
        return normalised(queries, "the queries")

    def _nearest(self, queries: NDArray[np.float32], k: int) -> Iterator[list[Hit]]:
        found = self.graph.search(queries, k)[1]
        for positions, scores in zip(found, self._cosines(queries, found), strict=True):
            order = np.lexsort((positions, -scores))
            order = order[positions[order] >= 0]  # faiss fills up with -1 what it did not find
            yield self._hits(positions[order], scores[order])

    def _cosines(
        self, queries: NDArray[np.float32], found: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the cosine of each query with the rows found for it, (n, k) float64."""
        rows = found.ravel()
        asked = np.repeat(np.arange(len(queries)), found.shape[1])
        cosines = np.empty(len(rows))
        size = max(1, RESCORED // self.encoder.dim)
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            near = self.vectors[rows[part]].astype(np.float64)
            cosines[part] = np.einsum("pd,pd->p", near, queries[asked[part]].astype(np.float64))
        return np.clip(cosines, -1, 1).reshape(found.shape)

    def _hits(self, positions: NDArray[np.int64], scores: NDArray[np.float64]) -> list[Hit]:
        rows = self.rows.take(positions).to_pylist()
        return [Hit(row.pop("id"), s, row) for row, s in zip(rows, scores.tolist(), strict=True)]

    def _require_consistent(self) -> None:
        """Raise ValueError unless vectors, rows, graph and card tell of the same rows."""
        expected = (self.rows.num_rows, self.encoder.dim)
        if self.vectors.dtype != np.float32 or self.vectors.shape != expected or not len(self):
            raise ValueError(f"{VECTORS} is {self.vectors.dtype} {self.vectors.shape}")
        if (self.graph.ntotal, self.graph.d) != expected or self.facts["method"] not in KINDS:
            raise ValueError(f"{GRAPH} is no {self.facts['method']} index of {expected} vectors")


def _facts(table: EmbeddingTable, kind: str) -> Json:
    libraries = ("faiss-cpu", "numpy", "pyarrow")
    return {
        "method": kind,
        "rows": len(table),
        "dim": table.card.dim,
        "encoder": table.card.to_json(),
        "origin": origin_of(table),
        "libraries": {name: importlib.metadata.version(name) for name in libraries},
    }
