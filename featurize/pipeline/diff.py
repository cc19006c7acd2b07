"""What changed between a table and its source, and how the two are compared."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from featurize.sources import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Status(IntEnum):
    """What has to be done about a listed input."""

    KEEP = 0  # its row, or its reject, is there
    NEW = 1  # it has no row yet
    CHANGED = 2  # its row holds another content
    UPDATED = 3  # its row holds its content, but other columns


@dataclass(slots=True)
class Diff:
    """What a run has to do. `status` and `part`, of the old row or -1, are by listed input.

    `gone` are rows of parts that leave without a successor, `stale` rejects that no longer hold;
    both by number of part. `left` counts the inputs whose rows are gone, `deleted` the gone rows
    whose input is gone too, `unread` the inputs that were taken as unchanged by their times,
    `refused` those that become new rejects.
    """

    status: NDArray[np.int8]
    part: NDArray[np.int32]
    gone: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    stale: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    left: int = 0
    deleted: int = 0
    unread: int = 0
    refused: int = 0

    @classmethod
    def everything(cls, size: int, refused: int = 0) -> Diff:
        """Return the diff of a table that holds nothing."""
        status, part = np.full(size, Status.NEW, np.int8), np.full(size, -1, np.int32)
        return cls(status, part, refused=refused)

    @property
    def work(self) -> int:
        """Return how many inputs need work."""
        return int((self.status != Status.KEEP).sum())

    @property
    def needs_encoder(self) -> bool:
        """Say whether an input has a content that is new to its row."""
        return bool(np.isin(self.status, (Status.NEW, Status.CHANGED)).any())

    def move_to_new_schema(self) -> None:
        """Count every row that stays as updated, because its columns change."""
        kept_rows = (self.status == Status.KEEP) & (self.part >= 0)
        self.status[kept_rows] = Status.UPDATED

    def places(self, status: Status) -> NDArray[np.int64]:
        """Return the listed inputs of a status, in order."""
        return np.flatnonzero(self.status == status)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How inputs and rows are compared.

    `carried` are the columns both sides must agree on; `delete` says that rows and rejects whose
    input is gone leave, `retry` that rejected contents are tried again. A content that has not
    changed since `trusted_before`, in seconds since the epoch, is taken as the table has it.
    """

    source: Source
    carried: tuple[str, ...]
    delete: bool
    retry: bool
    trusted_before: float = -math.inf
