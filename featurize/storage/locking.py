"""One writer at a time: an exclusive lock of the operating system on a folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from featurize.errors import TableLocked
from featurize.storage.disk import make_folder, naming

HOLDER = ".writer"
_UNKNOWN = "another process"


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
        try:
            with naming(folder / HOLDER):
                os.write(note, f"process {os.getpid()}".encode())
        finally:
            os.close(note)
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(HOLDER, dir_fd=handle)
        os.close(handle)


def holder(folder: Path) -> str | None:
    """Say which process has the lock of a folder; None where none has.

    Only where a process left its name is the lock tried, for an instant, and shared: a kill leaves
    the name, but frees the lock.
    """
    try:
        import fcntl

        name = (folder / HOLDER).read_text()
        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError, UnicodeDecodeError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return name or _UNKNOWN
    except OSError:  # a file system without locks
        return None
    finally:
        os.close(handle)
    return None


def _locked(folder: Path, wait: bool) -> int:
    """Lock a folder; once more where another process removed it before the lock was had."""
    import fcntl

    while True:
        make_folder(folder)
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue  # its last holder removed it meanwhile
        try:
            with naming(folder):
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
        name = (folder / HOLDER).read_text()
    except OSError:
        name = ""
    return TableLocked(
        f"{folder} is being written by {name or _UNKNOWN}.",
        fix="Wait until it has finished, then run the command again.",
    )
