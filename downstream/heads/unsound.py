"""What is wrong with a saved head, and in which of its files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class Unsound(ValueError):
    """The content of one `file` of a head cannot be what was saved."""

    def __init__(self, file: str, why: Exception) -> None:
        super().__init__(f"{file}: {why}")
        self.file = file


@contextlib.contextmanager
def reading(file: str) -> Iterator[None]:
    """Raise Unsound, which names the file, where its content is not as expected."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unsound(file, error) from error
