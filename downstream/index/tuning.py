"""How far a search must go: recall and time of each effort, by rows that the graph never met."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from downstream.index.exact import TIE
from downstream.index.retriever import DEPTHS, Retriever
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_APART, _SHARE_APART = 1000, 0.1
_ASKED = 250  # rows that efforts for a filter are measured by
_ENOUGH = 20  # rows apart that recall can be measured by
_ERRORS = 3  # standard errors by which the mean must clear the target
_ALONE, _ALONE_EXACT = 30, 5  # queries that are timed one by one
_PATIENCE = 1.0  # seconds that a measurement may take in any case
_TOO_LATE = 10  # times as slow as exact search
_HIGHEST = 0.999  # recall up to which the curve is drawn


@dataclass(frozen=True, slots=True)
class Point:
    """One effort: the recall it reaches for each depth, mean and lower bound, and what it costs.

    `per_second` counts queries asked together, `milliseconds` is the median of one asked alone.
    """

    effort: int
    recall: dict[int, float]
    bound: dict[int, float]
    per_second: float
    milliseconds: float

    def to_json(self) -> Json:
        """Return the point as a card states it."""
        return {
            "effort": self.effort,
            "recall": {str(depth): round(value, 5) for depth, value in self.recall.items()},
            "queries_per_second": round(self.per_second, 1),
            "milliseconds": round(self.milliseconds, 4),
        }


@dataclass(frozen=True, slots=True)
class Curve:
    """Recall and time of rising efforts, those of exact search, and the efforts that are enough.

    `measure` says what efforts count. `efforts` has one for each depth, none for a depth at which
    no effort reached the target: so many hits are then searched for exactly.
    """

    measure: str
    points: list[Point]
    efforts: dict[int, int]
    exact: Point
    queries: int

    @property
    def reaches(self) -> bool:
        """Say whether the target is reached for ten hits."""
        return DEPTHS[0] in self.efforts

    @property
    def chosen(self) -> Point:
        """Return the point of ten hits, or the best one where none is enough."""
        effort = self.efforts.get(DEPTHS[0], self.points[-1].effort)
        return next(point for point in self.points if point.effort == effort)

    def to_json(self) -> Json:
        """Return the curve as a card states it."""
        return {
            "measure": self.measure,
            "queries": self.queries,
            "efforts": {str(depth): effort for depth, effort in self.efforts.items()},
            "points": [point.to_json() for point in self.points],
            "exact": self.exact.to_json(),
        }


def count_apart(rows: int) -> int:
    """Return how many of so many rows are kept apart: a tenth, at most 1,000."""
    return min(_MOST_APART, int(_SHARE_APART * rows))


def measure(
    retriever: Retriever,
    recall: float,
    allowed: NDArray[np.bool_] | None = None,
) -> Curve:
    """Draw the curve of a retriever with a graph, until an effort is enough for recall and more.

    Queries are the rows kept apart, or the first 1,000 where these are fewer than 20; only
    `allowed` ones (rows,) ask and are found, and none is among its own neighbours. Recall counts
    the hits that are no farther than the last one of the exact search. An effort is enough if the
    mean is over the target by three standard errors.
    """
    assert retriever.graph is not None
    trial = _Trial.of(retriever, _apart(retriever, allowed), allowed, DEPTHS)
    points: list[Point] = []
    for effort in retriever.graph.efforts:
        point, took = trial.point(retriever, effort)
        points.append(point)
        is_enough = min(point.bound.values()) >= recall
        is_high = is_enough and point.bound[DEPTHS[0]] >= _HIGHEST
        is_late = took > max(trial.exact_seconds, _PATIENCE) and point.bound[DEPTHS[0]] >= recall
        if is_high or is_late or took > _TOO_LATE * max(trial.exact_seconds, _PATIENCE):
            break
    measure, flat = retriever.graph.measure, trial.exact_point(retriever.vectors)
    return Curve(measure, points, _enough(points, recall), flat, len(trial.places))


def efforts_among(
    retriever: Retriever, recall: float, least: int, allowed: NDArray[np.bool_]
) -> dict[int, int]:
    """Return the efforts, of at least so much, that reach a recall among `allowed` rows (n,).

    Measured as `measure` does, but by 250 rows, those that are allowed and those that are not each
    for themselves: who asks for some rows may well ask from afar. Where no effort is enough there
    is none, or where it would take longer than exact search.
    """
    asked = _apart(retriever, None)[:: max(1, len(retriever.apart) // _ASKED)]
    parts = [rows for rows in (asked[allowed[asked]], asked[~allowed[asked]]) if len(rows)]
    found = [_efforts_of(retriever, recall, least, allowed, rows) for rows in parts]
    return {
        depth: max(efforts[depth] for efforts in found)
        for depth in DEPTHS
        if all(depth in efforts for efforts in found)
    }


def _efforts_of(
    retriever: Retriever,
    recall: float,
    least: int,
    allowed: NDArray[np.bool_],
    asked: NDArray[np.int64],
) -> dict[int, int]:
    """Return the efforts that reach a recall among allowed rows for those that ask."""
    assert retriever.graph is not None
    trial = _Trial.of(retriever, asked, allowed, DEPTHS)
    points: list[Point] = []
    for effort in (effort for effort in retriever.graph.efforts if effort >= least):
        point, took = trial.point(retriever, effort)
        points.append(point)
        if min(point.bound.values()) >= recall or took > trial.exact_seconds:
            break
    return _enough(points, recall)


def _apart(retriever: Retriever, allowed: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """Return the places of rows to measure by."""
    rows = np.arange(len(retriever.vectors)) if allowed is None else np.flatnonzero(allowed)
    apart = retriever.apart if allowed is None else retriever.apart[allowed[retriever.apart]]
    return apart if len(apart) >= _ENOUGH else rows[:_MOST_APART]


def reached(retriever: Retriever, effort: int, allowed: NDArray[np.bool_] | None = None) -> float:
    """Return the recall of ten hits that an effort reaches, measured as `measure` does."""
    trial = _Trial.of(retriever, _apart(retriever, allowed), allowed, DEPTHS[:1])
    return trial.point(retriever, effort)[0].recall[DEPTHS[0]]


def _enough(points: list[Point], recall: float) -> dict[int, int]:
    """Return the least effort that is enough at each depth, as far as there is one."""
    enough = {
        depth: [point.effort for point in points if point.bound[depth] >= recall]
        for depth in points[0].bound
    }
    return {depth: efforts[0] for depth, efforts in enough.items() if efforts}


@dataclass(frozen=True, slots=True)
class _Trial:
    """Queries, which rows they are, which rows count, and the last cosine of their exact hits."""

    queries: NDArray[np.float32]
    places: NDArray[np.int64]
    allowed: NDArray[np.bool_] | None
    others: int
    last: dict[int, NDArray[np.float64]]
    exact_seconds: float

    @classmethod
    def of(
        cls,
        retriever: Retriever,
        places: NDArray[np.int64],
        allowed: NDArray[np.bool_] | None,
        depths: tuple[int, ...],
    ) -> _Trial:
        vectors = retriever.vectors
        count = len(vectors) if allowed is None else int(allowed.sum())
        queries = np.ascontiguousarray(vectors[places])
        trial = cls(queries, places, allowed, max(1, count - 1), {}, 0.0)
        began = time.perf_counter()
        found = trial.search(Retriever(vectors), max(depths), 0)
        seconds = time.perf_counter() - began
        last = {depth: found[:, min(depth, trial.others) - 1] for depth in depths}
        return replace(trial, last=last, exact_seconds=seconds)

    def search(self, retriever: Retriever, k: int, effort: int) -> NDArray[np.float64]:
        """Return the cosines of each query's hits, itself left out, (n, k)."""
        wanted = min(k + 1, len(retriever.vectors))
        efforts = dict.fromkeys(DEPTHS, effort)
        # hits that exact search would have to add are missed: with fewer hits asked for they are
        found, cosines = retriever.find(self.queries, wanted, efforts, self.allowed, complete=False)
        itself = found == self.places[:, np.newaxis]
        order = np.argsort(itself, axis=1, kind="stable")[:, : max(1, wanted - 1)]
        others = np.where(itself, -np.inf, cosines)
        return np.take_along_axis(others, order, axis=1)

    def point(self, retriever: Retriever, effort: int) -> tuple[Point, float]:
        """Measure an effort; return the seconds it took for all queries, too."""
        recall, bound, seconds = {}, {}, {}
        for depth in self.last:
            began = time.perf_counter()
            cosines = self.search(retriever, depth, effort)
            seconds[depth] = time.perf_counter() - began
            hits = cosines >= self.last[depth][:, np.newaxis] - TIE
            shares = np.minimum(hits.sum(axis=1) / min(depth, self.others), 1.0)
            recall[depth] = float(shares.mean())
            bound[depth] = recall[depth] - _ERRORS * float(shares.std()) / len(shares) ** 0.5
        rate = len(self.queries) / max(seconds[DEPTHS[0]], 1e-9)
        alone = self._alone(retriever, effort, _ALONE)
        return Point(effort, recall, bound, rate, alone), seconds[DEPTHS[0]]

    def exact_point(self, vectors: NDArray[np.float32]) -> Point:
        """Return what exact search costs, which finds all."""
        alone = self._alone(Retriever(vectors), 0, _ALONE_EXACT)
        complete = dict.fromkeys(self.last, 1.0)
        rate = len(self.queries) / max(self.exact_seconds, 1e-9)
        return Point(0, complete, complete, rate, alone)

    def _alone(self, retriever: Retriever, effort: int, times: int) -> float:
        efforts, took = dict.fromkeys(DEPTHS, effort), []
        for number in range(min(times, len(self.queries))):
            began = time.perf_counter()
            retriever.find(self.queries[number : number + 1], DEPTHS[0], efforts, self.allowed)
            took.append(time.perf_counter() - began)
        return float(np.median(took)) * 1000
