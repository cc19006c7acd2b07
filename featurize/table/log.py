"""The commit log: numbered JSON entries, each created once, each naming its predecessor's hash."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

from featurize.errors import TableError
from featurize.storage import names, put_if_absent, read, sha256_bytes, sync_folder
from featurize.table.checkpoint import checkpoint_of, parse_checkpoint
from featurize.table.damage import damaged, uncommitted
from featurize.table.sealed import sealed, unsealed
from featurize.table.snapshot import EMPTY, Commit, Snapshot
from featurize.types import Json

_ENTRY = re.compile(r"(\d{8})\.json")
_CHECKPOINT = re.compile(r"checkpoint-(\d{8})\.json")


class CommitLog:
    """The entries under `_log/`, and checkpoints, of which the newest stands for older entries."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checkpoint = EMPTY

    def versions(self) -> list[int]:
        """Return the versions that have an entry, ascending."""
        return _numbers(_ENTRY, names(self._folder))

    def path_of(self, version: int) -> Path:
        """Return the file of a version's entry."""
        return self._folder / f"{version:08d}.json"

    def snapshot(self) -> Snapshot:
        """Read the table's state as of its last commit; raise TableError on a broken chain.

        Entries may go while they are read. What was read holds, and a break in it is one, if no
        newer checkpoint has come: entries go only after it.
        """
        while True:
            start = self._start()
            try:
                state = start.after(self._since(start))
            except TableError:
                if self._start() is start:
                    raise
            else:
                if self._start() is start:
                    return state

    def committed(self) -> Snapshot:
        """Read the table's state; raise TableError where there is no table."""
        state = self.snapshot()
        if state.version == 0:
            raise uncommitted(self._folder.parent)
        return state

    def append(self, state: Snapshot, commit: Commit) -> Snapshot:
        """Make a commit the next version; raise TableError where another writer was first."""
        version = state.version + 1
        written = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        place: Json = {"version": version, "previous": state.tip, "time": written}
        data = sealed(place | commit.to_json())
        try:
            put_if_absent(self.path_of(version), data)
        except OSError as error:  # even "it exists": a file server may answer a repeated request
            if not self._landed(version, commit):
                if isinstance(error, FileExistsError):
                    raise _overtaken(version) from None
                raise
        sync_folder(self._folder)
        if self._is_behind(version):
            raise _overtaken(version)
        return state.after([(commit, sha256_bytes(data))])

    def checkpoint(self, state: Snapshot) -> None:
        """Let one file stand for all entries before the last, which `leftovers` then names.

        The last entry stays, because its name is the fence for a writer one version behind.
        """
        if self.versions() != [state.version]:
            with contextlib.suppress(FileExistsError):
                put_if_absent(self._checkpoint_path(state.version), checkpoint_of(state))
            sync_folder(self._folder)

    def leftovers(self) -> list[Path]:
        """Return the files that nobody needs, in the order in which they may go.

        Those are unfinished files, and what is older than the newest checkpoint.
        """
        found, newest = names(self._folder), self._start().version
        return [
            *(self._folder / name for name in found if name.startswith(".")),
            *(self.path_of(version) for version in _numbers(_ENTRY, found) if version < newest),
            *(self._checkpoint_path(v) for v in _numbers(_CHECKPOINT, found) if v < newest),
        ]

    def strangers(self) -> list[Path]:
        """Return what lies in the log's folder and no log would write."""
        known = (_ENTRY, _CHECKPOINT, re.compile(r"\..*"))
        return [
            self._folder / name
            for name in names(self._folder)
            if not any(pattern.fullmatch(name) for pattern in known)
        ]

    def _is_behind(self, version: int) -> bool:
        """Say whether the entry just put is one that a checkpoint stands for.

        A writer far behind finds the number of its entry free where that was removed. Entries are
        removed from the first on, and only after a checkpoint of a later version is durable. So the
        predecessor had gone before the number was free, and no listing made now can show it; the
        first entry has none, and there the checkpoint tells.
        """
        found = names(self._folder)
        previous = self.path_of(version - 1).name
        newest = max(_numbers(_CHECKPOINT, found), default=0)
        return newest >= version or (version > 1 and previous not in found)

    def _start(self) -> Snapshot:
        """Return what the newest checkpoint holds, the same object while it is the newest."""
        while True:
            newest = max(_numbers(_CHECKPOINT, names(self._folder)), default=0)
            if newest == self._checkpoint.version:
                return self._checkpoint
            path = self._checkpoint_path(newest)
            with contextlib.suppress(FileNotFoundError):  # it gave way to a newer one
                self._checkpoint = parse_checkpoint(path, read(path), newest) if newest else EMPTY

    def _checkpoint_path(self, version: int) -> Path:
        return self._folder / f"checkpoint-{version:08d}.json"

    def _since(self, start: Snapshot) -> Iterator[tuple[Commit, str]]:
        """Read all commits after a checkpoint, checking hashes and succession."""
        tip, versions = start.tip, self.versions()
        if start.version and (found := sha256_bytes(self._read(start.version))) != tip:
            found = f"{str(tip)[:12]} expected, {found[:12]} found"
            detail = f"it does not have the hash that the checkpoint states: {found}"
            raise damaged(self.path_of(start.version), detail)
        # while entries come, a listing may lack one that is there: only its last is taken from it
        for version in range(start.version + 1, max(versions, default=0) + 1):
            path, data = self.path_of(version), self._read(version)
            entry = unsealed(path, data)
            if (entry.get("version"), entry.get("previous")) != (version, tip):
                raise damaged(path, _misplaced(entry, version, tip))
            tip = sha256_bytes(data)
            yield _commit_of(path, entry), tip

    def _read(self, version: int) -> bytes:
        path = self.path_of(version)
        try:
            return read(path)
        except FileNotFoundError:
            raise damaged(path, f"version {version} is missing: the log is broken") from None

    def _landed(self, version: int, commit: Commit) -> bool:
        """Say whether a commit whose writing failed is there all the same."""
        try:
            entry = unsealed(self.path_of(version), self._read(version))
        except (OSError, TableError):
            return False
        return bool(entry["commit_id"] == commit.commit_id)


def _numbers(pattern: re.Pattern[str], found: list[str]) -> list[int]:
    """Return the versions in those of the sorted names that have a pattern."""
    return [int(match[1]) for match in map(pattern.fullmatch, found) if match]


def _commit_of(path: Path, entry: Json) -> Commit:
    try:
        return Commit.from_json(entry)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, f"damaged: it is no log entry: {error!r}") from error


def _misplaced(entry: Json, version: int, previous: str | None) -> str:
    """Say where in the log an entry belongs, other than where it lies."""
    expected = f"version {version} after SHA-256 {str(previous)[:12]} expected"
    found = f"version {entry.get('version')} after {str(entry.get('previous'))[:12]} found"
    return f"it does not follow the entry before it: {expected}, {found}"


def _overtaken(version: int) -> TableError:
    return TableError(
        f"Version {version} of the table was written by another process meanwhile.",
        fix="Run the command again.",
    )
