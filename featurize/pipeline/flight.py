"""Steps on their way: while one is committed, the next are being made."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol

from featurize.errors import Interrupted
from featurize.interruption import shielded
from featurize.pipeline.steps import Staged, Step, Tools
from featurize.pipeline.workers import Workers

STEPS_IN_FLIGHT = 2


class Land(Protocol):
    """Commits what a step staged."""

    def __call__(self, staged: Staged, *, last: bool) -> None:
        """Commit; `last` says that no step is left."""


class Flight:
    """The steps of a run, landed in their order, each as a whole.

    What a signal finds made, it leaves landed: an interruption is raised once the leading steps
    that are made have landed. `show` is called now and then while a step is waited for.
    """

    def __init__(
        self, steps: Sequence[Step], tools: Tools, land: Land, show: Callable[[], None]
    ) -> None:
        self._steps = steps
        self._tools = tools
        self._land = land
        self._show = show
        self._landed = 0
        self._made: deque[Future[Staged]] = deque()

    def run(self) -> None:
        """Make and land all steps; raise what one of them raises."""
        threads = Workers(STEPS_IN_FLIGHT, self._tools.workers.watch, "making a part")
        try:
            for step in self._steps:
                self._made.append(threads.submit(step.stage, self._tools))
                if len(self._made) > STEPS_IN_FLIGHT:
                    self._land_next()
            while self._made:
                self._land_next()
        except (Interrupted, KeyboardInterrupt):
            with shielded():
                while self._made and _is_made(self._made[0]):
                    self._land_next()
            raise
        finally:
            with shielded():  # no thread of a run outlives it, however often it is interrupted
                self._tools.workers.shutdown(wait=True, cancel_futures=True)
                threads.shutdown(wait=True, cancel_futures=True)

    def _land_next(self) -> None:
        self._tools.workers.watch.wait(self._made[0], self._show)
        with shielded():
            staged = self._made[0].result()  # a step that failed stays, so that none lands after it
            self._made.popleft()
            self._landed += 1
            self._land(staged, last=self._landed == len(self._steps))
        self._show()


def _is_made(future: Future[Staged]) -> bool:
    """Say whether a step has come to a good end."""
    return future.done() and future.exception() is None
