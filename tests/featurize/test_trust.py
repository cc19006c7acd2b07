"""With --trust-mtime, files that cannot have changed since the last run are not read."""

import os
import time

import pytest

from featurize.bundle import Bundle
from featurize.config import Job
from featurize.encoder import Encoder
from featurize.pipeline import binding, embed_source
from featurize.sources import Record, open_source
from featurize.table import EmbeddingTable
from featurize.table.verify import verify_table
from featurize.table.writer import TableWriter
from featurize.types import Silent


@pytest.fixture(autouse=True)
def no_margin(monkeypatch):
    """Let a file be trusted that was written just before a run, so that no test has to wait."""
    monkeypatch.setattr(binding, "_CLOCK_MARGIN", 0.0)


@pytest.fixture
def folder(tmp_path):
    """Write a folder of texts, and an older one to take files from."""
    for name in ("in/a.txt", "in/b.txt", "in/sub/c.txt", "old/b.txt", "old/sub/c.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"the fox {name.replace('/', ' ')}")
    (tmp_path / "in" / "blank.txt").write_text(" ")
    return tmp_path / "in"


@pytest.fixture
def sync(folder, tiny_text, tmp_path):
    """Return a function that runs with the flag and tells (summary, ids of the files it read)."""

    def run(source=folder, **options):
        job = Job(source, out=tmp_path / "t", **{"trust_mtime": True, **options})
        opened, read = open_source(job), []
        load = opened.load
        opened.load = lambda record: read.append(record.id) or load(record)
        encoder = Encoder.open(Bundle.open(tiny_text), device="cpu")
        encoder.processor.chunk_bytes = 40
        summary = embed_source(job, opened, encoder, bundle="tiny", reporter=Silent())
        return summary, sorted(set(read))

    return run


EVERYTHING = ["a.txt", "b.txt", "blank.txt", "sub/c.txt"]


def test_files_that_did_not_change_are_not_read(sync, tmp_path, hashes):
    """Neither those with a row nor those with a reject; the table stays as it is."""
    assert sync()[1] == EVERYTHING
    before = hashes(tmp_path / "t")
    summary, read = sync()
    assert (read, summary.unchanged, summary.rejected) == ([], 3, 1)
    assert hashes(tmp_path / "t") == before
    assert sync(trust_mtime=False)[1] == EVERYTHING


def edit(folder):
    """Write another text, and set the time back."""
    before = (folder / "b.txt").stat()
    (folder / "b.txt").write_text("another text")
    os.utime(folder / "b.txt", ns=(before.st_atime_ns, before.st_mtime_ns))


def touch(folder):
    """Set another time."""
    (folder / "b.txt").touch()


def take_older(folder):
    """Put an older file into the place of this one."""
    (folder.parent / "old" / "b.txt").rename(folder / "b.txt")


def swap_folders(folder):
    """Put an older folder into the place of this one."""
    (folder / "sub").rename(folder.parent / "away")
    (folder.parent / "old" / "sub").rename(folder / "sub")


def rename(folder):
    """Give a file another name."""
    (folder / "b.txt").rename(folder / "new.txt")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edit, ["b.txt"]),
        (touch, ["b.txt"]),
        (take_older, ["b.txt"]),
        (swap_folders, ["sub/c.txt"]),
        (rename, ["new.txt"]),
    ],
)
def test_what_may_have_changed_is_read(sync, folder, tmp_path, change, expected):
    """Whatever time a file pretends to have, its row is that of its content."""
    sync(allow_delete=True)
    change(folder)
    assert sync(allow_delete=True)[1] == expected
    table = EmbeddingTable.open(tmp_path / "t")
    texts = dict(zip(table.ids, table.column("text"), strict=True))
    files = [path for path in folder.rglob("*.txt") if path.name != "blank.txt"]
    assert texts == {str(path.relative_to(folder)): path.read_text() for path in files}


def test_a_file_written_just_before_the_run_is_read(sync, monkeypatch):
    """Within two seconds, times are too coarse to tell what came first."""
    sync()
    monkeypatch.setattr(binding, "_CLOCK_MARGIN", 2.0)
    assert sync()[1] == EVERYTHING


def test_labels_are_compared_all_the_same(sync):
    """What is known without reading a file is never taken from the table."""
    sync()
    summary, read = sync(label_from="parent")
    assert (read, summary.updated) == ([], 1)


def test_rejects_are_read_again_where_that_is_asked_or_may_help(sync, folder):
    """--retry-rejects reads them; one that could not be read is always tried."""
    (folder / "closed.txt").write_text("a text")
    (folder / "closed.txt").chmod(0)
    sync()
    expected = [] if os.access(folder / "closed.txt", os.R_OK) else ["closed.txt"]
    assert sync()[1] == expected
    assert sync(retry_rejects=True)[1] == ["blank.txt", *expected]


def test_a_run_that_did_not_finish_vouches_for_nothing(
    sync, folder, tmp_path, tiny_text, monkeypatch
):
    """All is read after it; not even another source's run that finishes makes up for it."""
    sync()
    (folder / "b.txt").write_text("another text")
    (folder / "d.txt").write_text("a new text")
    commit = TableWriter.commit

    class Killed(BaseException):
        pass

    def stopping(self, change, operation="embed"):
        if change.replaced:
            raise Killed
        return commit(self, change, operation)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(TableWriter, "commit", stopping)
        sync()
    assert not EmbeddingTable.open(tmp_path / "t").complete
    other = tmp_path / "other"
    other.mkdir()
    (other / "e.txt").write_text("yet another")
    sync(other, append=True)
    assert EmbeddingTable.open(tmp_path / "t").complete
    assert "b.txt" in sync(append=True)[1]
    table = EmbeddingTable.open(tmp_path / "t")
    assert "another text" in table.column("text")
    assert verify_table(tmp_path / "t") == []


def test_after_a_run_that_did_not_finish_all_is_read(sync, folder, tmp_path, monkeypatch):
    """Its commits are there, but nothing says which files it had still to look at."""
    commit, commits = TableWriter.commit, iter(range(100))

    class Killed(BaseException):
        pass

    def stopping(self, change, operation="embed"):
        if next(commits) == 1:
            raise Killed
        return commit(self, change, operation)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(TableWriter, "commit", stopping)
        sync()
    assert sync()[1] == EVERYTHING


def test_single_files_have_times_and_rows_of_tables_have_none(folder, tmp_path):
    """The time of a file of many inputs says nothing of one of them."""
    single = open_source(Job(folder / "a.txt", out="t"))
    assert single.changed_at(Record("a.txt", "a.txt", None, "a.txt")) <= time.time()
    (tmp_path / "in.csv").write_text("id,text\n1,the fox\n")
    table = open_source(Job(tmp_path / "in.csv", out="t"))
    assert table.changed_at(Record("1", "in.csv", "the fox", None)) is None


def test_a_file_that_is_gone_has_no_time(folder):
    """Reading it tells what is wrong."""
    source = open_source(Job(folder, out="t"))
    assert source.changed_at(Record("x", "x", None, "gone.txt")) is None
