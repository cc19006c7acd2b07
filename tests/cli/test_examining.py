"""What verify and inspect say of tables and indexes that are damaged, unfinished or outdated."""

import errno
import os
import shutil

import pytest
from faulty_disk import FaultyDisk

from featurize.storage import HOLDER
from featurize.table.layout import Layout
from featurize.table.sealed import sealed, unsealed
from featurize.table.writer import write_table


@pytest.fixture
def source(tmp_path):
    """Write sixty texts, every second one blank, to a CSV file."""
    path = tmp_path / "in.csv"
    texts = [f"r{number},{'fox' if number % 2 else ' '}" for number in range(60)]
    path.write_text("\n".join(["id,text", *texts]) + "\n")
    return path


@pytest.fixture
def index(command, table, tmp_path):
    """Index them."""
    assert command("index", table, "--out", tmp_path / "index", "--json")[0] == 0
    return tmp_path / "index"


@pytest.mark.parametrize("gone", [(), ("_log", "data", "_rejects", "_staging")])
@pytest.mark.parametrize("words", [("verify",), ("inspect",), ("gc",)])
def test_a_first_run_that_was_killed_is_said_to_be_so(told, tmp_path, words, gone):
    """Whatever it had made by then: its folders, or no more than its name."""
    layout = Layout.of(tmp_path / "table")
    for folder in layout.folders:
        folder.mkdir(parents=True)
    (layout.root / HOLDER).write_text("process 1")
    for name in gone:
        (layout.root / name).rmdir()
    code, out, err = told(*words, layout.root)
    assert code == 1
    assert "its first run was stopped before it made one" in out + err
    assert "Run the same `featurize embed` command again" in out + err
    assert "broken" not in out


def test_a_first_run_under_way_is_named(told, tmp_path):
    """By its process, and nothing is called stopped."""
    with write_table(tmp_path / "table"):
        for word in ("verify", "inspect"):
            code, out, err = told(word, tmp_path / "table")
            assert code == 1
            assert f"a run is under way (process {os.getpid()})" in out + err
            assert "stopped" not in out + err


def test_a_table_is_sound_while_a_run_is_under_way(told, table):
    """Parts that the run has made, but not committed, are its own affair; others' are not."""
    part = next((table / "data").iterdir())
    with write_table(table):
        shutil.copy(part, table / "data" / "part-000002-0123456789ab.parquet")
        code, out, _ = told("verify", table)
        assert (code, "sound" in out) == (0, True)
        assert f"a run is under way (process {os.getpid()})" in out
        (table / "data" / "mine.parquet").touch()
        code, out, _ = told("verify", table)
        assert (code, "data/mine.parquet" in out, "part-" in out) == (1, True, False)
    assert told("verify", table)[1] == f"{table}: table, sound\n"


def test_an_incomplete_table_says_how_to_go_on(told, table):
    """Only where no run is under way."""
    entry = sorted((table / "_log").iterdir())[-1]
    entry.write_bytes(sealed(unsealed(entry, entry.read_bytes()) | {"complete": False}))
    code, out, _ = told("verify", table)
    assert (code, "incomplete: its run was stopped" in out) == (0, True)
    with write_table(table):
        assert "stopped" not in told("verify", table)[1]


def test_strays_come_with_the_way_to_be_rid_of_them(told, command, table):
    """Those gc removes with gc, others by hand; only one among the parts is no sound table."""
    collected = ["_staging/half.parquet", "_log/.00000002.json.0123"]
    others = ["notes.txt", "_log/mine.json"]
    for name in collected + others:
        (table / name).touch()
    code, out, _ = told("verify", table)
    assert code == 0
    for name in collected:
        assert f"{name} is no longer needed: `featurize gc {table}` removes it" in out
    for name in others:
        assert f"{name} is not of the table: it may be removed by hand" in out
    (table / "data" / "mine.parquet").touch()
    code, out, _ = told("verify", table)
    assert (code, "broken" in out, f"`featurize gc {table}` removes" in out) == (1, True, True)
    assert told("gc", table)[0] == 0
    _, data, _ = command("verify", table, "--json")
    assert data["sound"]
    assert [remark.split()[0] for remark in data["remarks"]] == others


