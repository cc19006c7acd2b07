"""Collecting garbage: what no reader of a table needs any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from featurize.table.layout import Layout
from featurize.table.log import CommitLog
from featurize.table.writer import write_table


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed: counts of `staged`, `unnamed` and `log` files, and their bytes."""

    table: str
    version: int
    removed: dict[str, int]
    bytes: int


def collect_garbage(
    root: Path, *, wait: bool = False, say: Callable[[str], None] = lambda _: None
) -> Collected:
    """Remove unfinished files, files that no commit names, and log entries but the last.

    A checkpoint takes the place of those entries; version and content of the table stay. Raises
    TableError where there is no table, TableLocked where another process writes to it, unless
    `wait`, which tells `say` whom it waits for.
    """
    CommitLog(Layout.of(root).log).committed()
    with write_table(root, wait=wait, say=say) as writer:
        writer.checkpoint()
    removed = {kind: writer.removed[kind] for kind in ("staged", "unnamed", "log")}
    return Collected(str(root), writer.snapshot.version, removed, writer.removed["bytes"])
