"""How far a run has come, counted from all its threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

from featurize.types import Progress


class Meter:
    """Counts encoded inputs from all threads; what it shows, it reports from the caller's own.

    A report may wait for a terminal that stands still, which must not make a worker look stuck.
    """

    def __init__(self, total: int, report: Callable[[Progress], None]) -> None:
        self._total = total
        self._report = report
        self._done = 0.0
        self._lock = threading.Lock()

    def advance(self, count: float) -> None:
        """Count inputs that were just encoded, also parts of one."""
        with self._lock:
            self._done += count

    def show(self) -> None:
        """Report how far the run has come."""
        self._report(Progress("embed", min(int(self._done), self._total), self._total))
