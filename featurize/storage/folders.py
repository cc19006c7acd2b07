"""Folders that appear whole or not at all, and replace an older one in one step."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from featurize.storage.disk import make_folder, naming, remove, sync_folder, sync_path
from featurize.storage.locking import held

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # RENAME_SWAP on macOS
_STAGED = r"\.{}\.[0-9a-f]{{32}}"


@contextlib.contextmanager
def new_folder(final: Path, *, overwrite: bool) -> Iterator[Path]:
    """Fill a folder under a temporary name beside `final`, which appears whole or not at all.

    With `overwrite`, an older folder of that name is replaced; else FileExistsError is raised
    where another process was first. What killed processes have left of such folders is removed.
    """
    make_folder(final.parent)
    _clear(final)
    staged = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
    os.mkdir(staged)
    try:
        with held(staged):
            with naming(final):
                yield staged
            for file in sorted(staged.rglob("*")):
                sync_path(file)
            sync_folder(staged)
            _install(staged, final, overwrite=overwrite)
            sync_folder(final.parent)
    finally:
        remove(staged)
    _clear(final)


def _clear(final: Path) -> None:
    """Remove unfinished folders that no process holds.

    Where the final one is missing nothing is: it may have been put aside, to be replaced.
    """
    if not final.is_dir():
        return
    pattern = re.compile(_STAGED.format(re.escape(final.name)))
    for folder in final.parent.iterdir():
        if pattern.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            with contextlib.suppress(OSError), held(folder) as is_ours:
                if is_ours:
                    remove(folder)


def _install(staged: Path, final: Path, *, overwrite: bool) -> None:
    """Give a filled folder its name. An older one changes places with it, and goes with it."""
    if not final.exists():
        os.rename(staged, final)
        return
    if not overwrite:
        raise FileExistsError(final)
    if _swap(staged, final):
        return
    aside = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
    os.rename(final, aside)
    try:
        os.rename(staged, final)
    except BaseException:
        os.rename(aside, final)
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
