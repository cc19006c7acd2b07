"""The commit log: numbered JSON entries, each created once, each naming its predecessor's hash."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from featurize.errors import TableError
from featurize.storage import canonical_json, names, pretty_json, put_if_absent, read, sha256_bytes
from featurize.table.part import Part
from featurize.types import Json

FORMAT = 1
_KEYS = {"version", "previous", "origin", "counts", "complete", "commit_id"}
_ENTRY = re.compile(r"(\d{8})\.json")
_PART = re.compile(r"(data|_rejects)/part-\d{6,}-[0-9a-f]{12}\.parquet")


@dataclass(frozen=True, slots=True)
class Commit:
    """What one commit changes: parts added and removed, and what was done to make them.

    `origin` says what the table is made from and how: source, encoder, runtime, options. `counts`
    are of this commit alone; `complete` says that nothing of its run is left to do. No ids, texts
    or content hashes appear.
    """

    operation: str
    add: Sequence[Part]
    remove: Sequence[str]
    origin: Json
    counts: dict[str, int]
    complete: bool
    commit_id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A table as of one version: its live parts and the sums over all commits."""

    version: int
    parts: dict[str, Part]
    origin: Json
    counts: dict[str, int]
    tip: str | None
    complete: bool = True

    def data(self) -> list[Part]:
        """Return the parts with rows, in the order they are read."""
        return [part for name, part in sorted(self.parts.items()) if name.startswith("data/")]

    def rejects(self) -> list[Part]:
        """Return the parts with rejects."""
        return [part for name, part in sorted(self.parts.items()) if name.startswith("_rejects/")]


EMPTY = Snapshot(0, {}, {}, {}, None)


class CommitLog:
    """The entries under `_log/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def versions(self) -> list[int]:
        """Return the versions that are there, ascending."""
        found = map(_ENTRY.fullmatch, names(self._folder))
        return [int(name[1]) for name in found if name]

    def path_of(self, version: int) -> Path:
        """Return the file of a version's entry."""
        return self._folder / f"{version:08d}.json"

    def snapshot(self) -> Snapshot:
        """Read the table's state as of its last commit; raise TableError on a broken chain."""
        state = EMPTY
        for version, entry, digest in self.entries():
            state = _apply(state, version, entry, digest)
        return state

    def entries(self) -> Iterator[tuple[int, Json, str]]:
        """Read version, content and SHA-256 of every entry, checking hashes and succession."""
        previous: str | None = None
        for number, version in enumerate(self.versions(), start=1):
            path = self.path_of(version)
            data = read(path)
            entry = _parse(path, data)
            if version != number or entry["version"] != version or entry["previous"] != previous:
                raise TableError(f"{path} does not follow the entry before it: the log is broken.")
            previous = sha256_bytes(data)
            yield version, entry, previous

    def append(self, state: Snapshot, commit: Commit) -> Snapshot:
        """Make a commit the next version; raise TableError where another writer was first."""
        version = state.version + 1
        entry: dict[str, Any] = {
            "format": FORMAT,
            "version": version,
            "commit_id": commit.commit_id,
            "previous": state.tip,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "operation": commit.operation,
            "add": [asdict(part) for part in commit.add],
            "remove": list(commit.remove),
            "origin": commit.origin,
            "counts": commit.counts,
            "complete": commit.complete,
        }
        entry["sha256"] = _self_hash(entry)
        data = pretty_json(entry)
        try:
            put_if_absent(self.path_of(version), data)
        except FileExistsError:
            raise TableError(
                f"Version {version} of the table was written by another process meanwhile.",
                fix="Run the command again.",
            ) from None
        except OSError:
            if not self._landed(version, commit):
                raise
        return _apply(state, version, entry, sha256_bytes(data))

    def _landed(self, version: int, commit: Commit) -> bool:
        """Say whether a commit whose writing failed is there all the same."""
        try:
            entry = _parse(self.path_of(version), read(self.path_of(version)))
        except (OSError, TableError):
            return False
        return bool(entry["commit_id"] == commit.commit_id)


def _apply(state: Snapshot, version: int, entry: Json, digest: str) -> Snapshot:
    gone = set(entry["remove"])
    parts = {name: part for name, part in state.parts.items() if name not in gone}
    parts |= {part["file"]: Part(**part) for part in entry["add"]}
    known = state.counts.keys() | entry["counts"].keys()
    counts = {name: state.counts.get(name, 0) + entry["counts"].get(name, 0) for name in known}
    return Snapshot(version, parts, entry["origin"], counts, digest, entry["complete"])


def _parse(path: Path, data: bytes) -> Json:
    try:
        entry: Json = json.loads(data)
        stated, newest = entry["sha256"], int(entry["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise TableError(f"{path} is no log entry: {error!r}.") from error
    if newest > FORMAT:
        raise TableError(
            f"{path} has log format {newest}; this version reads up to {FORMAT}.",
            fix="Upgrade featurize.",
        )
    if stated != _self_hash(entry):
        raise TableError(f"{path} is damaged: its content does not give the hash it states.")
    _require_whole(path, entry)
    return entry


def _require_whole(path: Path, entry: Json) -> None:
    """Refuse an entry with missing parts, or with files that could lie outside the table."""
    try:
        files = [Part(**part).file for part in entry["add"]] + list(entry["remove"])
        missing = _KEYS - entry.keys()
    except (KeyError, TypeError) as error:
        raise TableError(f"{path} is no log entry: {error!r}.") from error
    strange = [name for name in files if not _PART.fullmatch(str(name))]
    if missing or strange:
        raise TableError(f"{path} is no log entry: {sorted(missing) or strange[0]!r}.")


def _self_hash(entry: Json) -> str:
    body = {key: value for key, value in entry.items() if key != "sha256"}
    return sha256_bytes(canonical_json(body))
