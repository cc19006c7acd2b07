"""Ends a process in which Python stands still, where no code of it could notice."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from featurize.interruption import shielded

_STDERR = 2
_LONGEST_PAUSE = 5.0  # seconds


@contextlib.contextmanager
def heartbeat(limit: float) -> Iterator[None]:
    """Exit with 1, after a dump of all stacks, once no thread could run for `limit` seconds.

    That is so when a library hangs while it holds Python's lock. A thread winds up a timer again
    and again, which runs outside of Python and goes off when the thread cannot. Ctrl-Z stops the
    timer with the process.
    """
    over = threading.Event()

    def beat() -> None:
        while not over.is_set():
            _wind_up(limit)
            over.wait(min(_LONGEST_PAUSE, limit / 4))

    def pause(_number: int, _frame: FrameType | None) -> None:
        faulthandler.cancel_dump_traceback_later()
        os.kill(os.getpid(), signal.SIGSTOP)
        _wind_up(limit)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    with shielded():
        thread.start()
    stops = signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL
    if stops:
        signal.signal(signal.SIGTSTP, pause)
    try:
        yield
    finally:
        if stops:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        over.set()
        thread.join()
        faulthandler.cancel_dump_traceback_later()


def _wind_up(limit: float) -> None:
    faulthandler.dump_traceback_later(limit, exit=True, file=_STDERR)
