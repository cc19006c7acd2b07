"""A head, or where it lies."""

from __future__ import annotations

from pathlib import Path

from downstream.heads.head import Head


def open_head(head: Head | str | Path) -> Head:
    """Return a head, loaded if its path is given; raise TypeError for anything else."""
    if isinstance(head, Head):
        return head
    if isinstance(head, str | Path):
        return Head.load(head)
    raise TypeError(f"A head or its path is expected, got {type(head).__name__}.")
