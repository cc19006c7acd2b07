"""gc and forget on the command line."""

import json
import subprocess
import sys
import threading

import pytest

from featurize.table import EmbeddingTable
from featurize.table.writer import write_table


@pytest.fixture
def source(tmp_path):
    """Write four texts, two of them blank, to a CSV file."""
    path = tmp_path / "in.csv"
    path.write_text("id,text\na,the fox\nb,a dog\nc, \nd e,\n--f,red\n")
    return path


@pytest.fixture
def table(command, source, tiny_text, tmp_path):
    """Embed them, then change one."""
    out = tmp_path / "table"
    assert command("embed", source, "--out", out, "--encoder", tiny_text, "--json")[0] == 3
    source.write_text(source.read_text().replace("a dog", "a slow dog"))
    assert command("embed", source, "--out", out, "--json")[1]["version"] == 2
    return out


def test_gc_says_what_it_removed(command, told, table):
    """Its JSON counts files and bytes; the table stays as it was."""
    (table / "_staging" / "half.parquet").write_bytes(b"12345")
    first = (table / "_log" / "00000001.json").stat().st_size
    code, data, _ = command("gc", table, "--json")
    assert code == 0
    assert data == {
        "table": str(table),
        "version": 2,
        "removed": {"staged": 1, "unnamed": 0, "log": 1},
        "bytes": 5 + first,
    }
    assert command("verify", table, "--json")[0] == 0
    code, out, _ = told("gc", table)
    assert code == 0
    assert "version 2, 0 bytes freed" in out


@pytest.mark.parametrize("words", [("--id", "a", "--id", "c"), ("--id", "a", "c")])
def test_ids_are_given_one_by_one_or_in_a_row(command, table, words):
    """Both spellings forget both ids."""
    code, data, err = command("forget", table, *words, "--json")
    assert (code, data["table"], data["version"]) == (0, str(table), 3)
    assert (data["rows"], data["rejects"], data["kept_out"]) == (1, 1, 0)
    assert "--keep-out" in err
    opened = EmbeddingTable.open(table)
    assert opened.ids.tolist() == ["--f", "b"]
    assert opened.rejects().column("id").to_pylist() == ["d e"]


def test_odd_ids_can_be_named(command, table):
    """An id with a space, and one that looks like an option."""
    assert command("forget", table, "--id", "d e", "--id=--f", "--json")[1]["rows"] == 1


def test_kept_out_ids_are_told_of(command, told, source, table):
    """Later runs, plans and inspect say how many; people are told in a sentence."""
    code, data, err = command("forget", table, "--keep-out", "--id", "a", "x", "--json")
    assert (code, data["rows"], data["kept_out"]) == (0, 1, 2)
    assert err == ""
    code, data, err = command("embed", source, "--out", table, "--json")
    assert (code, data["kept_out"], data["rows"], data["deleted"]) == (3, 1, 2, 0)
    assert "Left out 1 of the inputs" in err
    _, data, _ = command("embed", source, "--out", table, "--plan", "--json")
    assert (data["kept_out"], data["inputs"]) == (1, 4)
    _, data, _ = command("inspect", table, "--json")
    assert (data["forgotten_at"], data["kept_out"]) == (3, 2)
    code, out, _ = told("forget", table, "--id", "b")
    assert (code, "1 row and 0 rejects forgotten" in out) == (0, True)


def test_unknown_ids_exit_1_and_none_at_all_2(command, table):
    """The unknown are listed; an id has to be given."""
    code, data, _ = command("forget", table, "--id", "a", "nobody", "--json")
    assert (code, data["error"]["kind"]) == (1, "table")
    assert "'nobody'" in data["error"]["message"]
    assert "a" in EmbeddingTable.open(table).ids
    for words in ((), ("a",)):
        code, data, _ = command("forget", table, *words, "--json")
        assert (code, data["error"]["kind"]) == (2, "usage")


@pytest.mark.parametrize("words", [("gc",), ("forget", "--id", "a")])
def test_a_table_that_is_being_written_is_locked(command, table, words):
    """The holder is named, and nothing changes; --wait waits for it."""
    name, *options = words
    with write_table(table):
        code, data, _ = command(name, table, *options, "--json")
        assert (code, data["error"]["kind"]) == (1, "locked")
        assert "process" in data["error"]["message"]
        assert "--wait" in data["error"]["fix"]
    held, done = threading.Event(), threading.Event()

    def hold():
        with write_table(table):
            held.set()
            done.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(60)
    line = [sys.executable, "-m", "featurize", name, str(table), *options, "--wait", "--json"]
    waiting = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    done.set()
    holder.join()
    out, _ = waiting.communicate(timeout=60)
    assert (waiting.returncode, json.loads(out)["table"]) == (0, str(table))


@pytest.mark.parametrize("words", [("gc",), ("forget", "--id", "a")])
def test_what_is_no_table_is_refused(command, tmp_path, words):
    """A missing folder and one of something else exit 1, and stay as they are."""
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "file").write_text("x")
    for path in (tmp_path / "missing", tmp_path / "else"):
        code, data, _ = command(words[0], path, *words[1:], "--json")
        assert (code, data["error"]["kind"]) == (1, "table")
    assert [path.name for path in tmp_path.rglob("*")] == ["else", "file"]


def test_help_shows_how_to_forget(told):
    """With an example, what stays, and what --keep-out is for."""
    code, out, _ = told("forget", "--help")
    assert code == 0
    assert "featurize forget runs/tickets --id m001 m002" in out
    assert "The source is not touched: the next run adds again what it still holds." in out
    assert "With --keep-out it does not" in out
