"""Storage: durable, whole, exclusive."""

import errno
import hashlib
import multiprocessing
import os
from pathlib import Path

import pytest

from featurize import storage
from featurize.errors import FileError, TableLocked


def test_hashes_are_sha256(tmp_path):
    """A file's hash is the SHA-256 of its bytes."""
    data = bytes(range(256)) * 9000
    (tmp_path / "file").write_bytes(data)
    expected = hashlib.sha256(data).hexdigest()
    assert storage.sha256_file(tmp_path / "file") == storage.sha256_bytes(data) == expected


def test_canonical_json_has_one_spelling():
    """Order of keys does not change the spelling, and nothing is escaped."""
    assert storage.canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()


def test_put_if_absent_keeps_the_first(tmp_path):
    """The second to create a file fails, the first content stays."""
    storage.put_if_absent(tmp_path / "1.json", b"first")
    with pytest.raises(FileExistsError):
        storage.put_if_absent(tmp_path / "1.json", b"second")
    assert (tmp_path / "1.json").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["1.json"]


def test_a_file_system_without_hard_links_is_named(tmp_path, monkeypatch):
    """FAT answers with EPERM, which is no question of permissions there."""

    def refuse(_old, _new):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(FileError, match="no hard links"):
        storage.put_if_absent(tmp_path / "1.json", b"first")
    assert list(tmp_path.iterdir()) == []


def test_new_folder_appears_whole_or_not_at_all(tmp_path):
    """A folder whose filling fails leaves nothing behind."""
    with pytest.raises(ZeroDivisionError), storage.new_folder(tmp_path / "f", overwrite=False) as f:
        (f / "half").write_text("x")
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []
    with storage.new_folder(tmp_path / "f", overwrite=False) as folder:
        (folder / "whole").write_text("x")
    assert (tmp_path / "f" / "whole").read_text() == "x"


def test_new_folder_overwrites_only_when_told(tmp_path):
    """An existing folder is replaced with `overwrite` and stays without."""
    for text in ("old", "new"):
        with storage.new_folder(tmp_path / "f", overwrite=True) as folder:
            (folder / "file").write_text(text)
    with (
        pytest.raises(FileExistsError),
        storage.new_folder(tmp_path / "f", overwrite=False) as folder,
    ):
        (folder / "file").write_text("newest")
    assert (tmp_path / "f" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_folder_is_not_made_where_something_else_lies(tmp_path):
    """A file, a link to nowhere, or a parent that is one, is an error: also to lock, at once."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path / "file", tmp_path / "link", tmp_path / "link" / "folder"):
        with pytest.raises(OSError, match=r"File exists|No such file"):
            storage.make_folder(path)
        with (
            pytest.raises(OSError, match=r"File exists|No such file"),
            storage.lock(path, wait=False),
        ):
            pass
    assert not (tmp_path / "nowhere").exists()


def _hold(path, held, release):
    with storage.lock(Path(path), wait=False):
        held.set()
        release.wait(30)


def _holder(path):
    """Start a process that holds a lock until it is released; return it and the release."""
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(path), held, release))
    other.start()
    assert held.wait(30)
    return other, release


def test_lock_names_its_holder_and_a_kill_frees_it(tmp_path):
    """A second writer learns the holder's process id; a killed holder frees the lock."""
    other, _release = _holder(tmp_path / "lock")
    with (
        pytest.raises(TableLocked, match=f"process {other.pid}"),
        storage.lock(tmp_path / "lock", wait=False),
    ):
        pass
    other.kill()
    other.join()
    with storage.lock(tmp_path / "lock", wait=False):
        pass


def _enter_often(folder, seconds, inside):
    import time

    entered = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with storage.lock(Path(folder), wait=False):
                with inside.get_lock():
                    inside.value += 1
                    assert inside.value == 1
                entered += 1
                with inside.get_lock():
                    inside.value -= 1
                storage.remove(Path(folder))  # the last act, as of a table without a commit
        except TableLocked:
            pass
    assert entered


def test_who_waits_for_a_lock_says_for_whom_once(tmp_path):
    """The holder is named before the wait begins."""
    other, release = _holder(tmp_path / "lock")
    said = []

    def hear(text):
        said.append(text)
        release.set()

    with storage.lock(tmp_path / "lock", wait=True, say=hear):
        assert said == [f"Waiting for process {other.pid}, which writes to {tmp_path / 'lock'}."]
    other.join()


def test_never_two_hold_a_lock_even_while_its_folder_comes_and_goes(tmp_path):
    """Three processes that lock, remove and make one folder again are never inside together."""
    context = multiprocessing.get_context("spawn")
    inside = context.Value("i", 0)
    arguments = (str(tmp_path / "table"), 1.5, inside)
    others = [context.Process(target=_enter_often, args=arguments) for _ in range(3)]
    for process in others:
        process.start()
    for process in others:
        process.join(60)
    assert [process.exitcode for process in others] == [0, 0, 0]


def test_what_kills_left_of_a_folder_goes(tmp_path):
    """Unfinished folders of that name are removed, but for those of a process at work."""
    with storage.new_folder(tmp_path / "f", overwrite=True) as folder:
        (folder / "file").write_text("old")
    left, other, alike = (tmp_path / name for name in (f".f.{'0' * 32}", f".g.{'0' * 32}", ".f.x"))
    for folder in (left, other, alike):
        folder.mkdir()
        (folder / "file").write_text("half")
    with storage.new_folder(tmp_path / "f", overwrite=True) as mine:
        assert not left.exists()
        with storage.new_folder(tmp_path / "f", overwrite=True) as folder:
            (folder / "file").write_text("other")
        (mine / "file").write_text("mine")
    assert (tmp_path / "f" / "file").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["f", other.name, alike.name])


def test_what_lies_aside_stays_until_there_is_another(tmp_path):
    """Where the folder itself is missing, it may be the only copy."""
    aside = tmp_path / f".f.{'0' * 32}"
    aside.mkdir()
    with pytest.raises(ZeroDivisionError), storage.new_folder(tmp_path / "f", overwrite=True):
        raise ZeroDivisionError
    assert aside.exists()
    with storage.new_folder(tmp_path / "f", overwrite=True):
        assert aside.exists()
    assert not aside.exists()


def test_a_replaced_folder_is_never_missing(tmp_path, monkeypatch):
    """Where names cannot be exchanged, a failing rename brings the old folder back."""
    monkeypatch.setattr(storage.folders, "_swap", lambda _left, _right: False)
    with storage.new_folder(tmp_path / "f", overwrite=True) as folder:
        (folder / "file").write_text("old")
    rename = os.rename

    def fail_at_last(path, target):
        if Path(target).name == "f" and not (path / "file").read_text() == "old":
            raise OSError("no")
        return rename(path, target)

    monkeypatch.setattr(os, "rename", fail_at_last)
    with (
        pytest.raises(OSError, match="no"),
        storage.new_folder(tmp_path / "f", overwrite=True) as folder,
    ):
        (folder / "file").write_text("new")
    assert (tmp_path / "f" / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
