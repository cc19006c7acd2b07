"""How many threads work."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

WORTH_IT = 50_000_000


def limited(operations: int) -> AbstractContextManager[Any]:
    """Hold OpenMP to one thread for work that is too small to share out.

    Threads that find no free core wait for each other, which on a busy machine takes longer than
    the work itself.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(
        1 if operations < WORTH_IT else None, user_api="openmp"
    )
    return limits
