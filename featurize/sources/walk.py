"""Walks a folder: every file below it, in one fixed order, through no link."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path

_LEFT_BY_SYSTEMS = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


class FoundKind(StrEnum):
    """What lies at a path."""

    FILE = auto()
    SYMLINK = auto()
    CLOSED_FOLDER = auto()


@dataclass(frozen=True, slots=True)
class Found:
    """Something below a folder: its POSIX path relative to it, and why a folder cannot be read.

    Bytes of the path that are not UTF-8 are surrogates, as everywhere in Python.
    """

    path: str
    kind: FoundKind
    detail: str = ""


def walk(root: Path, leave_out: Path) -> Iterator[Found]:
    """Yield what lies below `root`, folder by folder, the names of each sorted.

    Hidden names, what operating systems leave behind and the folder `leave_out` are passed over;
    links are named and not followed. Raises OSError if `root` itself cannot be read.
    """
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            inner, found = _listed(root, folder)
        except OSError as error:
            if not folder:
                raise
            yield Found(folder, FoundKind.CLOSED_FOLDER, error.strerror or "cannot be read")
            continue
        yield from found
        folders += [path for path in reversed(inner) if root / path != leave_out]


def is_passed_over(name: str) -> bool:
    """Tell whether a file or folder of this name is hidden, or left behind by a system."""
    return name.startswith(".") or name.lower() in _LEFT_BY_SYSTEMS


def percent_escaped(path: str) -> str:
    """Return a path that is not UTF-8 with its offending bytes, and every %, escaped."""
    return "".join(
        f"%{ord(char) & 0xFF:02X}" if "\udc80" <= char <= "\udcff" or char == "%" else char
        for char in path
    )


def is_utf8(path: str) -> bool:
    """Tell whether the bytes of a path were UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _listed(root: Path, folder: str) -> tuple[list[str], list[Found]]:
    """Return the paths of the folders in a folder, and all else, both sorted by name."""
    prefix = f"{folder}/" if folder else ""
    inner: list[str] = []
    found: list[Found] = []
    with os.scandir(root / folder) as entries:
        for entry in entries:
            if is_passed_over(entry.name):
                continue
            if entry.is_symlink():
                found.append(Found(prefix + entry.name, FoundKind.SYMLINK))
            elif entry.is_dir(follow_symlinks=False):
                inner.append(prefix + entry.name)
            else:
                found.append(Found(prefix + entry.name, FoundKind.FILE))
    found.sort(key=lambda item: item.path)
    return sorted(inner), found
