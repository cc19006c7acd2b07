"""When files may last have changed, as far as the file system tells."""

from __future__ import annotations

import math
from pathlib import Path


class Changes:
    """The last possible change of files below a folder, in seconds since the epoch.

    A file's mtime moves with its content and can be set to any time; its ctime moves with all else,
    a new name among them, and cannot be set. A folder that takes the place of another brings files
    along that did not change. Renaming moves its ctime alone, while what is put into it or taken
    out moves both times: so a ctime after the mtime counts as a change of all that lies below.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._moves: dict[Path, float] = {}

    def at(self, path: str) -> float | None:
        """Return when the file at a path below the root may last have changed; None if unknown."""
        file = self._root / path
        try:
            info = file.lstat()
            return max(info.st_mtime, info.st_ctime, self._moved_at(file.parent))
        except OSError:
            return None

    def _moved_at(self, folder: Path) -> float:
        """Return when a folder, or one above it, was last renamed, as far as their times tell."""
        if folder not in self._moves:
            info = folder.stat()
            own = info.st_ctime if info.st_ctime_ns > info.st_mtime_ns else -math.inf
            above = self._moved_at(folder.parent) if folder != folder.parent else -math.inf
            self._moves[folder] = max(own, above)
        return self._moves[folder]
