"""Reads the files of strangers: one at a time, whole, never through a link, never blocking."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from featurize.errors import InputRejected
from featurize.types import Modalities, Modality, RejectReason

SUFFIXES = {
    Modality.TEXT: frozenset({".txt", ".md"}),
    Modality.IMAGE: frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}),
}
MAX_BYTES = 256 << 20
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

# A named pipe swapped in for a file must not block, a link must not lead elsewhere.
_SAFELY = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one kind or of both below a folder; `root` is its real path."""

    root: Path
    modalities: Modalities

    def locate(self, text: str) -> tuple[str, int]:
        """Return the path relative to the root, and the size, of the file that `text` names.

        The file is resolved through links and must then lie inside the root. Raises InputRejected.
        """
        if not text:
            raise InputRejected(RejectReason.MISSING_VALUE, "no path is given")
        if _URL.match(text):
            raise InputRejected(RejectReason.UNSUPPORTED, "URLs are not fetched")
        # An absolute path would say where on this machine the folder lies.
        shown = Path(text).name if Path(text).is_absolute() else text
        try:
            return self._located(text)
        except InputRejected as problem:
            raise InputRejected(problem.reason, f"{shown:.200}: {problem.detail}") from None

    def load(self, path: str) -> str | bytes:
        """Return the text, or the bytes of the image, of a file below the root.

        Raises InputRejected.
        """
        return content_of(read_bytes(self.root / path), path, self.modalities)

    def _located(self, text: str) -> tuple[str, int]:
        """Resolve a path and look at its file; raise InputRejected."""
        try:
            real = (self.root / text).resolve()
            if not real.is_relative_to(self.root):
                raise InputRejected(
                    RejectReason.OUTSIDE_ROOT,
                    "the path leads out of the folder that paths are resolved against",
                )
            if not is_input(text, self.modalities):
                named = " or ".join(self.modalities)
                raise InputRejected(
                    RejectReason.UNSUPPORTED, f"{named} files do not end in this suffix"
                )
            path = real.relative_to(self.root).as_posix()
            path.encode()
            return path, size_of(real)
        except (ValueError, RuntimeError, OSError):
            # A NUL, a ring of links, a name beyond the limits or one that is not UTF-8.
            raise InputRejected(RejectReason.UNREADABLE, "the path names no file") from None


def suffix_of(name: str) -> str:
    """Return the suffix of a file name, in lower case; empty where there is none."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


def is_input(name: str, modalities: Modalities) -> bool:
    """Say whether a file of this name is one of these kinds."""
    return any(suffix_of(name) in SUFFIXES[modality] for modality in modalities)


def content_of(data: bytes, name: str, modalities: Modalities) -> str | bytes:
    """Return the bytes of an image as they are, those of a text decoded; raise InputRejected.

    Where there are both kinds, the name tells them apart.
    """
    if Modality.TEXT in modalities and (len(modalities) == 1 or is_input(name, (Modality.TEXT,))):
        return decode_text(data)
    return data


def size_of(path: Path) -> int:
    """Return the size in bytes of a regular file, without opening it; raise InputRejected."""
    try:
        info = path.lstat()
    except OSError as error:
        raise InputRejected(RejectReason.UNREADABLE, error.strerror or "cannot be read") from None
    if not stat.S_ISREG(info.st_mode):
        raise InputRejected(RejectReason.UNREADABLE, "not a regular file")
    return info.st_size


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading, through no link; raise InputRejected where that fails."""
    try:
        handle = os.open(path, _SAFELY)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise InputRejected(RejectReason.UNREADABLE, "not a regular file")
            with os.fdopen(handle, "rb", closefd=False) as file:
                yield file
        finally:
            os.close(handle)
    except OSError as error:
        raise InputRejected(RejectReason.UNREADABLE, error.strerror or "cannot be read") from None


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file of 1 to MAX_BYTES bytes; raise InputRejected."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        check_size(size)
        data = file.read(size + 1)  # a larger buffer would cost more than reading a small file
        if len(data) > size:
            data += file.read(MAX_BYTES + 1 - len(data))
    check_size(len(data))
    return data


def check_size(size: int) -> None:
    """Raise InputRejected unless a content of so many bytes is taken."""
    if size > MAX_BYTES:
        raise InputRejected(
            RejectReason.TOO_LARGE, f"{size} bytes; at most {MAX_BYTES >> 20} MiB are read"
        )
    if size == 0:
        raise InputRejected(RejectReason.EMPTY, "0 bytes")


def decode_text(data: bytes) -> str:
    """Return UTF-8 bytes as text, without a byte order mark; raise InputRejected."""
    mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputRejected(RejectReason.BAD_UTF8, "UTF-16, by its first two bytes, not UTF-8")
    try:
        text = data[mark:].decode()
    except UnicodeDecodeError as error:
        offset = error.start + mark
        raise InputRejected(
            RejectReason.BAD_UTF8, f"byte 0x{data[offset]:02x} at offset {offset} is not UTF-8"
        ) from None
    check_text(text)
    return text


def check_text(text: str) -> None:
    """Raise InputRejected for a text that says nothing."""
    if not text or text.isspace():
        raise InputRejected(RejectReason.EMPTY, "only white space" if text else "no text")
