"""gc: the log shrinks to a checkpoint, and nobody can tell from what the table says."""

import itertools
import random
import shutil
from dataclasses import replace
from functools import partial

import pytest

from featurize import storage
from featurize.errors import TableError
from featurize.table import EmbeddingTable
from featurize.table import log as log_module
from featurize.table.garbage import collect_garbage
from featurize.table.layout import Layout
from featurize.table.log import CommitLog
from featurize.table.snapshot import EMPTY, Commit
from featurize.table.verify import verify_table
from featurize.table.writer import Change, write_table

ROWS = {f"row-{n}": f"the fox runs {n}" for n in range(8)} | {"row-9": " "}


@pytest.fixture
def source(tmp_path):
    """Return where the source lies."""
    return tmp_path / "in.csv"


@pytest.fixture
def table(embed_rows, source, tmp_path):
    """Embed nine inputs in five commits or so."""
    embed_rows(source, tmp_path / "table", ROWS)
    return tmp_path / "table"


@pytest.fixture
def log(table):
    """Return the log of the table."""
    return CommitLog(Layout.of(table).log)


def log_files(table):
    """Return the names of the files of the log."""
    return sorted(path.name for path in (table / "_log").iterdir())


def collected(version):
    """Return the names of the files of a log after gc."""
    return [f"{version:08d}.json", f"checkpoint-{version:08d}.json"]


@pytest.mark.parametrize("complete", [True, False])
def test_gc_keeps_everything_but_the_files(table, log, hashes, complete):
    """Version, parts, origin, counts and completeness stay; only the last entry is left."""
    with write_table(table) as writer:
        writer.commit(Change(complete=complete))
    before, data = log.snapshot(), hashes(table / "data")
    (table / "_staging" / "half.parquet").write_bytes(b"12345")
    (table / "data" / "stranger.parquet").write_bytes(b"123")
    entries = sum(path.stat().st_size for path in sorted((table / "_log").iterdir())[:-1])
    assert before.version > 3
    done = collect_garbage(table)
    assert done.version == before.version
    assert done.removed == {"staged": 1, "unnamed": 1, "log": before.version - 1}
    assert done.bytes == 8 + entries
    assert log_files(table) == collected(before.version)
    assert log.snapshot() == CommitLog(Layout.of(table).log).snapshot() == before
    assert hashes(table / "data") == data
    assert verify_table(table) == []


def test_gc_again_finds_nothing_to_do(table, hashes):
    """A second run changes no byte."""
    collect_garbage(table)
    before = hashes(table)
    done = collect_garbage(table)
    assert (done.bytes, set(done.removed.values())) == (0, {0})
    assert hashes(table) == before


def test_gc_leaves_a_single_commit_alone(embed_rows, source, tmp_path):
    """Where there are no older entries there is no checkpoint."""
    embed_rows(source, tmp_path / "t", {"a": "fox"})
    assert collect_garbage(tmp_path / "t").removed["log"] == 0
    assert log_files(tmp_path / "t") == ["00000001.json"]


def test_runs_go_on_after_gc(table, log, embed_rows, source):
    """Later commits follow the checkpoint, and a later gc takes them in."""
    first = collect_garbage(table).version
    summary = embed_rows(source, table, ROWS | {"new": "a new dog", "row-3": "other"})
    assert (summary.embedded, summary.unchanged) == (2, 7)
    assert summary.version > first
    before = log.snapshot()
    collect_garbage(table)
    assert log.snapshot() == before
    assert log_files(table) == collected(before.version)
    assert embed_rows(source, table).version == before.version
    assert verify_table(table) == []


def test_gc_of_no_table_makes_none(tmp_path):
    """A folder that is missing or no table is refused, and stays as it was."""
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(TableError, match="no embedding table"):
            collect_garbage(folder)
    assert list(tmp_path.iterdir()) == []


def test_damage_to_the_checkpoint_is_found(table):
    """Every flipped bit and every cut, in the checkpoint and in the entry it rests on."""
    collect_garbage(table)
    rng = random.Random(0)
    for path in sorted((table / "_log").iterdir()):
        sound = path.read_bytes()
        for _ in range(60):
            place = rng.randrange(len(sound))
            flipped = bytearray(sound)
            flipped[place] ^= 1 << rng.randrange(8)
            for damaged in (bytes(flipped), sound[:place]):
                path.write_bytes(damaged)
                (problem,) = verify_table(table)
                assert path.name in problem.detail
        path.unlink()
        assert "is missing: the log is broken" in verify_table(table)[0].detail
        path.write_bytes(sound)
    assert verify_table(table) == []


