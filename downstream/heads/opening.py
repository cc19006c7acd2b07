"""A head of any task, or where it lies."""

from __future__ import annotations

from pathlib import Path

from downstream.datasets import Task
from downstream.heads.base import TableHead
from downstream.heads.kinds import KINDS, AnyHead, task_named
from downstream.heads.store import HEAD


def open_head(head: AnyHead | str | Path) -> AnyHead:
    """Return a head, loaded if its path is given; raise TypeError for anything else."""
    if isinstance(head, TableHead):
        return head
    if isinstance(head, str | Path):
        task = HEAD.peek(Path(head)).get("task", Task.CLASSES)
        return KINDS[task_named(str(task))].load(head)
    raise TypeError(f"A head or its path is expected, got {type(head).__name__}.")
