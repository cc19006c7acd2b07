"""Reads the central directory of zip files, strictly and in flat memory.

Python's zipfile holds all entries at once, guesses how names are encoded, fails on the whole
archive where one name is not UTF-8, and does not compare the number of entries with the number the
archive states. Layout: PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.14 to 4.3.16.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from featurize.errors import InputRejected
from featurize.sources.files import check_size
from featurize.sources.members import Member, MemberKind, damaged
from featurize.sources.packed import METHODS, Packed, unpack
from featurize.types import RejectReason

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_END64_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX_COMMENT = 0xFFFF
_IN_EXTRA = 0xFFFFFFFF
_UNIX_SYSTEMS = frozenset({3, 19})
_ENCRYPTED = 1 << 0 | 1 << 6
_LINKS = {stat.S_IFLNK: MemberKind.SYMLINK, stat.S_IFREG: MemberKind.FILE, 0: MemberKind.FILE}


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the central directory lies, and how many entries it holds."""

    start: int
    stop: int
    entries: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of the central directory; `offset` is that of the member's own header."""

    name: bytes
    flags: int
    mode: int
    offset: int
    packed: Packed


def zip_members(file: BinaryIO, directory: BinaryIO, archive: str) -> Iterator[Member]:
    """Yield the members of a zip file named `archive`; raise SourceError where it is damaged.

    `file` and `directory` are the same file, opened twice: one follows the directory, while the
    other jumps to the members.
    """
    count, last = 0, ""
    try:
        found = _find_directory(directory)
        directory.seek(found.start)
        while directory.tell() < found.stop:
            entry = _read_entry(directory)
            packed = _placed(file, entry, found.start)
            last = entry.name.decode("utf-8", "surrogateescape")
            count += 1
            if not last.endswith("/"):
                read = partial(unpack, file, packed)
                kind = _LINKS.get(stat.S_IFMT(entry.mode), MemberKind.DEVICE)
                yield Member(last, kind, packed.size, packed, read, _refused(entry))
        if directory.tell() != found.stop or count != found.entries:
            raise _Broken(f"{found.entries} members are promised, and {count} listed")
    except _Broken as broken:
        raise damaged(archive, count, last, str(broken)) from None
    except OSError as error:
        raise damaged(archive, count, last, error.strerror or "it cannot be read") from error


class _Broken(Exception):
    """The archive is not sound, and why."""


def _find_directory(file: BinaryIO) -> _Directory:
    """Find the central directory from the end of the file."""
    size = file.seek(0, os.SEEK_END)
    tail_start = max(0, size - _END.size - _MAX_COMMENT - _END64_LOCATOR.size)
    file.seek(tail_start)
    tail = file.read()
    at = len(tail)
    while (at := tail.rfind(b"PK\5\6", 0, at)) >= 0:
        if len(tail) - at >= _END.size:
            end = _END.unpack_from(tail, at)
            if at + _END.size + end[-1] == len(tail):
                break
    else:
        raise _Broken("its end record is missing or damaged")
    _, disk, first_disk, here, entries, length, start, _ = end
    stop = tail_start + at
    locator = tail[max(0, at - _END64_LOCATOR.size) : at]
    if locator.startswith(b"PK\6\7"):
        stop, (disk, first_disk, here, entries, length, start) = _end64(file, locator)
    if disk or first_disk or here != entries:
        raise _Broken("it is one of several parts, or its end record is damaged")
    if start + length != stop:
        raise _Broken("its directory is not where it should be, as where archives were joined")
    return _Directory(start, stop, entries)


def _end64(file: BinaryIO, locator: bytes) -> tuple[int, tuple[int, ...]]:
    """Return the offset and the figures of the end record of a large archive."""
    _, _, offset, _ = _END64_LOCATOR.unpack(locator)
    file.seek(min(offset, 1 << 62))
    signature, _, _, _, *figures = _END64.unpack(_exactly(file, _END64.size))
    if signature != b"PK\6\6":
        raise _Broken("its end record is damaged")
    return offset, tuple(figures)


def _read_entry(file: BinaryIO) -> _Entry:
    """Read the next entry of the directory."""
    fields = _ENTRY.unpack(_exactly(file, _ENTRY.size))
    signature, made_by, _, flags, method, _, _, crc, length, size = fields[:10]
    name_length, extra_length, comment_length, _, _, attributes, offset = fields[10:]
    if signature != b"PK\1\2":
        raise _Broken("an entry of its directory is damaged")
    name = _exactly(file, name_length)
    extra = _exactly(file, extra_length)
    _exactly(file, comment_length)
    size, length, offset = _large((size, length, offset), extra)
    mode = attributes >> 16 if made_by >> 8 in _UNIX_SYSTEMS else 0
    return _Entry(name, flags, mode, offset, Packed(0, length, size, method, crc))


def _large(figures: tuple[int, int, int], extra: bytes) -> list[int]:
    """Return figures with those that need 64 bits taken from the extra field."""
    wide: list[int] = []
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1:
            wide = [value for (value,) in struct.iter_unpack("<Q", extra[4 : 4 + length // 8 * 8])]
            break
        extra = extra[4 + length :]
    if figures.count(_IN_EXTRA) > len(wide):
        # The figure itself is as good: offsets and lengths are checked against the file.
        return list(figures)
    return [wide.pop(0) if figure == _IN_EXTRA else figure for figure in figures]


def _placed(file: BinaryIO, entry: _Entry, limit: int) -> Packed:
    """Return where the content of an entry lies, behind a header that must agree with it."""
    file.seek(min(entry.offset, 1 << 62))
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(b"PK\3\4"):
        raise _Broken("there is no member where its directory says")
    *_, name_length, extra_length = _LOCAL.unpack(header)
    if file.read(name_length) != entry.name:
        raise _Broken("its directory and the header of a member disagree on a name")
    packed = entry.packed
    start = entry.offset + _LOCAL.size + name_length + extra_length
    if start + packed.length > limit:
        raise _Broken("a member reaches into its directory")
    return Packed(start, packed.length, packed.size, packed.method, packed.crc)


def _refused(entry: _Entry) -> InputRejected | None:
    """Return why the content of an entry is not taken."""
    if entry.flags & _ENCRYPTED:
        return InputRejected(RejectReason.UNREADABLE, "the member is encrypted")
    if entry.packed.method not in METHODS:
        detail = f"the member is compressed by method {entry.packed.method}, which is not read"
        return InputRejected(RejectReason.UNSUPPORTED, detail)
    try:
        check_size(entry.packed.size)
    except InputRejected as problem:
        return problem
    return None


def _exactly(file: BinaryIO, count: int) -> bytes:
    """Return the next `count` bytes."""
    data = file.read(count)
    if len(data) < count:
        raise _Broken("it ends in the middle of its directory")
    return data
