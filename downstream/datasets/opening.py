"""A table, or where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from featurize.table.reader import EmbeddingTable

Table: TypeAlias = EmbeddingTable | str | Path


def open_table(table: Table) -> EmbeddingTable:
    """Return an embedding table, opened if its path is given; raise TypeError for anything else."""
    if isinstance(table, EmbeddingTable):
        return table
    if isinstance(table, str | Path):
        return EmbeddingTable.open(table)
    raise TypeError(f"An embedding table or its path is expected, got {type(table).__name__}.")
