"""Groups of duplicates: how many, which, and as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from downstream.index import Hit
from downstream.index.exact import cosines_of
from downstream.index.hits import hits_of
from downstream.index.rows import Rows
from downstream.parquet_file import ParquetKind
from featurize.errors import IndexFileError
from featurize.table.layout import METADATA_KEY
from featurize.types import Json

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

FORMAT = 1
COLUMNS = ("group", "id", "score", "keep")
DUPLICATES = ParquetKind("duplicates", (COLUMNS,), IndexFileError)
_BLOCK = 1 << 14


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of two rows or more, the biggest first, then in the order of their first ids.

    `places` (m,) are the rows in groups, group after group, in the order of the table; `starts`
    (g + 1,) says where each group begins and where the last one ends. The first row of a group is
    the one to keep, so that what is kept does not change as rows are added behind. `made` states
    table, threshold, kind and recall; see `linking.link`.
    """

    places: NDArray[np.intp]
    starts: NDArray[np.intp]
    vectors: NDArray[np.float32]
    rows: Rows
    made: Json

    @classmethod
    def of(
        cls,
        group: NDArray[np.intp],
        inputs: NDArray[np.intp],
        vectors: NDArray[np.float32],
        rows: Rows,
        made: Json,
    ) -> Self:
        """Take the groups, by number (n,), that hold rows of more than one of the inputs, (n,)."""
        order = np.argsort(group, kind="stable")
        starts = np.flatnonzero(np.append(True, np.diff(group[order]) > 0))
        sizes = np.diff(np.append(starts, len(order)))
        of_several = np.maximum.reduceat(inputs[order], starts) > np.minimum.reduceat(
            inputs[order], starts
        )
        chosen = sorted(
            np.flatnonzero(of_several).tolist(),
            key=lambda number: (-sizes[number], rows.ids[order[starts[number]]]),
        )
        parts = [order[starts[number] : starts[number] + sizes[number]] for number in chosen]
        places = np.concatenate([*parts, np.empty(0, np.intp)]).astype(np.intp)
        return cls(places, np.append(0, np.cumsum(sizes[chosen])), vectors, rows, made)

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.starts) - 1

    @property
    def sizes(self) -> NDArray[np.intp]:
        """Return the number of rows of each group, (groups,)."""
        return np.diff(self.starts)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many groups there are, and rows in them; rows that could go; the most rows."""
        return {
            "groups": len(self),
            "rows": len(self.places),
            "redundant": len(self.places) - len(self),
            "largest": int(self.sizes.max(initial=0)),
        }

    def ids(self, number: int, most: int | None = None) -> list[str]:
        """Return the ids of a group, at `most` so many, that of the row to keep first."""
        return [self.rows.ids[place] for place in self._of(number, most)]

    def hits(self, number: int, most: int | None = None) -> list[Hit]:
        """Return the rows of a group with their columns; scores are cosines with the first one."""
        places = self._of(number, most)
        return next(
            hits_of(self.rows, places[np.newaxis], self._scores(places, places[:1])[np.newaxis])
        )

    def write(self, out: str | Path) -> int:
        """Write the rows in groups to a Parquet file, and return their number.

        Columns: `group` int64 from 0, `id`, `score` float32, the cosine with the row to keep, and
        `keep`, true for that row. The schema metadata state under `featurize` how they were found.
        The file appears whole or not at all, and replaces an older one of its kind only. Raises
        UsageError for a place where it must not go, IndexFileError where another file is in the
        way.
        """
        import pyarrow as pa

        types = (pa.int64(), pa.string(), pa.float32(), pa.bool_())
        stamp = json.dumps({"format": FORMAT, "command": "duplicates"} | self.made, sort_keys=True)
        fields = list(zip(COLUMNS, types, strict=True))
        schema = pa.schema(fields, {METADATA_KEY: stamp.encode()})
        return DUPLICATES.write(out, schema, self._batches(schema))

    def _of(self, number: int, most: int | None) -> NDArray[np.intp]:
        return self.places[self.starts[number] : self.starts[number + 1]][:most]

    def _scores(self, places: NDArray[np.intp], kept: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the cosines of rows with those to keep, one for each or one for all."""
        beside = np.broadcast_to(kept, places.shape)[:, np.newaxis]
        return cosines_of(self.vectors[places], self.vectors, beside)[:, 0]

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for start in range(0, len(self.places), _BLOCK):
            places = self.places[start : start + _BLOCK]
            at = np.arange(start, start + len(places))
            number = np.searchsorted(self.starts, at, side="right") - 1
            kept = self.places[self.starts[number]]
            columns = [
                pa.array(number.astype(np.int64)),
                pa.array([self.rows.ids[place] for place in places], pa.string()),
                pa.array(self._scores(places, kept).astype(np.float32)),
                pa.array(places == kept),
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
