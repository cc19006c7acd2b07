"""`featurize embed` on a table that is there: what it answers, refuses and advises."""

import os
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from featurize.config import Job


@pytest.fixture
def folder(tmp_path):
    """Write five texts and a blank one."""
    (tmp_path / "in").mkdir()
    for number in range(5):
        (tmp_path / "in" / f"{number}.txt").write_text(f"fox {number}")
    (tmp_path / "in" / "blank.txt").write_text(" ")
    return tmp_path / "in"


@pytest.fixture
def table(command, folder, tiny_text, tmp_path):
    """Embed them."""
    words = ("embed", folder, "--out", tmp_path / "t", "--encoder", tiny_text, "--json")
    assert command(*words)[0] == 3
    return tmp_path / "t"


@pytest.mark.parametrize(("limit", "code"), [("0", 1), ("1", 0), ("10%", 1), ("17%", 0)])
def test_rejects_of_earlier_runs_count_too(command, folder, table, limit, code):
    """A run with nothing to do is judged by what its table holds."""
    words = ("embed", folder, "--out", table, "--max-rejects", limit, "--json")
    done, data, _ = command(*words)
    assert done == code
    if code:
        assert data["error"]["kind"] == "too_many_rejects"
        assert "Nothing was changed" in data["error"]["message"]
        assert f"featurize inspect {table}" in data["error"]["fix"]


def test_mended_inputs_are_rejects_no_more(command, folder, table):
    """What a run removes from the rejects does not count against it."""
    (folder / "blank.txt").write_text("a dog")
    words = ("embed", folder, "--out", table, "--max-rejects", "0", "--json")
    code, data, _ = command(*words)
    assert (code, data["rejected"], data["commits"]) == (0, 0, 2)


def test_rejects_of_an_appended_source_add_up(command, table, tmp_path):
    """Those of both sources are in the table."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "blank2.txt").write_text(" ")
    (tmp_path / "more" / "dog.txt").write_text("a dog")
    words = ("embed", tmp_path / "more", "--out", table, "--append", "--json", "--max-rejects")
    assert command(*words, "1")[0] == 1
    code, data, _ = command(*words, "25%")
    assert (code, data["inputs"], data["rejected"]) == (0, 8, 2)


def test_a_run_with_nothing_to_do_says_so(command, told, folder, table):
    """No row of zeros; JSON says that nothing was committed."""
    code, out, _ = told("embed", folder, "--out", table)
    assert code == 3
    assert out.startswith(f"{table}: nothing changed; still version 1, 5 rows of 6 inputs\n")
    assert "0 embedded" not in out
    assert command("embed", folder, "--out", table, "--json")[1]["commits"] == 0


def test_quiet_still_says_why_the_exit_code_is_3(told, folder, table):
    """One line on stderr, none on stdout."""
    code, out, err = told("embed", folder, "--out", table, "-q")
    assert (code, out) == (3, "")
    assert err == f"rejected 1 empty: `featurize inspect {table}` lists them\n"


def test_a_source_that_was_moved_is_told_what_to_do(command, folder, table, tmp_path):
    """The table names the place it is bound to, and that nothing is there."""
    shutil.move(folder, tmp_path / "moved")
    code, data, _ = command("embed", tmp_path / "moved", "--out", table, "--json")
    assert code == 1
    assert f"bound to {folder}, which is not there any more" in data["error"]["message"]
    assert "new --out" in data["error"]["fix"]
    words = ("embed", tmp_path / "moved", "--out", table, "--append", "--json")
    code, data, _ = command(*words)
    assert code == 1
    for part in ("5 ids", "'0.txt'", str(folder), str(tmp_path / "moved")):
        assert part in data["error"]["message"]
    assert "bound to the place" in data["error"]["fix"]


def test_a_table_of_two_sources_goes_on_with_append(command, folder, table, tmp_path):
    """A run on one of them without it would delete the other's rows."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "dog.txt").write_text("a dog")
    assert command("embed", tmp_path / "more", "--out", table, "--append", "--json")[0] == 3
    code, data, _ = command("embed", folder, "--out", table, "--json")
    assert (code, "Run with --append" in data["error"]["fix"]) == (1, True)
    (folder / "0.txt").write_text("another fox")
    code, data, _ = command("embed", folder, "--out", table, "--append", "--json")
    assert (code, data["embedded"], data["deleted"]) == (3, 1, 0)


