"""What is said of a file of a table that is damaged or gone, or of a table that is yet to be."""

from __future__ import annotations

from pathlib import Path

from featurize.errors import TableError
from featurize.storage import HOLDER, holder
from featurize.table.layout import Layout

MEND = (
    "Restore the file from a backup, or make the table anew: run the same `featurize embed` "
    "command with another --out, which computes everything again."
)


def damaged(path: Path, detail: str) -> TableError:
    """Return the error of a file that is not as it was written: what was expected, and found."""
    return TableError(f"{path}: {detail}.", fix=MEND)


def uncommitted(root: Path) -> TableError:
    """Return the error of a folder without a commit: no table, or one whose first run is not done.

    A run that ends by itself leaves no such folder; one that was killed does.
    """
    if writer := holder(root):
        return TableError(
            f"{root} holds no commit yet: a run is under way ({writer}).",
            fix="Wait until it has finished.",
        )
    if Layout.of(root).log.is_dir() or (root / HOLDER).exists():
        return TableError(
            f"{root} holds no commit: its first run was stopped before it made one.",
            fix="Run the same `featurize embed` command again, or remove the folder.",
        )
    return TableError(
        f"{root} is no embedding table: it holds no commit.",
        fix="Make one with `featurize embed SOURCE --out TABLE`.",
    )
