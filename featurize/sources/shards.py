"""The archives of a source: one file, or all below a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from featurize.errors import InputRejected, SourceError
from featurize.sources.files import open_regular, suffix_of
from featurize.sources.members import Member, is_archive
from featurize.sources.packed import Packed, unpack
from featurize.sources.tarred import tar_members
from featurize.sources.walk import FoundKind, is_utf8, percent_escaped, walk
from featurize.sources.zipped import zip_members
from featurize.types import RejectReason


@dataclass(frozen=True, slots=True)
class Shards:
    """Archives by the names that begin the ids of their members.

    `refused` says why an archive or folder cannot be read, by id; `ignored` counts what else lies
    beside the archives.
    """

    paths: dict[str, Path] = field(default_factory=dict)
    refused: dict[str, InputRejected] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    _stamps: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Return one archive; a link is followed, for the user named it."""
        name = path.name if is_utf8(path.name) else percent_escaped(path.name)
        return cls({name: path.resolve()})

    @classmethod
    def below(cls, root: Path, leave_out: Path) -> Self:
        """Return all archives below a folder."""
        shards = cls()
        for found in walk(root, leave_out):
            name = found.path if is_utf8(found.path) else percent_escaped(found.path)
            if found.kind is FoundKind.SYMLINK:
                shards.ignored["symlink"] += 1
            elif found.kind is FoundKind.CLOSED_FOLDER:
                detail = f"the folder cannot be listed: {found.detail}"
                shards.refused[name] = InputRejected(RejectReason.UNREADABLE, detail)
            elif not is_archive(found.path):
                shards.ignored[percent_escaped(suffix_of(found.path))] += 1
            elif name != found.path:
                detail = "the name of the archive is not UTF-8"
                shards.refused[name] = InputRejected(RejectReason.BAD_NAME, detail)
            else:
                shards.paths[name] = root / name
        return shards

    def members(self, name: str) -> Iterator[Member]:
        """Yield the members of an archive.

        Raises SourceError where it is damaged, or no longer what it was when first read.
        """
        path = self.paths[name]
        try:
            with open_regular(path) as file:
                stamp = _stamp(path)
                if self._stamps.setdefault(name, stamp) != stamp:
                    raise SourceError(f"{name} changed while it was read.", fix="Run again.")
                if not name.lower().endswith(".zip"):
                    yield from tar_members(file, name)
                    return
                with open_regular(path) as directory:
                    yield from zip_members(file, directory, name)
        except InputRejected as problem:
            raise SourceError(f"{name} cannot be read: {problem.detail}.") from None

    def read(self, address: str) -> bytes:
        """Return the content of the member at an address; raise InputRejected.

        Safe to call from several threads at once.
        """
        packed, name = Packed.of_address(address)
        with open_regular(self.paths[name]) as file:
            if self._stamps.get(name) != _stamp(self.paths[name]):
                raise InputRejected(RejectReason.UNREADABLE, "the archive changed during the run")
            return unpack(file, packed)


def _stamp(path: Path) -> tuple[int, int]:
    """Return what changes when a file is written to."""
    info = path.stat()
    return info.st_size, info.st_mtime_ns
