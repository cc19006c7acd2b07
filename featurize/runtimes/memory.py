"""Out of memory, told apart from all else that a runtime raises."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

_OUT_OF_MEMORY = re.compile(
    r"bad[_ ]alloc|out of memory|failed to allocate|can ?not allocate|memory allocation fail"
    r"|alloc_failed",
    re.IGNORECASE,
)


@contextlib.contextmanager
def memory_errors() -> Iterator[None]:
    """Raise MemoryError for what a runtime says in other words."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if _OUT_OF_MEMORY.search(str(error)):
            raise MemoryError(str(error)) from error
        raise
