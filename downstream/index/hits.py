"""Hits: the rows that were found, with their columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from downstream.index.exact import NONE
from downstream.index.rows import Rows
from featurize.types import Json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TOGETHER = 1024  # queries whose hits are read at once


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found: its id, its cosine with the query, its columns but id and vector."""

    id: str
    score: float
    columns: Json


def hits_of(
    rows: Rows, places: NDArray[np.int64], cosines: NDArray[np.float64]
) -> Iterator[list[Hit]]:
    """Yield the hits of each query, of places and cosines (n, k); many are read at once."""
    for start in range(0, len(places), _TOGETHER):
        near = places[start : start + _TOGETHER]
        found = iter(rows.take(near[near != NONE]))
        for line, scores in zip(near, cosines[start : start + _TOGETHER], strict=True):
            reached = scores[line != NONE].tolist()
            yield [Hit(row.pop("id"), score, row) for score, row in zip(reached, found)]  # noqa: B905
