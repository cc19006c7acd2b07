"""The only place that hashes, fsyncs, renames, locks and removes.

Every effect on a disk that matters after a crash goes through one of these functions, so that a
test can fail any of them.
"""

from __future__ import annotations

import contextlib
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

_HASH_BLOCK = 1 << 20


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


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file durably: readers see the old content or the new, never a part."""
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        staged.write_bytes(data)
        publish(staged, path)
    finally:
        staged.unlink(missing_ok=True)


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
    """Create a folder and its parents."""
    path.mkdir(parents=True, exist_ok=True)


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
    """Rename a folder into place; an older one is moved aside first and removed last."""
    if not final.exists():
        staged.rename(final)
        return
    if not overwrite:
        raise FileExistsError(final)
    aside = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
    final.rename(aside)
    staged.rename(final)
    remove(aside)


@contextlib.contextmanager
def lock(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold an exclusive lock of the operating system, which a kill frees.

    Without `wait`, raise TableLocked naming the holder when another process has it.
    """
    import fcntl

    make_folder(path.parent)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise TableLocked(
                f"{path.parent} is being written by {holder}.",
                fix="Wait until it has finished, then run the command again.",
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
