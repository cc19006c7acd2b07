"""What the stages of a run cost: how long each kept threads busy, and which held up the rest."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from enum import StrEnum


class Stage(StrEnum):
    """A stage of a run, in the order an input passes through them."""

    LIST = "list"
    COMPARE = "compare"
    LOAD = "load"
    READ = "read"
    PREPARE = "prepare"
    ENCODE = "encode"
    WRITE = "write"
    COMMIT = "commit"


class StageClock:
    """Adds up the seconds that threads spend in each stage. Safe for several threads."""

    def __init__(self) -> None:
        self._busy = dict.fromkeys(Stage, 0.0)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def busy(self, stage: Stage) -> Iterator[None]:
        """Count the time inside the block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - began)

    def add(self, stage: Stage, seconds: float) -> None:
        """Count seconds of one thread."""
        with self._lock:
            self._busy[stage] += seconds

    def seconds(self) -> dict[str, float]:
        """Return the busy seconds of each stage, summed over threads."""
        return {str(stage): round(busy, 3) for stage, busy in self._busy.items()}

    def bottleneck(self, workers: int) -> str:
        """Return the stage that held up the run longest, where `workers` share some of them."""
        shared = {Stage.READ, Stage.PREPARE, Stage.ENCODE}
        held_up = {
            stage: busy / workers if stage in shared else busy for stage, busy in self._busy.items()
        }
        return str(max(held_up, key=held_up.__getitem__))
