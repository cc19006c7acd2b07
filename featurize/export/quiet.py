"""Silence for libraries that talk while they work."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what libraries print, log and warn; exceptions pass.

    Import a library before: one that is imported inside keeps the silenced stream for its logs.
    """
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    void = io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(void),
            contextlib.redirect_stderr(void),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
