"""Finder: answers queries about rows, as far as their table still has them and a filter holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from downstream.filters import Filter, Selection
from downstream.index.content import Content
from downstream.index.exact import NONE
from downstream.index.origin import Drift, Watch
from downstream.index.vectors import normalised
from featurize.bundle import EncoderCard
from featurize.errors import IndexFileError, UsageError
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_ASKED = 1 << 20  # hits asked for at once

Found = tuple["NDArray[np.int64]", "NDArray[np.float64]"]


class Finder:
    """The content of an index, and the table that it watches."""

    def __init__(self, facts: Json, content: Content) -> None:
        self._content = content
        self._encoder = EncoderCard.from_json(facts["encoder"])
        self._watch = Watch(facts["origin"], self._encoder)
        efforts = (facts.get("curve") or {}).get("efforts", {})
        self._efforts = {int(depth): int(effort) for depth, effort in efforts.items()}
        self._last: tuple[str, Selection] | None = None

    def drift(self) -> Drift:
        """Return how the table has moved on, looking at it again where something was committed."""
        return self._watch.drift(self._content.rows, self._content.live)

    def find(
        self, vectors: ArrayLike, k: int | None, where: str | None, min_score: float | None
    ) -> Found:
        """Return places and cosines as `VectorIndex.find` does."""
        if min_score is not None and not -1 <= min_score <= 1:
            raise UsageError(f"--min-score expects a cosine from -1 to 1, got {min_score}.")
        queries, allowed = self._checked(vectors), self.allowed(where)
        if k is None:
            return self._all_within(queries, min_score, allowed)
        width = min(require_count(k), len(self._content.rows))
        size = max(1, _ASKED // width)
        blocks = [
            self._content.retriever.find(
                queries[start : start + size], width, self._efforts, allowed
            )
            for start in range(0, max(1, len(queries)), size)
        ]
        places, cosines = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        if min_score is not None:
            under = cosines < min_score
            places[under], cosines[under] = NONE, -np.inf
        return places, cosines

    def allowed(self, where: str | None = None) -> NDArray[np.bool_] | None:
        """Return which rows may be found, (n,); None where all may."""
        allowed, removed = self._content.live, self.drift().removed
        if len(removed):
            allowed = np.ones(len(self._content.rows), bool) if allowed is None else allowed.copy()
            allowed[removed] = False
        if where is None:
            return allowed
        selected = self.selected(where).mask
        return selected if allowed is None else allowed & selected

    def selected(self, where: str) -> Selection:
        """Return which rows a filter selects; that of the last filter is kept."""
        if self._last is None or self._last[0] != where:
            condition, rows = Filter.parse(where), self._content.rows
            condition.expression(rows.schema)
            self._last = where, condition.select(rows.read(condition.columns))
        return self._last[1]

    def _checked(self, vectors: ArrayLike) -> NDArray[np.float32]:
        """Check what faiss only asserts, because assertions vanish under `python -O`."""
        queries = np.asarray(vectors)
        if queries.ndim != 2 or queries.shape[1] != self._encoder.dim:
            raise IndexFileError(
                f"Queries of shape (n, {self._encoder.dim}) are expected, got {queries.shape}.",
                fix="Wrap a single query in a list; encode it with the index's encoder.",
            )
        if queries.dtype.kind not in "fiu":
            raise IndexFileError(f"Queries of numbers are expected, got {queries.dtype}.")
        return normalised(queries, "the queries")

    def _all_within(
        self,
        queries: NDArray[np.float32],
        least: float | None,
        allowed: NDArray[np.bool_] | None,
    ) -> Found:
        """Return all rows that reach a cosine, for each query."""
        if least is None:
            raise UsageError("A search expects a number of hits, a least score, or both.")
        found = [self._content.retriever.within(query, least, allowed) for query in queries]
        width = max((len(places) for places, _ in found), default=0)
        places, cosines = np.full((len(found), width), NONE), np.full((len(found), width), -np.inf)
        for line, (near, scores) in enumerate(found):
            places[line, : len(near)], cosines[line, : len(near)] = near, scores
        return places, cosines


def require_count(k: int) -> int:
    """Return a number of hits; raise UsageError unless it is a whole one from 1 up."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise UsageError(f"-k expects a number of hits from 1 up, got {k!r}.")
    return k
