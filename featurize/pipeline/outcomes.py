"""What is known of listed inputs before anything is encoded: digests and early rejections."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurize.errors import InputRejected
from featurize.pipeline.preparing import content_digest, records_of
from featurize.pipeline.workers import beat
from featurize.sources import Record, Source

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_SLICES = 8
_LARGE = 64 << 10  # bytes of content, on average


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of an input before it is encoded: its digest, or why it is rejected.

    It was not read where `read` is False: the table says it.
    """

    source: str
    digest: str | None
    reason: str | None = None
    detail: str | None = None
    read: bool = True

    @property
    def as_reject(self) -> tuple[str, str | None, str | None, str | None] | None:
        """Return the reject it becomes, as the table would state it; None if it has content."""
        return None if self.reason is None else (self.source, self.reason, self.detail, None)


def outcomes_of(
    listed: pa.Table,
    sizes: NDArray[np.int64],
    source: Source,
    trusted: Callable[[Record], Outcome | None],
    workers: Executor,
) -> list[Outcome]:
    """Load and hash the contents of a block on the workers, on one alone where they are small.

    What `trusted` says of an input is taken for its outcome, unread.
    Threads that read small files hinder each other: they take turns at Python's lock for each.
    """
    names = ("reason", "detail")
    reasons = zip(*(listed.column(name).to_pylist() for name in names), strict=True)
    pairs = list(zip(records_of(listed), reasons, strict=True))

    def look_at(record: Record, reason: str | None, detail: str | None) -> Outcome:
        beat(f"reading {record.id}")
        if reason is not None:
            return Outcome(record.source, None, reason, detail)
        return trusted(record) or _read(source, record)

    def look_at_all(part: list[tuple[Record, tuple[str | None, str | None]]]) -> list[Outcome]:
        return [look_at(record, *why) for record, why in part]

    slices = 1 if sizes.mean() < _LARGE else _SLICES
    size = max(1, -(-len(pairs) // slices))
    parts = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    return [outcome for part in workers.map(look_at_all, parts) for outcome in part]


def _read(source: Source, record: Record) -> Outcome:
    try:
        digest = content_digest(source.load(record))
    except InputRejected as rejection:
        return Outcome(record.source, None, str(rejection.reason), rejection.detail)
    return Outcome(record.source, digest)
