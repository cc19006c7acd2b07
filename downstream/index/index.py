"""VectorIndex: the rows of an embedding table nearest to a query, by cosine."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from downstream.datasets import Table, open_table
from downstream.index.choice import Aim
from downstream.index.content import Content, open_content, save_content
from downstream.index.finder import Finder, require_count
from downstream.index.hits import Hit, hits_of
from downstream.index.origin import Drift, require_near, require_same
from downstream.index.updating import built, shortfall, updated
from featurize.bundle import EncoderCard
from featurize.errors import IndexFileError
from featurize.types import Json, Reporter, Silent

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class VectorIndex:
    """An index over the rows of one embedding table, which holds all it needs to answer.

    `facts` is its card: kind, recall and its curve, encoder, and the `origin`, the table. While the
    table lies where it did, rows that it has no more are not found; see `staleness`.
    """

    def __init__(self, facts: Json, content: Content) -> None:
        self.facts = facts
        self.encoder = EncoderCard.from_json(facts["encoder"])
        self._content = content
        self._finder = Finder(facts, content)

    @classmethod
    def build(
        cls,
        table: Table,
        kind: str = "auto",
        recall: float = 0.95,
        *,
        memory: int | None = None,
        scratch: str | Path | None = None,
        reporter: Reporter | None = None,
    ) -> Self:
        """Index normalised copies of the vectors of a table, given as such or as its path.

        `flat` compares a query with every row. `ivf` and `hnsw` find candidates among 8-bit codes
        and compare these exactly; how far they search is chosen so that on rows that they were not
        built of they find the share `recall` of the true neighbours. `auto` chooses among them the
        one that answers soonest with at most `memory` bytes, half of the machine's by default.
        `scratch` is a folder for the vectors until they are saved.

        Raises IndexFileError for a table without rows, RecallMissed where the kind does not reach
        the recall, UsageError for an unknown kind or an impossible recall.
        """
        aim, folder = Aim(kind, recall, memory), Path(scratch) if scratch else None
        return cls(*built(open_table(table), aim, folder, reporter or Silent()))

    def __len__(self) -> int:
        """Return the number of rows, without those that were removed by updates."""
        return len(self._content)

    @property
    def origin(self) -> Json:
        """Return which table the rows come from, and which bundle encodes queries."""
        return dict(self.facts["origin"])

    @property
    def ids(self) -> list[str]:
        """Return the ids, in the order of the rows."""
        ids, live = self._content.rows.ids, self._content.live
        return list(ids if live is None else itertools.compress(ids, live))

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Return the vectors, (n, dim) float32, of unit length, in the order of the ids."""
        vectors, live = self._content.vectors, self._content.live
        return vectors if live is None else vectors[live]

    def search(
        self,
        vectors: ArrayLike,
        k: int | None = 10,
        *,
        where: str | None = None,
        min_score: float | None = None,
    ) -> list[list[Hit]]:
        """Return the `k` rows nearest to each query, best first, fewer where there are fewer rows.

        `vectors` (n, dim), finite, of any length but zero. Scores are cosines, computed again from
        the stored vectors, so that they do not depend on what else is searched; equal scores come
        in the order of the rows. `where` is a condition on the columns, see `downstream.filters`;
        hits under `min_score` are left out; without `k`, all rows that reach it are hits, and the
        search is exact. Raises IndexFileError for queries that cannot be asked, UsageError for an
        impossible option.
        """
        found = self.find(vectors, k, where=where, min_score=min_score)
        return list(hits_of(self._content.rows, *found))

    def search_table(
        self,
        queries: Table,
        k: int | None = 10,
        *,
        where: str | None = None,
        min_score: float | None = None,
    ) -> list[list[Hit]]:
        """Search for each row of a table, given as such or as its path.

        Raises MismatchError for vectors of another encoder, and for such as were made otherwise and
        are too far from the original's.
        """
        queries = open_table(queries)
        require_near(self.facts, queries)
        return self.search(queries.to_numpy(), k, where=where, min_score=min_score)

    def row(self, id: str) -> Json:
        """Return the columns of a row but id and vector; raise IndexFileError for an unknown id."""
        columns = self._content.rows.take(np.array([self.place(id)]))[0]
        return {name: value for name, value in columns.items() if name != "id"}

    def search_id(
        self,
        id: str,
        k: int | None = 10,
        *,
        where: str | None = None,
        min_score: float | None = None,
    ) -> list[Hit]:
        """Return the `k` rows nearest to the row of this id, itself left out."""
        wanted = None if k is None else require_count(k) + 1
        found = self.search(self.vector(id)[np.newaxis], wanted, where=where, min_score=min_score)
        return [hit for hit in found[0] if hit.id != id][:k]

    def find(
        self,
        vectors: ArrayLike,
        k: int | None = 10,
        *,
        where: str | None = None,
        min_score: float | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Search as `search` does, and return places and cosines, both (n, most hits of a query).

        Places are those of `row_ids`; where a query has fewer hits they end in -1 and -inf.
        """
        return self._finder.find(vectors, k, where, min_score)

    def row_ids(self, places: NDArray[np.int64]) -> list[str]:
        """Return the ids of places that `find` has returned."""
        ids = self._content.rows.ids
        return [ids[place] for place in places]

    def vector(self, id: str) -> NDArray[np.float32]:
        """Return the vector of a row, (dim,) float32, of unit length."""
        return np.array(self._content.vectors[self.place(id)])

    def uncast(self, where: str) -> dict[str, int]:
        """Return how many values of each column a condition could not compare, as no numbers."""
        return dict(self._finder.selected(where).uncast)

    def staleness(self) -> dict[str, int]:
        """Count the table's rows that are `missing` here, and rows here that it has `removed`.

        A row with changed content is both. Both are 0 where the table is as it was, and where it is
        not found at its recorded path. Raises MismatchError where another encoder has made it anew.
        """
        return self.drift().counts

    @property
    def unknown(self) -> str | None:
        """Say why nothing tells whether the table has moved on, as where it is gone; None else."""
        return self._finder.unknown

    def drift(self) -> Drift:
        """Return how the table has moved on, looking at it again where something was committed."""
        return self._finder.drift()

    def shortfall(self) -> str | None:
        """Search for rows kept apart from the graph again; say by how much it misses its recall."""
        return shortfall(self.facts, self._content)

    def update(
        self,
        table: Table | None = None,
        *,
        scratch: str | Path | None = None,
        reporter: Reporter | None = None,
    ) -> Json:
        """Bring the index up to its table; return how many rows were `added`, `removed`, `changed`.

        New rows are added, removed ones are marked; `rebuilt` says why all was built anew, if it
        was: more than a fifth is marked, the recall has fallen under its target, ids were forgotten
        or the columns are others. Raises MismatchError for a table of another encoder.
        """
        opened = open_table(self.origin["table"] if table is None else table)
        require_same(self.origin, self.encoder, opened)
        self.facts, self._content, done = updated(
            self.facts,
            self._content,
            opened,
            Path(scratch) if scratch else None,
            reporter or Silent(),
        )
        self._finder = Finder(self.facts, self._content)
        return done

    def save(self, path: str | Path) -> None:
        """Save to a folder, which then stands alone; an older index there is replaced as a whole.

        Raises IndexFileError where anything else is in the way.
        """
        save_content(Path(path), self.facts, self._content)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a saved index after checking the SHA-256 of its files; raise IndexFileError else.

        Also where ids were forgotten from its table since it was made.
        """
        return cls(*open_content(Path(path)))

    @classmethod
    def open_outdated(cls, path: str | Path) -> Self:
        """Open a saved index for an update: also where ids were forgotten from its table since."""
        return cls(*open_content(Path(path), outdated=True))

    def place(self, id: str) -> int:
        """Return the place of a row; raise IndexFileError for an unknown id."""
        place, allowed = self._content.rows.places.get(id), self._finder.allowed()
        if place is None or (allowed is not None and not allowed[place]):
            raise IndexFileError(
                f"The index has no row with the id {id!r}.",
                fix=self._finder.advice(id),
            )
        return place
