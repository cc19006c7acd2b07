"""A disk that counts operations, fails one of them, and knows what a power cut would leave."""

import errno
import os
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path

from featurize.storage import disk as storage_disk
from featurize.storage import locking as storage_locking


class Crash(BaseException):
    """The process is gone: nothing it would still do reaches the disk."""


class _File:
    """A file as such, whatever its names: its content as of the last sync, None if never synced."""

    def __init__(self, durable=None):
        self.durable = durable


_FOLDER = object()
_FILLING = {"create", "write", "mkdir", "link"}


class FaultyDisk:
    """Stands in for `os` under `root`.

    Operation number `fail_at` does not happen: it raises `failure`, after which, for a Crash, none
    happens any more. With `torn`, half of the data of a failing write arrives. An ENOSPC lasts:
    whatever would fill the disk fails from there on.

    The model of a power cut: the content of a file is what it was when it was last synced, the
    names in a folder are those it had when the folder was last synced. What a failed sync should
    have kept is lost for good, although the next sync of the same folder may succeed.
    """

    def __init__(self, root, *, fail_at=None, failure=None, torn=False):
        self._root = Path(root)
        self._fail_at, self._failure, self._torn = fail_at, failure, torn
        self._lock = threading.RLock()
        self._handles = {}
        self._files = {}  # by present path
        self._entries = {}  # durable: folder -> name -> _File or _FOLDER
        self._lost = {}  # folder -> name -> what a failed sync should have kept
        self.trace = []
        self.failed = False
        self.shutil = self
        for folder, _, names in os.walk(self._root):
            for name in names:
                path = Path(folder, name)
                self._files[path] = _File(path.read_bytes())
            self._keep_entries(Path(folder))

    def __getattr__(self, name):
        return getattr(os, name)

    @contextmanager
    def mounted(self, monkeypatch):
        """Put the disk under `featurize.storage` for a while."""
        with monkeypatch.context() as patch:
            patch.setattr(storage_disk, "os", self)
            patch.setattr(storage_disk, "shutil", self)
            patch.setattr(storage_locking, "os", self)
            try:
                yield self
            finally:
                for handle in list(self._handles):
                    self.close(handle)

    def revive(self):
        """Fail no more: another process goes on with what is there, durable or not."""
        self._fail_at = None

    def open(self, path, flags, mode=0o777, *, dir_fd=None):
        """Open a file or a folder; count it apart where it may create one."""
        place = self._place(path, dir_fd)
        if place is None:
            return os.open(path, flags, mode, dir_fd=dir_fd)
        with self._lock:
            self._step("create" if flags & os.O_CREAT else "open", place)
            if flags & os.O_CREAT and not place.exists():
                self._files[place] = _File()
            handle = os.open(place, flags, mode)
            self._handles[handle] = place
            return handle

    def write(self, handle, data):
        """Write to an open file."""
        place = self._handles.get(handle)
        if place is None:
            return os.write(handle, data)
        with self._lock:
            try:
                self._step("write", place)
            except BaseException:
                if self._torn and self._fail_at == len(self.trace) - 1:
                    os.write(handle, bytes(data)[: len(data) // 2])
                raise
            return os.write(handle, data)

    def fsync(self, handle):
        """Make the content of a file, or the names in a folder, durable."""
        place = self._handles.get(handle)
        if place is None:
            return os.fsync(handle)
        with self._lock:
            try:
                self._step("fsync", place)
            except OSError:
                if place.is_dir():
                    self._lost.setdefault(place, {}).update(self._unsynced(place))
                raise
            if place.is_dir():
                self._keep_entries(place)
            else:
                self._files[place].durable = place.read_bytes()
        return None

    def fdopen(self, handle, mode):
        """Give an open file to an object that closes it."""
        self._handles.pop(handle, None)
        return os.fdopen(handle, mode)

    def close(self, handle):
        """Close a file: what a dead process's files do too."""
        self._handles.pop(handle, None)
        os.close(handle)

    def replace(self, old, new):
        """Rename a file."""
        with self._lock:
            self._step("rename", Path(new))
            os.replace(old, new)
            self._files[Path(new)] = self._files.pop(Path(old))

    rename = replace

    def link(self, old, new):
        """Give a file a second name."""
        with self._lock:
            self._step("link", Path(new))
            os.link(old, new)
            self._files[Path(new)] = self._files[Path(old)]

    def unlink(self, path, *, dir_fd=None):
        """Remove a name."""
        place = self._place(path, dir_fd)
        if place is None:
            return os.unlink(path, dir_fd=dir_fd)
        with self._lock:
            self._step("unlink", place)
            os.unlink(place)
            del self._files[place]
        return None

    def mkdir(self, path):
        """Make a folder."""
        with self._lock:
            self._step("mkdir", Path(path))
            os.mkdir(path)

    def rmtree(self, path):
        """Remove a folder with all it holds, name by name."""
        for item in sorted(Path(path).iterdir()):
            if item.is_dir():
                self.rmtree(item)
            else:
                self.unlink(item)
        with self._lock:
            self._step("rmdir", Path(path))
            os.rmdir(path)

    def listdir(self, path):
        """List a folder."""
        if self._place(path, None) is not None:
            with self._lock:
                self._step("list", Path(path))
        return os.listdir(path)

    def power_cut(self, into, *, names_kept):
        """Write what is left after a power cut to a new folder.

        Unsynced contents are lost; unsynced changes of names too, unless `names_kept`: then files
        that were never synced are there, and empty.
        """
        if names_kept:
            for folder, _, _ in os.walk(self._root):
                self._keep_entries(Path(folder))
        self._restore(self._root, Path(into))

    def _restore(self, folder, into):
        into.mkdir(parents=True)
        for name, entry in self._entries.get(folder, {}).items():
            if entry is _FOLDER:
                self._restore(folder / name, into / name)
            else:
                (into / name).write_bytes(entry.durable or b"")

    def _keep_entries(self, folder):
        synced = self._entries.get(folder, {})
        for name, now in self._unsynced(folder).items():
            lost = self._lost.get(folder, {})
            if name in lost and lost[name] is now:
                continue
            synced = {key: entry for key, entry in synced.items() if key != name}
            if now is not None:
                synced[name] = now
        self._entries[folder] = synced

    def _unsynced(self, folder):
        """Return names that came or changed since the last sync, and None for those that went."""
        synced = self._entries.get(folder, {})
        now = {item.name: self._entry(item) for item in folder.iterdir()}
        names = now.keys() | synced.keys()
        return {name: now.get(name) for name in names if now.get(name) is not synced.get(name)}

    def _entry(self, path):
        return _FOLDER if path.is_dir() else self._files[path]

    def _place(self, path, dir_fd):
        place = Path(path) if dir_fd is None else self._handles.get(dir_fd, Path("/")) / path
        return place if place.is_relative_to(self._root) else None

    def _step(self, operation, place):
        """Count an operation; raise where it shall not happen."""
        number = len(self.trace)
        self.trace.append(f"{operation} {place.relative_to(self._root)}")
        full = isinstance(self._failure, OSError) and self._failure.errno == errno.ENOSPC
        if number == self._fail_at and (not full or operation in _FILLING):
            self.failed = True
            raise self._failure
        after = self._fail_at is not None and number > self._fail_at
        if after and (isinstance(self._failure, Crash) or (full and operation in _FILLING)):
            self.failed = True
            raise self._failure


def copy_folder(source, target):
    """Copy a folder, which may not be there."""
    if Path(source).exists():
        shutil.copytree(source, target)