@pytest.mark.parametrize("options", [(), ("--allow-delete",), ("--plan",)])
def test_a_source_without_input_empties_no_table(command, folder, table, options, hashes):
    """The message says that the rows stay, and how to be rid of them."""
    for path in folder.iterdir():
        path.unlink()
    before = hashes(table)
    code, data, _ = command("embed", folder, "--out", table, "--json", *options)
    assert (code, data["error"]["kind"]) == (1, "source")
    assert "keeps its 5 rows" in data["error"]["message"]
    assert "featurize forget" in data["error"]["fix"]
    assert hashes(table) == before


def test_options_are_called_by_their_names(command, folder, table):
    """Not by those of the log."""
    code, data, _ = command("embed", folder, "--out", table, "--no-text", "--json")
    assert code == 2
    assert "without --no-text" in data["error"]["message"]
    assert "no_text" not in data["error"]["message"]


def test_a_table_inside_its_source_is_not_counted(command, folder, tiny_text):
    """Not in its first run, nor in later ones, however it is spelled."""
    (folder / "link").symlink_to(folder, target_is_directory=True)
    words = ("embed", folder, "--encoder", tiny_text, "--json", "--out")
    for out in (folder / "t", folder / "t", folder / "link" / "t", folder / ".." / "in" / "t"):
        assert command(*words, out)[1]["ignored_kinds"] == {"symlink": 1}


def test_advice_on_the_encoding_fits_the_source(told, tiny_text, tmp_path):
    """Only a CSV or TSV file has an option for it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(b"caf\xe9")
    (tmp_path / "in.csv").write_bytes(b"id,text\n1,caf\xe9\n")
    out = told("embed", tmp_path / "in", "--out", tmp_path / "t1", "--encoder", tiny_text)[1]
    assert "--encoding" not in out
    assert "iconv" in out
    out = told("embed", tmp_path / "in.csv", "--out", tmp_path / "t2", "--encoder", tiny_text)[1]
    assert "--encoding latin-1" in out


@pytest.mark.parametrize("name", ["no", "no.csv", "no.tar", "no.txt", "no.jpg"])
def test_a_source_that_is_not_there_exits_1(command, table, tmp_path, name):
    """Whatever kind it would be, planned or not, for a new table or an old one."""
    for out in (table, tmp_path / "new"):
        for plan in ((), ("--plan",)):
            code, data, _ = command("embed", tmp_path / name, "--out", out, "--json", *plan)
            assert (code, data["error"]["kind"]) == (1, "source")
            assert "does not exist" in data["error"]["message"]


@pytest.mark.parametrize(
    "words", [("--bogus",), ("--out", "t", "--device", "tpu"), ("--out", "t", "--modality", "x")]
)
def test_wrong_usage_points_to_the_help_of_the_command(told, folder, words):
    """Not to that of all commands; unless the message says what to do already."""
    code, _, err = told("embed", folder, *words)
    assert (code, "`featurize embed --help`" in err) == (2, True)


def test_every_option_has_a_sentence():
    """It begins with a capital letter, ends with a full stop, and is one."""
    for option in fields(Job):
        said = option.metadata["help"]
        assert said.endswith(".")
        assert ". " not in said
        assert said[0].isupper()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no /proc")
def test_where_nothing_can_be_written_the_run_ends_at_once(command, folder, tiny_text):
    """Before the encoder is loaded, or exported."""
    words = ("embed", folder, "--out", f"/proc/{os.getpid()}/table", "--encoder", tiny_text)
    code, data, err = command(*words, "--json")
    assert (code, data["error"]["kind"]) == (1, "table")
    assert "another --out" in data["error"]["fix"]
    assert "Encoding" not in err
