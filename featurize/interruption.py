"""Work that SIGINT and SIGTERM do not cut in two."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Finish what is inside before a signal is acted upon; then act upon the first that came.

    What that means stays with the process: `Interrupted` in the command, KeyboardInterrupt in a
    notebook. A signal that kills, or that Python does not handle, is left as it is. Work that fails
    raises its failure instead. Does nothing outside the main thread, which alone is interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in numbers}
    handled = [number for number, handler in handlers.items() if callable(handler)]
    received: list[int] = []
    over = False

    def keep(number: int, frame: FrameType | None) -> None:
        # Handlers change one by one, so one may outlast the shield: it then changes nothing.
        if over:
            handlers[number](number, frame)
        received.append(number)

    try:
        for number in handled:
            signal.signal(number, keep)
        yield
    finally:
        over = True
        for number in handled:
            signal.signal(number, handlers[number])
    if received:
        signal.raise_signal(received[0])
