"""Threads under watch: one that hangs or dies ends the run instead of stalling it."""

from __future__ import annotations

import faulthandler
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor, Future, wait
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import ParamSpec, TypeAlias, TypeVar

from featurize.errors import WorkerStuck
from featurize.interruption import shielded

P = ParamSpec("P")
T = TypeVar("T")
_STDERR = 2
_LONGEST_PAUSE = 1.0  # seconds between two looks at the threads


class Watch:
    """Hears from threads what they are at, and tells when one is silent for over `limit` seconds.

    Only time that was watched counts, look by look: neither a process that was stopped for an hour
    nor a main thread that was busy makes a thread look stuck.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._pause = min(_LONGEST_PAUSE, limit / 4)
        self._clock = 0.0
        self._looked = time.monotonic()
        self._heard: dict[int, tuple[str, float]] = {}  # thread -> what it is at, since when
        self.is_over = False  # nobody wants the items under way any more

    def hear(self, doing: str) -> None:
        """Take note that the calling thread is at work."""
        self._heard[threading.get_ident()] = doing, self._clock

    def forget(self) -> str:
        """Expect nothing of the calling thread any more; return what it was at, if anything."""
        return self._heard.pop(threading.get_ident(), ("", 0.0))[0]

    def wait(self, future: Future[T], meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait for an item, and do something small now and then.

        Raises WorkerStuck, after a dump of all stacks, where a thread hangs.
        """
        if doing := self.forget():  # whoever waits for this thread watches them both
            wait([future])
            self.hear(doing)
            return
        done: SimpleQueue[object] = SimpleQueue()
        with shielded():
            future.add_done_callback(done.put)
        while not _arrives(done, self._pause):
            meanwhile()
            if doing := self._stuck():
                faulthandler.dump_traceback(_STDERR, all_threads=True)
                raise WorkerStuck(
                    f"A worker has been silent for {self._limit:g} s while {doing}; the stacks of "
                    "all threads are on stderr.",
                    fix="What was committed stays; run the command again to go on. Where disk, "
                    "network or model are that slow, allow more time with --stuck-after.",
                )

    def join(self, threads: Sequence[threading.Thread]) -> None:
        """Wait until threads have ended, but for none that hangs."""
        for thread in threads:
            while thread.is_alive() and not self._stuck():
                thread.join(self._pause)

    def _stuck(self) -> str:
        """Return what a thread is at that hangs; nothing where all is well."""
        now = time.monotonic()
        self._clock += min(now - self._looked, 2 * self._pause)
        self._looked = now
        heard = dict(self._heard).values()
        return next((doing for doing, at in heard if self._clock - at > self._limit), "")


def _arrives(queue: SimpleQueue[object], seconds: float) -> bool:
    """Say whether something comes in time.

    A signal may raise anywhere in the main thread. Of all ways to wait this one alone runs no code
    of Python's own, in which an exception can leave a lock half way.
    """
    try:
        queue.get(timeout=seconds)
    except Empty:
        return False
    return True


class _Item(Future[T]):
    """What becomes of a call that a worker makes; to wait for it is to watch the workers."""

    def __init__(self, watch: Watch, call: Callable[[], T]) -> None:
        super().__init__()
        self._watch = watch
        self._call = call

    def result(self, timeout: float | None = None) -> T:
        """Wait for the result, under watch, and return it."""
        if timeout is None:
            self._watch.wait(self)
        return super().result(timeout)

    def make(self) -> None:
        """Make the call, on a worker."""
        if not self.set_running_or_notify_cancel():
            return
        try:
            self.set_result(self._call())
        except (SystemExit, KeyboardInterrupt) as error:  # only the main thread may end a command
            failure = RuntimeError(f"a worker asked for the end of the process: {error!r}")
            failure.__cause__ = error
            self.set_exception(failure)
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            self.set_exception(error)

    def drop(self) -> None:
        """Cancel a call not begun, and tell whoever waits for it."""
        self.cancel()
        self.set_running_or_notify_cancel()


_Queue: TypeAlias = "SimpleQueue[_Item[object] | None]"
_present = threading.local()


class Workers(Executor):
    """Threads that make calls in the order they were submitted, watched by whoever waits.

    `duty` says what they are at unless they say more. Unlike those of ThreadPoolExecutor, they do
    not keep the interpreter from ending, which one that hangs would do for ever.
    """

    def __init__(self, count: int, watch: Watch, duty: str) -> None:
        self.watch = watch
        self._duty = duty
        self._items: _Queue = SimpleQueue()
        self._lock = threading.Lock()
        self._is_shut = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{duty} {number}", daemon=True)
            for number in range(count)
        ]
        with shielded():
            for thread in self._threads:
                thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a worker make a call."""
        item = _Item(self.watch, partial(fn, *args, **kwargs))
        with self._lock:
            if self._is_shut:
                raise RuntimeError("nothing can be submitted after the shutdown of the workers")
            self._items.put(item)  # type: ignore[arg-type]
        return item

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and wait for those under way, but for none that hangs.

        With `cancel_futures`, those not begun are dropped, and those under way end at their next
        `beat`, as do those of all workers under the same watch.
        """
        with self._lock:
            self._is_shut = True
            if cancel_futures:
                self.watch.is_over = True
                with suppress(Empty):
                    while True:
                        if item := self._items.get_nowait():
                            item.drop()
        for _ in self._threads:
            self._items.put(None)
        if wait:
            self.watch.join(self._threads)

    def _work(self) -> None:
        _present.watch = self.watch
        while self._make_next():
            pass

    def _make_next(self) -> bool:
        """Make one call; a function of its own, so that its result is not kept while waiting."""
        item = self._items.get()
        if item is None:
            return False
        self.watch.hear(self._duty)
        try:
            item.make()
        finally:
            self.watch.forget()
        return True


def beat(doing: str) -> None:
    """Say that the present call of this worker goes on, and what it is at.

    Raises CancelledError where nobody wants its result any more; does nothing outside of workers.
    """
    watch: Watch | None = getattr(_present, "watch", None)
    if watch is None:
        return
    if watch.is_over:
        raise CancelledError
    watch.hear(doing)
