"""How far a run has come, counted from all its threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

from featurize.types import Progress


class Meter:
    """Counts encoded inputs from all threads and reports how far the run has come."""

    def __init__(self, total: int, report: Callable[[Progress], None]) -> None:
        self._total = total
        self._report = report
        self._done = 0
        self._lock = threading.Lock()

    def advance(self, count: int) -> None:
        """Count inputs that were just encoded."""
        with self._lock:
            self._show(self._done + count)

    def reach(self, done: int) -> None:
        """Report that this many inputs are done, duplicates and rejects included."""
        with self._lock:
            self._show(max(done, self._done))

    def _show(self, done: int) -> None:
        self._done = min(done, self._total)
        self._report(Progress("embed", self._done, self._total))
