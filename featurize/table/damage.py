"""What is said of a file of a table that is damaged or gone, and what to do about it."""

from __future__ import annotations

from pathlib import Path

from featurize.errors import TableError

MEND = (
    "Restore the file from a backup, or make the table anew: run the same `featurize embed` "
    "command with another --out, which computes everything again."
)


def damaged(path: Path, detail: str) -> TableError:
    """Return the error of a file that is not as it was written: what was expected, and found."""
    return TableError(f"{path}: {detail}.", fix=MEND)
