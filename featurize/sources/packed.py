"""Bytes that lie inside a file: where, how compressed, and how they are checked."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol, Self

from featurize.errors import InputRejected
from featurize.sources.files import check_size
from featurize.types import RejectReason

STORED = 0
_PIECE = 1 << 20


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


# The numbers are those of the zip format.
_DECOMPRESSORS: dict[int, Callable[[], _Decompressor]] = {
    8: lambda: zlib.decompressobj(-zlib.MAX_WBITS),
    12: bz2.BZ2Decompressor,
}
METHODS = frozenset({STORED, *_DECOMPRESSORS})


@dataclass(frozen=True, slots=True)
class Packed:
    """A content of `size` bytes that takes `length` bytes at `offset` of a file.

    `method` is the zip format's number of how it is compressed; `crc` is None where there is none.
    """

    offset: int
    length: int
    size: int
    method: int = STORED
    crc: int | None = None

    def address(self, archive: str) -> str:
        """Return this place in an archive as a string that `of_address` reads."""
        crc = "" if self.crc is None else self.crc
        return f"{self.offset}+{self.length}+{self.size}+{self.method}+{crc}@{archive}"

    @classmethod
    def of_address(cls, address: str) -> tuple[Self, str]:
        """Return the place, and the archive, that an address names."""
        place, _, archive = address.partition("@")
        offset, length, size, method, crc = place.split("+")
        found = cls(int(offset), int(length), int(size), int(method), int(crc) if crc else None)
        return found, archive


def unpack(file: BinaryIO, packed: Packed) -> bytes:
    """Return a content; raise InputRejected where it is not what was promised.

    Never holds more than the promised size, which must itself be within the limit.
    """
    check_size(packed.size)
    try:
        file.seek(packed.offset)
        if packed.method == STORED:
            data = file.read(min(packed.length, packed.size + 1))
        else:
            data = b"".join(_decompressed(file, packed))
    except (OSError, zlib.error) as error:
        raise _damaged(str(error)) from None
    if len(data) != packed.size:
        found = "more" if len(data) > packed.size else len(data)
        raise _damaged(f"{packed.size} bytes were promised, and {found} found")
    if packed.crc is not None and zlib.crc32(data) != packed.crc:
        raise _damaged("its checksum does not match")
    return data


def _decompressed(file: BinaryIO, packed: Packed) -> Iterator[bytes]:
    """Yield pieces of a compressed content, up to one byte more than promised."""
    decompressor = _DECOMPRESSORS[packed.method]()
    compressed, wanted = packed.length, packed.size + 1
    while wanted and not decompressor.eof:
        piece = file.read(min(_PIECE, compressed))
        if not piece:
            raise _damaged("it ends too early")
        compressed -= len(piece)
        data = decompressor.decompress(piece, wanted)
        wanted -= len(data)
        yield data


def _damaged(why: str) -> InputRejected:
    """Return the reject of a content that is not what was promised."""
    return InputRejected(RejectReason.UNREADABLE, f"the member is damaged: {why}")
