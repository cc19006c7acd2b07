"""What a commit changes, and what a table is after all its commits."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from featurize.table.part import Part
from featurize.types import Json

FORGET = "forget"
_PART = re.compile(r"(data|_rejects)/part-\d{6,}-[0-9a-f]{12}\.parquet")


@dataclass(frozen=True, slots=True)
class Commit:
    """What one commit changes: parts added and removed, and what was done to make them.

    `origin` says what the table is made from and how: source, encoder, runtime, options. `counts`
    are of this commit alone; `complete` says that nothing of its run is left to do; `keep_out` are
    tombstones of ids that must not come back. No ids, texts or content hashes appear.
    """

    operation: str
    add: Sequence[Part]
    remove: Sequence[str]
    origin: Json
    counts: dict[str, int]
    complete: bool
    keep_out: Sequence[str] = ()
    commit_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def to_json(self) -> Json:
        """Return the commit as JSON values."""
        return {
            "commit_id": self.commit_id,
            "operation": self.operation,
            "add": [part.to_json() for part in self.add],
            "remove": list(self.remove),
            "origin": self.origin,
            "counts": self.counts,
            "complete": self.complete,
            "keep_out": list(self.keep_out),
        }

    @classmethod
    def from_json(cls, entry: Json) -> Self:
        """Build a commit from `to_json` or a log entry; raise ValueError, KeyError or TypeError."""
        return cls(
            commit_id=entry["commit_id"],
            operation=entry["operation"],
            add=parse_parts(entry["add"]),
            remove=[_inside(file) for file in entry["remove"]],
            origin=entry["origin"],
            counts=entry["counts"],
            complete=entry["complete"],
            keep_out=entry.get("keep_out", ()),
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A table as of one version: its live parts and what all commits amount to.

    `tip` is the SHA-256 of the last log entry. `table_id` is the id of the first commit: a table
    made anew at the same path has another. `forgotten_at` is the version that last forgot ids, 0
    for none; `kept_out` are the tombstones of ids that must not come back.
    """

    version: int
    parts: dict[str, Part]
    origin: Json
    counts: dict[str, int]
    tip: str | None
    complete: bool = True
    table_id: str = ""
    forgotten_at: int = 0
    kept_out: frozenset[str] = frozenset()

    def data(self) -> list[Part]:
        """Return the parts with rows, in the order they are read."""
        return [part for name, part in sorted(self.parts.items()) if name.startswith("data/")]

    def rejects(self) -> list[Part]:
        """Return the parts with rejects."""
        return [part for name, part in sorted(self.parts.items()) if name.startswith("_rejects/")]

    def after(self, commits: Iterable[tuple[Commit, str]]) -> Snapshot:
        """Return the table after more commits, each given with the SHA-256 of its log entry."""
        state, parts, counts, kept_out = self, dict(self.parts), Counter(self.counts), self.kept_out
        for commit, tip in commits:
            for file in commit.remove:
                parts.pop(file, None)
            parts.update((part.file, part) for part in commit.add)
            counts.update(commit.counts)
            if commit.keep_out:
                kept_out = kept_out.union(commit.keep_out)
            version = state.version + 1
            state = Snapshot(
                version,
                parts,
                commit.origin,
                counts,
                tip,
                commit.complete,
                table_id=state.table_id or commit.commit_id,
                forgotten_at=version if commit.operation == FORGET else state.forgotten_at,
                kept_out=kept_out,
            )
        return state


EMPTY = Snapshot(0, {}, {}, {}, None)


def parse_parts(described: Iterable[Json]) -> list[Part]:
    """Return the parts that JSON values describe; raise ValueError, KeyError or TypeError."""
    return [Part(**{**part, "file": _inside(part["file"])}) for part in described]


def is_part(name: str) -> bool:
    """Say whether a name, relative to the table, is one that a part can have."""
    return _PART.fullmatch(name) is not None


def _inside(file: str) -> str:
    """Return the name of a part; raise ValueError for one that could lie outside the table."""
    if not is_part(file):
        raise ValueError(f"{file!r} is no name of a part")
    return file
