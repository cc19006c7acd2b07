"""Reads tar files, plain or compressed, in one pass forward, and never ends without the end mark.

Python's tarfile takes a damaged header for the end of the archive. Here every block up to the two
zero blocks that end an archive must be a sound header, and only zeros may follow them.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO, cast

from featurize.errors import InputRejected, SourceError
from featurize.sources.files import check_size
from featurize.sources.members import Member, MemberKind, damaged
from featurize.sources.packed import Packed, unpack
from featurize.types import RejectReason

_BLOCK = 512
_END = bytes(_BLOCK)
_PIECE = 1 << 20
_MAX_EXTENSION = 1 << 20
# Data of zeros expands a thousandfold: what expands that much is made to fill the disk.
_MAX_RATIO = 200
_EXPANDS_ALWAYS = 256 << 20

_GLOBAL = tarfile.XGLTYPE
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_LONG = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}
_DUMP_OF_FOLDER = b"D"
_WITHOUT_CONTENT = {
    tarfile.SYMTYPE: MemberKind.SYMLINK,
    tarfile.LNKTYPE: MemberKind.HARDLINK,
    tarfile.CHRTYPE: MemberKind.DEVICE,
    tarfile.BLKTYPE: MemberKind.DEVICE,
    tarfile.FIFOTYPE: MemberKind.DEVICE,
}
_DECOMPRESSED: dict[str, Callable[[BinaryIO], object]] = {
    "gz": lambda file: gzip.GzipFile(fileobj=file),
    "bz2": bz2.BZ2File,
    "xz": partial(lzma.LZMAFile, format=lzma.FORMAT_XZ),
}
_DECOMPRESSED["tgz"] = _DECOMPRESSED["gz"]


def tar_members(file: BinaryIO, archive: str) -> Iterator[Member]:
    """Yield the members of a tar file named `archive`; raise SourceError where it is damaged."""
    length = os.fstat(file.fileno()).st_size
    decompress = _DECOMPRESSED.get(archive.lower().rpartition(".")[2])
    if decompress is None:
        yield from _Tar(file, archive, length, plain=True).members()
        return
    allowed = length * _MAX_RATIO + _EXPANDS_ALWAYS
    stream = cast("BinaryIO", decompress(file))
    yield from _Tar(stream, archive, allowed, plain=False).members()


class _Tar:
    """A pass over a tar file of at most `length` bytes; only a plain one can be sought in."""

    def __init__(self, file: BinaryIO, archive: str, length: int, *, plain: bool) -> None:
        self._file = file
        self._archive = archive
        self._length = length
        self._plain = plain
        self._position = 0
        self._count = 0
        self._last = ""
        self._of_all: dict[str, str] = {}
        self._of_next: dict[str, str] = {}

    def members(self) -> Iterator[Member]:
        """Yield all members but folders."""
        while (block := self._read(_BLOCK)) != _END:
            try:
                header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            except tarfile.HeaderError as error:
                raise self._damaged(f"a header is not sound ({error})") from None
            if header.type == _GLOBAL:
                self._of_all |= self._records(header.size)
            elif header.type in _PAX:
                self._of_next |= self._records(header.size)
            elif header.type in _LONG:
                text = self._extension(header.size).rstrip(b"\0")
                self._of_next[_LONG[header.type]] = text.decode("utf-8", "surrogateescape")
            else:
                yield from self._member(header, block)
        self._check_end()

    def _member(self, header: tarfile.TarInfo, block: bytes) -> Iterator[Member]:
        """Yield the member of a header if it is no folder, and go on to the next header."""
        said = self._of_all | self._of_next
        self._of_next = {}
        name = said.get("GNU.sparse.name") or said.get("path") or _name(header, block)
        kind = _WITHOUT_CONTENT.get(header.type, MemberKind.FILE)
        empty = header.isdir() or kind is not MemberKind.FILE
        size = 0 if empty else self._number(said.get("size", str(header.size)))
        sparse = header.type == tarfile.GNUTYPE_SPARSE
        if sparse:
            self._skip_sparse_map(block)
        sparse = sparse or any(key.startswith("GNU.sparse.") for key in said)
        start = self._position
        if not header.isdir() and header.type != _DUMP_OF_FOLDER:
            packed = Packed(start, size, size) if self._plain else None
            read = partial(unpack, self._file, packed) if packed else partial(self._content, size)
            yield Member(name, kind, size, packed, read, _refused(size, sparse))
        self._skip(start + -(-size // _BLOCK) * _BLOCK - self._position)
        self._count += 1
        self._last = name

    def _content(self, size: int) -> bytes:
        """Return the content that begins here."""
        check_size(size)
        return self._read(size)

    def _records(self, size: int) -> dict[str, str]:
        """Return the records of an extended header."""
        data = self._extension(size)
        records: dict[str, str] = {}
        while data:
            digits, _, _ = data.partition(b" ")
            length = int(digits) if digits.isdigit() and len(digits) < 9 else 0
            record = data[len(digits) + 1 : length]
            key, equals, value = record.partition(b"=")
            if not equals or not value.endswith(b"\n") or length > len(data):
                raise self._damaged("a record of an extended header is not sound")
            records[key.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "surrogateescape")
            data = data[length:]
        return records

    def _extension(self, size: int) -> bytes:
        """Return what an extended header of `size` bytes holds."""
        if not 0 <= size <= _MAX_EXTENSION:
            raise self._damaged(f"an extended header claims {size} bytes")
        data = self._read(size)
        self._skip(-size % _BLOCK)
        return data

    def _skip_sparse_map(self, block: bytes) -> None:
        """Pass over the blocks that go on with the map of a sparse member's holes."""
        goes_on = block[482]
        while goes_on:
            goes_on = self._read(_BLOCK)[504]

    def _check_end(self) -> None:
        """Raise SourceError unless a second zero block, and nothing but zeros, follows."""
        if self._of_next:
            raise self._damaged("an extended header belongs to no member")
        if self._read(_BLOCK) != _END:
            raise self._damaged("its end mark is not whole")
        while piece := self._read_some(_PIECE):
            if piece.count(0) < len(piece):
                raise self._damaged("other data follow its end mark, as where archives were joined")

    def _number(self, digits: str) -> int:
        """Return a size; raise SourceError for what is none."""
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            raise self._damaged(f"a member claims {digits[:20]!r} bytes")
        return int(digits)

    def _skip(self, count: int) -> None:
        """Go forward; raise SourceError where the file ends before."""
        if self._plain:
            self._position += count
            if self._position > self._length:
                raise self._damaged("it ends in the middle of a member")
            self._file.seek(self._position)
            return
        while count > 0:
            count -= len(self._read(min(count, _PIECE)))

    def _read(self, count: int) -> bytes:
        """Return the next `count` bytes; raise SourceError where there are fewer."""
        data = self._read_some(count)
        if len(data) < count:
            raise self._damaged(
                "it ends in the middle of a block" if data else "its end mark is missing"
            )
        return data

    def _read_some(self, count: int) -> bytes:
        """Return the next `count` bytes, fewer at the end of the file."""
        try:
            data = self._file.read(count)
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            raise self._damaged(str(error).rstrip(".")) from error
        self._position += len(data)
        if self._position > self._length and not self._plain:
            raise self._damaged(f"it expands to more than {_MAX_RATIO} times its size")
        return data

    def _damaged(self, why: str) -> SourceError:
        """Return the error of damage at the place reached."""
        return damaged(self._archive, self._count, self._last, why)


def _name(header: tarfile.TarInfo, block: bytes) -> str:
    """Return the name in a header; GNU tar may have times where others go on with the name."""
    if block[257:265] != tarfile.GNU_MAGIC or header.type in tarfile.GNU_TYPES:
        return header.name
    return block[:100].partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _refused(size: int, sparse: bool) -> InputRejected | None:
    """Return why the content of a member is not taken."""
    if sparse:
        return InputRejected(RejectReason.UNSUPPORTED, "sparse members are not read")
    try:
        check_size(size)
    except InputRejected as problem:
        return problem
    return None
