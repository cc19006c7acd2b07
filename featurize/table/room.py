"""Whether a table may be made in a folder: nothing that is not its own is ever in its way."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from featurize import storage
from featurize.errors import TableError
from featurize.table.layout import Layout
from featurize.table.log import CommitLog

_FIRST_PART = re.compile(r"part-000001-[0-9a-f]{12}\.parquet")


def require_room(root: Path) -> None:
    """Raise TableError where a table cannot be written: before anything costs time."""
    if root.is_symlink() and not root.exists():
        raise TableError(f"{root} is a link to nowhere; --out names a folder.")
    if root.exists() and not root.is_dir():
        raise TableError(f"{root} is a file; --out names a folder.")
    nearest = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise TableError(
            f"{nearest} cannot be written to.",
            fix="Check its permissions and that its disk is not read-only, or choose another "
            "--out.",
        )
    if root.is_dir():
        require_own(Layout.of(root))


def require_writable(root: Path) -> None:
    """Raise TableError where the system lets nobody write: some folders only seem to allow it."""
    nearest = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    try:
        storage.try_writing(nearest)
    except OSError as error:
        raise TableError(
            f"{root} cannot be written: {nearest} takes no files ({error.strerror}).",
            fix="Choose another --out.",
        ) from error


def require_own(layout: Layout) -> None:
    """Refuse a folder that is neither a table, nor what a first run left unfinished, nor empty.

    A writer clears what no commit names, so anything of somebody else's would be lost.
    """
    log = CommitLog(layout.log)
    stranger = None if log.versions() else next(_strangers(layout), None)
    if stranger is not None and not log.versions():  # none came while the folders were listed
        raise TableError(
            f"{layout.root} is not empty and no embedding table: it holds "
            f"{str(stranger.relative_to(layout.root))!r}.",
            fix="Choose a new or empty folder as --out.",
        )


def _strangers(layout: Layout) -> Iterator[Path]:
    """Yield what a run that made no commit cannot have left."""
    own = {storage.HOLDER, *(folder.name for folder in layout.folders)}
    yield from (layout.root / name for name in storage.names(layout.root) if name not in own)
    # a run makes all folders before it writes into one of them
    whole = all(folder.is_dir() for folder in layout.folders)
    for folder in layout.folders:
        for name in storage.names(folder):
            if not whole or not _may_be_left(layout, folder, name):
                yield folder / name


def _may_be_left(layout: Layout, folder: Path, name: str) -> bool:
    if folder == layout.staging:
        return True
    return name.startswith(".") if folder == layout.log else bool(_FIRST_PART.fullmatch(name))
