"""What was asked of an index, and what it answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurize.types import Json

if TYPE_CHECKING:
    from downstream import Hit, Searcher, VectorIndex
    from downstream.index.listing import Found
    from downstream.sheet import Query


@dataclass(frozen=True, slots=True)
class Answers:
    """What was asked, and the hits of each query."""

    queries: list[Query]
    hits: list[list[Hit]]

    def to_json(self) -> list[list[Json]]:
        """Return the hits as the contract has them."""
        return [
            [{"id": hit.id, "score": hit.score, "columns": hit.columns} for hit in found]
            for found in self.hits
        ]

    def places(self, index: VectorIndex) -> Iterator[Found]:
        """Yield names, places and cosines of the hits as `write_hits` takes them."""
        import numpy as np

        for query, hits in zip(self.queries, self.hits, strict=True):
            places = np.array([[index.place(hit.id) for hit in hits]], np.int64)
            yield [query.name], places, np.array([[hit.score for hit in hits]])


def ask(searcher: Searcher, given: Json, options: Json) -> Answers:
    """Ask the one thing that is given."""
    from downstream.sheet import Query, QueryKind
    from featurize import open_table

    if (text := given["query"]) is not None:
        return Answers([Query(QueryKind.TEXT, text)], [searcher.text(text, **options)])
    if (image := given["image"]) is not None:
        return Answers([Query(QueryKind.IMAGE, str(image))], [searcher.image(image, **options)])
    if (row := given["id"]) is not None:
        own = searcher.index.row(row)
        return Answers([Query(QueryKind.ROW, row, own)], [searcher.id(row, **options)])
    if (file := given["vector"]) is not None:
        hits = searcher.file(file, **options)
        names = (f"{file.name}#{number}" for number in range(1, len(hits) + 1))
        return Answers([Query(QueryKind.VECTOR, name) for name in names], hits)
    table = open_table(given["queries"])
    hits = searcher.index.search_table(table, **options)
    return Answers([Query(QueryKind.ROW, row) for row in table.ids], hits)
