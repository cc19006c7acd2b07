"""Writing a table: parts are staged, then named by a commit, in order."""

from __future__ import annotations

import contextlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from featurize import storage
from featurize.interruption import shielded
from featurize.table.layout import Layout
from featurize.table.log import CommitLog
from featurize.table.part import Part, write_part
from featurize.table.room import require_own, require_room
from featurize.table.snapshot import EMPTY, Commit, Snapshot
from featurize.types import Json

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class StagedPart:
    """A complete Parquet file that no commit names yet."""

    path: Path
    part: Part


@dataclass(frozen=True, slots=True)
class Replacement:
    """A staged part that takes the place of an older one; None where nothing of it is left."""

    old: Part
    new: StagedPart | None


@dataclass(frozen=True, slots=True)
class Change:
    """The files one commit adds and replaces, what was counted, and whether its run is done.

    `keep_out` are tombstones of ids that must not come back.
    """

    data: Sequence[StagedPart] = ()
    rejects: Sequence[StagedPart] = ()
    replaced: Sequence[Replacement] = ()
    counts: dict[str, int] = field(default_factory=dict)
    complete: bool = True
    keep_out: Sequence[str] = ()


class TableWriter:
    """The one writer of a table. `stage` may run on any thread, `commit` on one.

    `removed` counts the files that `tidy` removed, `staged`, `unnamed` and `log`, and their bytes.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._log = CommitLog(layout.log)
        self.origin: Json = {}
        self.snapshot: Snapshot = EMPTY
        self.removed: Counter[str] = Counter()
        self._in_doubt = True  # whether the disk holds what it shows

    @property
    def root(self) -> Path:
        """Return the folder of the table."""
        return self._layout.root

    def open(self) -> None:
        """Make the folders, and durable what they hold; then clear what no commit names."""
        for folder in self._layout.folders:
            storage.make_folder(folder)
        # a run that was killed may have made or removed names, but not durably
        for folder in (*self._layout.folders, self.root):
            storage.sync_folder(folder)
        self._in_doubt = False
        self.tidy()
        if self.snapshot.version == 0:
            with contextlib.suppress(PermissionError):  # a folder that cannot be listed
                storage.sync_folder(self.root.parent)
        self.origin = dict(self.snapshot.origin)

    def leave(self) -> None:
        """Remove what no commit names, and all of a table that got no commit."""
        self.tidy()
        if self.snapshot.version == 0 and not self._in_doubt:
            _withdraw(self._layout)

    @property
    def staging(self) -> Path:
        """Return the folder for unfinished files, cleared by the next writer."""
        return self._layout.staging

    def stage(self, rows: pa.Table) -> StagedPart:
        """Write rows or rejects to a part that readers do not see yet."""
        path = self.staging / f"{uuid.uuid4().hex}.parquet"
        return StagedPart(path, write_part(rows, path))

    def commit(self, change: Change, operation: str = "embed") -> dict[Path, Part]:
        """Give staged parts their final names, then make them the table's next version.

        A replacement keeps the number in the name of the part it replaces, and so its place.
        Returns the parts by the path at which they were staged.
        """
        number = self.snapshot.version + 1
        placed = {
            part.path: self._place(number, folder, part)
            for folder, parts in (
                (self._layout.data, change.data),
                (self._layout.rejects, change.rejects),
            )
            for part in parts
        }
        for item in change.replaced:
            if item.new is not None:
                folder = self._layout.root / Path(item.old.file).parent
                placed[item.new.path] = self._place(_number_of(item.old), folder, item.new)
        removed = [item.old.file for item in change.replaced]
        before = sum(item.old.inputs for item in change.replaced)
        inputs = sum(part.inputs for part in placed.values()) - before
        counts = {**change.counts, "inputs": inputs}
        commit = Commit(
            operation,
            list(placed.values()),
            removed,
            self.origin,
            counts,
            change.complete,
            change.keep_out,
        )
        try:
            self.snapshot = self._log.append(self.snapshot, commit)
        except OSError:
            self._in_doubt = self.snapshot.version < max(self._log.versions(), default=0)
            raise
        return placed

    def checkpoint(self) -> None:
        """Let one file of the log stand for all its older entries, which `tidy` then removes."""
        self._in_doubt = True
        self._log.checkpoint(self.snapshot)
        self._in_doubt = False

    def tidy(self) -> None:
        """Remove what the last commit does not name, so that plain readers see only its rows.

        The log is read afresh: after an error nobody else knows which commit was the last. Where
        the disk failed to make names durable, nothing is removed any more: a second try may succeed
        although what the first lost is lost.
        """
        if self._in_doubt:
            return
        self.snapshot = self._log.snapshot()
        self._in_doubt = True
        for folder in (self._layout.data, self._layout.rejects):
            held = _paths(folder)
            named = {self.root / file for file in self.snapshot.parts}
            self._clear("unnamed", folder, [path for path in held if path not in named])
        self._clear("staged", self.staging, _paths(self.staging))
        self._clear("log", self._layout.log, self._log.leftovers())
        self._in_doubt = False

    def _clear(self, kind: str, folder: Path, paths: Sequence[Path]) -> None:
        """Remove what lies in a folder, so that it stays removed after a crash."""
        if not paths:
            return
        # the entry or checkpoint without which these would be needed must outlive them
        storage.sync_folder(self._layout.log)
        self.removed["bytes"] += sum(_size(path) for path in paths)
        for path in paths:
            storage.remove(path)
        storage.sync_folder(folder)
        self.removed[kind] += len(paths)

    def _place(self, number: int, folder: Path, staged: StagedPart) -> Part:
        name = f"part-{number:06d}-{staged.part.sha256[:12]}.parquet"
        storage.publish(staged.path, folder / name)
        return replace(staged.part, file=f"{folder.name}/{name}")


@contextlib.contextmanager
def write_table(
    root: Path, *, wait: bool = False, say: Callable[[str], None] = lambda _: None
) -> Iterator[TableWriter]:
    """Open a table for writing, locked; where there is none, a new one.

    On leaving, files that no commit names are removed, and all of a table that got no commit.
    Raises TableError where the folder holds anything else, TableLocked where another process
    writes to it, unless `wait`, which tells `say` whom it waits for.
    """
    layout = Layout.of(root)
    require_room(root)
    with storage.lock(layout.root, wait=wait, say=say):
        require_own(layout)
        writer = TableWriter(layout)
        try:
            writer.open()
            yield writer
        except BaseException:
            with shielded(), contextlib.suppress(OSError):  # what failed first is what is told
                writer.leave()
            raise
        else:
            with shielded():
                writer.leave()


def _paths(folder: Path) -> list[Path]:
    return [folder / name for name in storage.names(folder)]


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files of a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _number_of(part: Part) -> int:
    return int(Path(part.file).name.split("-")[1])


def _withdraw(layout: Layout) -> None:
    """Remove a table that never got a commit, and its folder if nothing else lies in it."""
    for folder in layout.folders:
        storage.remove(folder)
    storage.remove(layout.root / storage.HOLDER)
    if not storage.names(layout.root):
        storage.remove(layout.root)
