"""How long building takes by stage, and how soon searches answer, beside each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.types import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

Search = Callable[["NDArray[np.float32]"], Any]
ROUNDS, ALONE = 3, 30  # alternating runs; queries that are asked alone in each


@dataclass(frozen=True, slots=True)
class Speed:
    """Queries a second asked together, and milliseconds of one asked alone, both medians."""

    together: float
    alone: float


def side_by_side(
    searches: Mapping[str, Search], queries: NDArray[np.float32], alone: int = ALONE
) -> dict[str, Speed]:
    """Return the speeds of several searches, which take turns in each of three rounds."""
    together: dict[str, list[float]] = {name: [] for name in searches}
    single: dict[str, list[float]] = {name: [] for name in searches}
    for _ in range(ROUNDS):
        for name, search in searches.items():
            together[name].append(len(queries) / seconds_of(lambda s=search: s(queries)))
            single[name] += [
                1000 * seconds_of(lambda s=search, q=query: s(q[np.newaxis]))
                for query in queries[:alone]
            ]
    return {name: Speed(median(together[name]), median(single[name])) for name in searches}


def seconds_of(do: Callable[[], Any]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


class Stages:
    """A reporter that sums the seconds between what it hears, by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def say(self, text: str) -> None:
        """Pass over it."""

    def progress(self, progress: Progress) -> None:
        """Count the time since the last report to the stage of this one."""
        now = time.perf_counter()
        self.seconds[progress.stage] = self.seconds.get(progress.stage, 0) + now - self._last
        self._last = now