@pytest.mark.parametrize("folder", ["data", "_rejects", "_log"])
@pytest.mark.parametrize("damage", ["flip", "cut", "lose"])
def test_damage_comes_with_file_expectation_and_fix(told, table, damage, folder):
    """Verify and reading name the file, what was expected and found, and a way out."""
    path = next((table / folder).iterdir())
    whole = path.read_bytes()
    if damage == "lose":
        path.unlink()
    else:
        flipped = bytes([whole[0] ^ 1]) + whole[1:]
        path.write_bytes(flipped if damage == "flip" else whole[:-1])
    lost = damage == "lose" and folder == "_log"  # all of the log: nothing tells of a table
    for word in ("verify", "inspect"):
        code, out, err = told(word, table)
        assert code == 1
        assert lost or path.name in out + err
        assert lost or "expected" in out + err or "states" in out + err or "written" in out + err
        assert lost or "with another --out" in out + err


def test_a_run_refuses_to_build_on_a_damaged_part(command, table, source):
    """A bit that no page checksum covers stops the next run, which leaves the table as it was."""
    source.write_text(source.read_text() + "new,dog\n")
    part = next((table / "data").iterdir())
    whole = part.read_bytes()
    part.write_bytes(whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:])
    code, data, _ = command("embed", source, "--out", table, "--json")
    assert (code, data["error"]["kind"]) == (1, "table")
    assert part.name in data["error"]["message"]


def test_inspect_says_that_it_shows_some_of_the_rejects(told, table):
    """Twenty of thirty."""
    assert "first_rejects (20 of 30 shown" in told("inspect", table)[1]


def test_an_index_is_outdated_or_broken(told, command, index, table, source):
    """A table with other rows makes it outdated, forgotten ids refused, a flipped bit broken."""
    assert told("verify", index)[1] == f"{index}: index, sound\n"
    source.write_text(source.read_text() + "new,dog\n")
    assert command("embed", source, "--out", table, "--json")[0] == 3
    for word in ("verify", "inspect"):
        code, out, _ = told(word, index)
        assert (code, "outdated: made from version 1" in out) == (0, True)
        assert "`featurize index TABLE --out INDEX`" in out
    assert told("forget", table, "--id", "r1")[0] == 0
    code, out, _ = told("verify", index)
    assert (code, "index, outdated\n" in out, "broken" in out) == (1, True, False)
    vectors = index / "vectors.npy"
    vectors.write_bytes(vectors.read_bytes()[:-1])
    code, out, _ = told("verify", index)
    assert (code, "index, broken\n" in out, "vectors.npy" in out) == (1, True, True)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "Free some room there and run the command again: what was committed stays"),
        (errno.EIO, "Check the disk"),
        (errno.EROFS, "Write to another place"),
        (errno.EACCES, "Check the permissions"),
    ],
)
@pytest.mark.parametrize("operation", ["write _staging", "fsync _staging", "fsync data"])
def test_a_refusing_system_is_told_of_with_path_and_advice(
    command, table, source, monkeypatch, operation, code, advice
):
    """Also where it refused an open file, whose path the system does not say."""
    source.write_text(source.read_text() + "new,dog\n")
    place = operation.split()[1]
    with FaultyDisk(table).mounted(monkeypatch) as disk:
        assert command("embed", source, "--out", table, "--plan", "--json")[0] == 0

        def refuse(name, path):
            if f"{name} {path.relative_to(table)}".startswith(operation):
                raise OSError(code, os.strerror(code))

        monkeypatch.setattr(disk, "_step", refuse)
        ended, data, _ = command("embed", source, "--out", table, "--json")
    error = data["error"]
    assert (ended, error["kind"]) == (1, "file"), error
    assert error["message"].startswith(str(table / place))
    assert os.strerror(code) in error["message"]
    assert advice in error["fix"]


def test_a_part_that_may_not_be_read_is_not_called_broken(told, table, monkeypatch):
    """The system's reason stands in the report."""
    part = next((table / "data").iterdir())

    def refuse(name, path):
        if path == part:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    with FaultyDisk(table).mounted(monkeypatch) as disk:
        monkeypatch.setattr(disk, "_step", refuse)
        code, out, _ = told("verify", table)
    assert (code, "table, not readable\n" in out, "broken" in out) == (1, True, False)
    assert f"data/{part.name}: Permission denied" in out
