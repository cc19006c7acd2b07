"""Generated texts as files: what benchmarks of whole runs read."""

from __future__ import annotations

import random
from pathlib import Path

FILES = 10_000
WORDS = ["refund", "parcel", "card", "late", "broken", "order"]
WORDS += ["where", "when", "money", "account", "please", "thanks"]


def text(seed: int) -> str:
    """Make a text that no other file has."""
    return " ".join(random.choices(WORDS, k=12)) + f" {seed}"


def path_of(folder: Path, number: int) -> Path:
    """Return where a file lies: a hundred folders share all files."""
    return folder / f"{number % 100:02}" / f"{number:05}.txt"


def write_files(folder: Path) -> None:
    """Write all files."""
    random.seed(0)
    for number in range(FILES):
        path = path_of(folder, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(number))
