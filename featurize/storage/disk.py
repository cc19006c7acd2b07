"""Files and folders that are there after a crash: written, synced, then named in one step."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import stat
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from featurize.errors import FileError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_BUFFER = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


class _Sink(io.RawIOBase):
    """An open file that is written through this module's `os`."""

    def __init__(self, handle: int, path: Path) -> None:
        self._handle = handle
        self._path = path

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        with naming(self._path):
            return os.write(self._handle, data)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error of the system say which file it is about, which it does not for open ones."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextlib.contextmanager
def scratch(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that nobody needs after a crash."""
    with _written(path, durable=False) as file:
        yield file


@contextlib.contextmanager
def create(path: Path) -> Iterator[IO[bytes]]:
    """Write a file whose content, though not yet its name, is durable at the end of the block."""
    with _written(path, durable=True) as file:
        yield file


@contextlib.contextmanager
def _written(path: Path, *, durable: bool) -> Iterator[IO[bytes]]:
    handle = os.open(path, _NEW, 0o666)
    try:
        with io.BufferedWriter(_Sink(handle, path), _BUFFER) as file:
            yield file
        if durable:
            _sync(handle, path)
    finally:
        os.close(handle)


def _sync(handle: int, path: Path) -> None:
    with naming(path):
        _flush(handle)


def _flush(handle: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
    else:
        os.fsync(handle)


def sync_path(path: Path) -> None:
    """Make the content of a file, or the names in a folder, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        _sync(handle, path)
    finally:
        os.close(handle)


def try_writing(folder: Path) -> None:
    """Raise OSError where no file can be made in a folder; leaves none there."""
    with tempfile.TemporaryFile(dir=folder):
        pass


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: those that came, and that others are gone."""
    sync_path(folder)


def read(path: Path) -> bytes:
    """Return the content of a file."""
    with os.fdopen(os.open(path, os.O_RDONLY), "rb") as file, naming(path):
        return file.read()


def names(folder: Path) -> list[str]:
    """Return the names of what a folder holds, sorted; none where there is no folder."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def publish(staged: Path, final: Path) -> None:
    """Give a durable file its final name, durably; an older file of that name is replaced."""
    os.replace(staged, final)
    sync_folder(final.parent)


def put(path: Path, data: bytes) -> None:
    """Write a file as a whole, durably; an older file of that name is replaced."""
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with create(staged) as file:
        file.write(data)
    publish(staged, path)


def put_if_absent(path: Path, data: bytes) -> None:
    """Create a file; raise FileExistsError if another process was first.

    Its content is durable, its name only after `sync_folder`.
    """
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with create(staged) as file:
            file.write(data)
        _link(staged, path)
    finally:
        remove(staged)


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        raise FileError(
            f"{new}: the file system has no hard links, which commits are made with.",
            fix="Choose an --out on another file system than FAT, exFAT and the like.",
        ) from error


def make_folder(path: Path) -> None:
    """Create a folder and its parents, durably; raise FileExistsError where anything else lies."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)
        sync_folder(folder.parent)
    if _is_in_the_way(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _is_in_the_way(path: Path) -> bool:
    """Say whether something lies at a path that is no folder; a link to nowhere is."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return path.is_symlink()


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
