"""The only place that hashes, fsyncs, renames, locks and removes.

Every effect on a disk that matters after a crash goes through one of these functions, so that a
test can fail any of them.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from featurize.errors import TableLocked

HOLDER = ".writer"
_HASH_BLOCK = 1 << 20
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # RENAME_SWAP on macOS


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of the bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal, in flat memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def canonical_json(value: Any) -> bytes:
    """Return the one UTF-8 spelling of a JSON value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def pretty_json(value: Any) -> bytes:
    """Return a JSON value as a person reads it, ending in a newline."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def sync_file(path: Path) -> None:
    """Force a file, or the entries of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        if sys.platform == "darwin":
            import fcntl

            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
        else:
            os.fsync(handle)
    finally:
        os.close(handle)


def publish(staged: Path, final: Path) -> None:
    """Give a finished file its final name, durably; an older file of that name is replaced."""
    sync_file(staged)
    staged.replace(final)
    sync_file(final.parent)


def put_if_absent(path: Path, data: bytes) -> None:
    """Create a file durably; raise FileExistsError if another process was first."""
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        staged.write_bytes(data)
        sync_file(staged)
        os.link(staged, path)
        sync_file(path.parent)
    finally:
        staged.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Create a folder and its parents, durably."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        sync_file(folder.parent)


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(final: Path, *, overwrite: bool) -> Iterator[Path]:
    """Fill a folder under a temporary name beside `final`, which appears whole or not at all.

    With `overwrite`, an older folder of that name is replaced; else FileExistsError is raised
    where another process was first.
    """
    make_folder(final.parent)
    staged = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
    staged.mkdir()
    try:
        yield staged
        for file in sorted(staged.rglob("*")):
            sync_file(file)
        sync_file(staged)
        _install(staged, final, overwrite=overwrite)
        sync_file(final.parent)
    finally:
        remove(staged)


def _install(staged: Path, final: Path, *, overwrite: bool) -> None:
    """Give a filled folder its name. An older one changes places with it, and goes with it."""
    if not final.exists():
        staged.rename(final)
        return
    if not overwrite:
        raise FileExistsError(final)
    if _swap(staged, final):
        return
    aside = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
    final.rename(aside)
    try:
        staged.rename(final)
    except BaseException:
        aside.rename(final)
        raise
    remove(aside)


def _swap(left: Path, right: Path) -> bool:
    """Exchange two names in one step; False where the system cannot."""
    names = os.fsencode(left), os.fsencode(right)
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return bool(library.renamex_np(*names, _RENAME_EXCHANGE) == 0)
    if hasattr(library, "renameat2"):
        here = ctypes.c_int(_AT_FDCWD)
        return bool(library.renameat2(here, names[0], here, names[1], _RENAME_EXCHANGE) == 0)
    return False


@contextlib.contextmanager
def lock(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold an exclusive lock of the operating system on a folder, which is made if missing.

    A kill frees it. Without `wait`, raise TableLocked naming the holder when another process has
    it.
    """
    handle = _locked(folder, wait)
    try:
        # relative to the locked folder: another one may bear its name by the end
        note = os.open(HOLDER, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666, dir_fd=handle)
        with os.fdopen(note, "w") as file:
            file.write(f"process {os.getpid()}")
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(HOLDER, dir_fd=handle)
        os.close(handle)


def _locked(folder: Path, wait: bool) -> int:
    """Lock a folder; once more where another process removed it before the lock was had."""
    import fcntl

    while True:
        try:
            make_folder(folder)
            handle = os.open(folder, os.O_RDONLY)
        except (FileNotFoundError, FileExistsError):
            if folder.is_file():
                raise
            continue  # its last holder removed it meanwhile
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            with contextlib.suppress(FileNotFoundError):
                if os.fstat(handle).st_ino == folder.stat().st_ino:
                    return handle
        except BaseException as error:
            os.close(handle)
            if isinstance(error, BlockingIOError):
                raise _taken(folder) from None
            raise
        os.close(handle)


def _taken(folder: Path) -> TableLocked:
    try:
        holder = (folder / HOLDER).read_text()
    except OSError:
        holder = "another process"
    return TableLocked(
        f"{folder} is being written by {holder}.",
        fix="Wait until it has finished, then run the command again.",
    )
