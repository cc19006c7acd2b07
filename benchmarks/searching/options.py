"""What the sections of benchmarks/search.py are told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """Where data, environments of peers and large files lie, and how much is measured.

    `rows` are those of a large table; `quick` tries everything on little.
    """

    data: Path
    peers: Path
    folder: Path
    rows: int
    quick: bool
