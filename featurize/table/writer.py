"""Writing a table: parts are staged, then named by a commit, in order."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from featurize import storage
from featurize.errors import TableError
from featurize.table.layout import Layout
from featurize.table.log import EMPTY, Commit, CommitLog, Snapshot
from featurize.table.part import Part, write_part
from featurize.types import Json

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class StagedPart:
    """A complete Parquet file that no commit names yet."""

    path: Path
    part: Part


class TableWriter:
    """The one writer of a table. `stage` may run on any thread, `commit` on one."""

    def __init__(self, layout: Layout, origin: Json) -> None:
        self._layout = layout
        self._log = CommitLog(layout.log)
        self.origin = origin
        self.snapshot: Snapshot = EMPTY

    @property
    def staging(self) -> Path:
        """Return the folder for unfinished files, cleared by the next writer."""
        return self._layout.staging

    def stage(self, rows: pa.Table) -> StagedPart:
        """Write rows or rejects to a part that readers do not see yet."""
        path = self.staging / f"{uuid.uuid4().hex}.parquet"
        return StagedPart(path, write_part(rows, path))

    def commit(
        self,
        data: StagedPart | None,
        rejects: StagedPart | None,
        counts: dict[str, int],
        *,
        complete: bool = True,
    ) -> None:
        """Give staged parts their final names, then make them the table's next version.

        `complete` says that nothing of the run is left to do.
        """
        version = self.snapshot.version + 1
        staged = [(self._layout.data, data), (self._layout.rejects, rejects)]
        parts = [self._place(version, folder, part) for folder, part in staged if part is not None]
        commit = Commit("embed", parts, [], self.origin, counts, complete)
        self.snapshot = self._log.append(self.snapshot, commit)

    def tidy(self) -> None:
        """Remove what the last commit does not name, so that plain readers see only its rows.

        The log is read afresh: after an error nobody else knows which commit was the last.
        """
        self.snapshot = self._log.snapshot()
        for folder in (self._layout.data, self._layout.rejects):
            for path in folder.iterdir():
                if f"{folder.name}/{path.name}" not in self.snapshot.parts:
                    storage.remove(path)
        for path in (*self.staging.iterdir(), *self._layout.log.glob(".*")):
            storage.remove(path)

    def _place(self, version: int, folder: Path, staged: StagedPart) -> Part:
        name = f"part-{version:06d}-{staged.part.sha256[:12]}.parquet"
        storage.publish(staged.path, folder / name)
        return replace(staged.part, file=f"{folder.name}/{name}")


@contextlib.contextmanager
def new_table(root: Path, origin: Json) -> Iterator[TableWriter]:
    """Open a new table for writing, locked.

    On leaving, files that no commit names are removed, and all of a table that got no commit.
    Raises TableError where the folder already holds a table or anything else.
    """
    layout = Layout.of(root)
    require_room(root)
    with storage.lock(layout.root, wait=False):
        _require_free(layout)
        writer = TableWriter(layout, origin)
        try:
            for folder in layout.folders:
                storage.make_folder(folder)
            writer.tidy()
            yield writer
        finally:
            writer.tidy()
            if writer.snapshot.version == 0:
                _withdraw(layout)


def _withdraw(layout: Layout) -> None:
    """Remove a table that never got a commit, and its folder if nothing else lies in it."""
    for folder in layout.folders:
        storage.remove(folder)
    storage.remove(layout.root / storage.HOLDER)
    if not any(layout.root.iterdir()):
        layout.root.rmdir()


def require_room(root: Path) -> None:
    """Raise TableError where a new table cannot be written: before anything costs time."""
    if root.exists() and not root.is_dir():
        raise TableError(f"{root} is a file; --out names a folder.")
    nearest = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise TableError(f"{nearest} cannot be written to.", fix="Choose another --out.")
    if root.is_dir() and not (root / storage.HOLDER).exists():
        _require_free(Layout.of(root))


def _require_free(layout: Layout) -> None:
    """Refuse a folder that holds a table, or anything that is none."""
    log = CommitLog(layout.log)
    if log.versions():
        raise TableError(
            f"{layout.root} already holds an embedding table"
            f"{'' if log.snapshot().complete else ', of a run that was stopped before its end'}; "
            "this version does not update one.",
            fix="Choose another --out, or remove the folder.",
        )
    names = {storage.HOLDER, *(folder.name for folder in layout.folders)}
    strangers = sorted(path.name for path in layout.root.iterdir() if path.name not in names)
    if strangers:
        raise TableError(
            f"{layout.root} is not empty and no embedding table: it holds {strangers[0]!r}.",
            fix="Choose a new or empty folder as --out.",
        )
