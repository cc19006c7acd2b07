"""One writer at a time: an exclusive lock of the operating system on a folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from featurize.errors import TableLocked
from featurize.storage.disk import make_folder, naming

HOLDER = ".writer"
_UNKNOWN = "another process"


@contextlib.contextmanager
def lock(
    folder: Path, *, wait: bool, say: Callable[[str], None] = lambda _: None
) -> Iterator[None]:
    """Hold an exclusive lock of the operating system on a folder, which is made if missing.

    A kill frees it. When another process has it, tell `say` whom `wait` waits for; without `wait`,
    raise TableLocked naming the holder.
    """
    handle = _locked(folder, wait, say)
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


@contextlib.contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Hold a folder until the end of the block; give False where another process has it.

    Where the system has no such locks, all are had.
    """
    try:
        import fcntl  # noqa: F401
    except ImportError:
        yield True
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield _is_had(handle)
    finally:
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


def _locked(folder: Path, wait: bool, say: Callable[[str], None]) -> int:
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
                if not _is_had(handle):
                    if not wait:
                        raise _taken(folder)
                    say(f"Waiting for {_name(folder)}, which writes to {folder}.")
                    fcntl.flock(handle, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if os.fstat(handle).st_ino == folder.stat().st_ino:
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_had(handle: int) -> bool:
    """Lock a folder unless another process has it."""
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _name(folder: Path) -> str:
    """Name the process that has the lock of a folder."""
    try:
        return (folder / HOLDER).read_text() or _UNKNOWN
    except OSError:
        return _UNKNOWN


def _taken(folder: Path) -> TableLocked:
    return TableLocked(
        f"{folder} is being written by {_name(folder)}.",
        fix="Wait until it has finished, or run the command with --wait.",
    )