def test_a_checkpoint_of_another_table_is_refused(table, embed_rows, source, tmp_path):
    """Its tip is not the hash of the entry; nor does one pass for that of another version."""
    embed_rows(source, tmp_path / "other", ROWS)
    version = collect_garbage(table).version
    assert collect_garbage(tmp_path / "other").version == version
    entry, mine = (table / "_log" / name for name in collected(version))
    shutil.copy(tmp_path / "other" / "_log" / mine.name, mine)
    with pytest.raises(TableError, match="does not have the hash that the checkpoint states"):
        EmbeddingTable.open(table)
    mine.rename(table / "_log" / collected(version + 1)[1])
    with pytest.raises(TableError, match=f"it is of version {version}"):
        EmbeddingTable.open(table)
    assert entry.exists()


def test_verify_looks_for_the_parts_of_the_checkpoint(table):
    """The checkpoint's parts are checked like any."""
    collect_garbage(table)
    next((table / "data").iterdir()).unlink()
    assert "the file is missing" in verify_table(table)[0].detail


def test_a_writer_that_gc_left_behind_is_refused(table, log):
    """Whatever version it knows, its commit fails, and the table reads as before."""
    collect_garbage(table)
    now = log.snapshot()
    for version in range(now.version):
        behind = replace(now, version=version, tip="0" * 64) if version else EMPTY
        commit = Commit("embed", [], [], now.origin, {}, complete=True)
        with pytest.raises(TableError, match="by another process meanwhile"):
            CommitLog(Layout.of(table).log).append(behind, commit)
        assert log.snapshot() == now
    collect_garbage(table)
    assert log_files(table) == collected(now.version)


def test_a_writer_whose_predecessor_is_gone_is_refused(table, log, monkeypatch):
    """Even where a listing misses the checkpoint, because it gives way to a newer one."""
    collect_garbage(table)
    now = log.snapshot()
    listed = log_module.names
    hidden = collected(now.version)[1]
    monkeypatch.setattr(log_module, "names", lambda folder: sorted({*listed(folder)} - {hidden}))
    for version in range(1, now.version - 1):
        commit = Commit("embed", [], [], now.origin, {}, complete=True)
        with pytest.raises(TableError, match="by another process meanwhile"):
            log.append(replace(now, version=version), commit)
        log.path_of(version + 1).unlink()


def test_a_reader_that_gc_overtakes_starts_again(table, log, monkeypatch):
    """Entries that go between their listing and their reading do no harm."""
    before = log.snapshot()
    listed = log_module.names

    def then_gc(folder):
        found = listed(folder)
        monkeypatch.setattr(log_module, "names", listed)
        collect_garbage(table)
        return found

    monkeypatch.setattr(log_module, "names", then_gc)
    assert CommitLog(Layout.of(table).log).snapshot() == before


def test_a_reader_never_takes_an_entry_that_a_late_writer_put(table, log, monkeypatch):
    """One that knows of two versions reads the first; then gc comes, and a late second version."""
    now, first = log.snapshot(), log.path_of(1)
    behind = replace(now, version=1, tip=storage.sha256_file(first))
    commit = Commit("embed", [], [], {}, {}, complete=True)

    def late(path):
        if path == log.path_of(2):
            monkeypatch.undo()
            collect_garbage(table)
            with pytest.raises(TableError, match="meanwhile"):
                CommitLog(Layout.of(table).log).append(behind, commit)
        return storage.read(path)

    monkeypatch.setattr(log_module, "names", lambda _folder: [first.name, "00000002.json"])
    monkeypatch.setattr(log_module, "read", late)
    assert CommitLog(Layout.of(table).log).snapshot() == now


def test_gc_killed_anywhere_leaves_the_table_as_it_was(table, log, killed_at, hashes, tmp_path):
    """Before each of its disk effects; the next gc, or any other writer, finishes the work."""
    before, data = log.snapshot(), hashes(table / "data")
    (table / "_staging" / "half.parquet").write_bytes(b"12345")
    for number in itertools.count():
        copy = tmp_path / f"copy{number}"
        shutil.copytree(table, copy)
        if not killed_at(number, copy, partial(collect_garbage, copy)):
            break
        assert CommitLog(Layout.of(copy).log).snapshot() == before
        assert hashes(copy / "data") == data
        assert verify_table(copy) == []
        if collected(before.version)[1] in log_files(copy):
            with write_table(copy):
                pass
        else:
            collect_garbage(copy)
        assert log_files(copy) == collected(before.version)
        assert list((copy / "_staging").iterdir()) == []
        assert CommitLog(Layout.of(copy).log).snapshot() == before
    assert number > 2 * before.version
