"""Finder: answers queries about rows, as far as their table still has them and a filter holds."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from downstream.filters import Filter, Selection
from downstream.index.content import Content
from downstream.index.exact import NONE, TIE
from downstream.index.origin import Drift, Watch
from downstream.index.tuning import efforts_among
from downstream.index.vectors import normalised
from featurize.bundle import EncoderCard
from featurize.errors import IndexFileError, UsageError
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_ASKED = 1 << 20  # hits asked for at once
_COMPARED = 10_000  # ids that one which is not there is compared with
_EXACT_FIRST = 100  # queries under one filter that measuring its efforts is not worth while for

Found = tuple["NDArray[np.int64]", "NDArray[np.float64]"]


@dataclass
class _Condition:
    """A filter: what it selects while the table is so, how often it was used, and its efforts."""

    where: str
    drift: Drift
    selection: Selection
    asked: int = 0
    efforts: dict[int, int] | None = None


class Finder:
    """The content of an index, and the table that it watches."""

    def __init__(self, facts: Json, content: Content) -> None:
        self._content = content
        self._encoder = EncoderCard.from_json(facts["encoder"])
        self._watch = Watch(facts["origin"], self._encoder)
        efforts = (facts.get("curve") or {}).get("efforts", {})
        self._efforts = {int(depth): int(effort) for depth, effort in efforts.items()}
        self._recall = float(facts.get("recall", {}).get("target", 1.0))
        self._last: _Condition | None = None

    def drift(self) -> Drift:
        """Return how the table has moved on, looking at it again where something was committed."""
        return self._watch.drift(self._content.rows, self._content.live)

    @property
    def unknown(self) -> str | None:
        """Say why nothing tells whether the table has moved on; None where it is known."""
        self.drift()
        return self._watch.unknown

    def find(
        self, vectors: ArrayLike, k: int | None, where: str | None, min_score: float | None
    ) -> Found:
        """Return places and cosines as `VectorIndex.find` does."""
        require_score(min_score)
        queries, allowed = self._checked(vectors), self.allowed(where)
        if k is None:
            return self._all_within(queries, min_score, allowed)
        width = min(require_count(k), len(self._content.rows))
        size, efforts = max(1, _ASKED // width), self._efforts_for(len(queries), where, allowed)
        blocks = [
            self._content.retriever.find(queries[start : start + size], width, efforts, allowed)
            for start in range(0, max(1, len(queries)), size)
        ]
        places, cosines = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        if min_score is not None:
            under = cosines < min_score - TIE
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
        """Return which rows a filter selects."""
        return self._condition(where).selection

    def advice(self, id: str) -> str:
        """Say what to do about an id that no row has."""
        if len(self.drift().missing):
            return (
                "Its table has rows that the index has not: `featurize index --update` adds them."
            )
        ids = self._content.rows.ids
        near = difflib.get_close_matches(id, ids[:_COMPARED], 1) or ids[:1]
        return f"Its {len(self._content):,} ids look like {near[0]!r}."

    def _condition(self, where: str) -> _Condition:
        """Return what is known of a filter; that of the last one is kept."""
        drift, last = self.drift(), self._last  # which another thread may replace at any time
        if last is None or last.where != where or last.drift is not drift:
            condition, rows = Filter.parse(where), self._content.rows
            condition.expression(rows.schema)
            selection = condition.select(rows.read(condition.columns))
            last = self._last = _Condition(where, drift, selection)
        return last

    def _efforts_for(
        self, queries: int, where: str | None, allowed: NDArray[np.bool_] | None
    ) -> dict[int, int]:
        """Return the efforts of a search for so many queries; none for one that is exact.

        Where half of the rows are gone, hits are as far as twice as many would be. A filter that
        goes with the vectors can hide the near rows of a query, so that no effort known in advance
        is enough: the first queries under a filter are answered exactly, and for more of them it is
        measured how much effort reaches the recall under it.
        """
        if allowed is None or not self._efforts:
            return self._efforts
        if where is None:
            hidden = len(allowed) / max(1, int(allowed.sum()))
            return {depth: math.ceil(effort * hidden) for depth, effort in self._efforts.items()}
        condition = self._condition(where)
        condition.asked += queries
        if condition.asked <= _EXACT_FIRST or self._content.retriever.is_small(allowed):
            return {}
        if condition.efforts is None:
            least = min(self._efforts.values())
            condition.efforts = efforts_among(self._content.retriever, self._recall, least, allowed)
        return condition.efforts

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
        found = list(self._content.retriever.within(queries, least, allowed))
        width = max((len(places) for places, _ in found), default=0)
        places, cosines = np.full((len(found), width), NONE), np.full((len(found), width), -np.inf)
        for line, (near, scores) in enumerate(found):
            places[line, : len(near)], cosines[line, : len(near)] = near, scores
        return places, cosines


def require_count(k: int) -> int:
    """Return a number of hits; raise UsageError unless it is a whole one from 1 up."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise UsageError(f"-k expects a number of hits from 1 up, got {k!r}.")
    return int(k)


def require_score(least: float | None) -> None:
    """Raise UsageError for a least score that is no cosine."""
    if least is not None and not -1 <= least <= 1:
        raise UsageError(f"--min-score expects a cosine from -1 to 1, got {least}.")
