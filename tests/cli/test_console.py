"""What reaches the terminal: results, progress and errors, and nothing that steers it."""

import errno
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from featurize.cli.console import Console, Outcome
from featurize.errors import Interrupted
from featurize.types import Progress
from featurize.wording import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain — ünïcode 🙂 👩‍👧", "plain — ünïcode 🙂 👩‍👧"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("two\nlines\r", "two\\nlines\\r"),
    ],
)
def test_texts_from_the_data_cannot_steer_the_terminal(text, shown):
    """Control characters and bidirectional overrides appear as escapes."""
    assert printable(text) == shown


def test_lines_of_a_message_stay_lines():
    """A message may have several lines, but no escape."""
    assert printable("a\n\tb\x1b", keep_lines=True) == "a\n\tb\\x1b"


def test_numbers_without_a_json_spelling_become_null(capfd):
    """NaN and infinities do not break the one JSON object."""
    data = {"a": float("nan"), "b": [float("inf"), 1.5], "c": b"\xff"}
    assert Console(json=True).answer(lambda: Outcome(data, "")) == 0
    assert '"a": null' in capfd.readouterr().out


def test_quiet_silences_all_but_what_is_essential(capfd):
    """A search asked quietly still answers."""
    quiet = Console(quiet=True)
    quiet.answer(lambda: Outcome({}, "a summary"))
    quiet.answer(lambda: Outcome({}, "the answer", essential=True))
    quiet.say("a note")
    quiet.progress(Progress("embed", 1, 2))
    assert capfd.readouterr() == ("the answer\n", "")


def test_a_refused_file_is_an_error_with_a_fix_not_a_defect(capfd):
    """A full disk names the file and what to do."""

    def work():
        raise OSError(errno.ENOSPC, "No space left on device", "/x/part")

    assert Console().answer(work) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "/x/part: No space left on device" in err
    assert "Free some room" in err
    assert "Traceback" not in err


def test_a_signal_has_its_exit_code_whatever_catches_failures(capfd):
    """An interruption is no failure that a broad except could take for its own."""

    def work():
        try:
            raise Interrupted(signal.SIGTERM)
        except Exception:  # noqa: BLE001 - what a careless library would do
            return Outcome({}, "swallowed")

    assert Console(json=True).answer(work) == 143
    assert '"interrupted"' in capfd.readouterr().out


def test_a_signal_that_a_library_takes_for_its_own_failure_is_still_one(capfd):
    """Some turn whatever is raised inside of them into another error."""

    def work():
        try:
            raise Interrupted(signal.SIGINT)
        except Interrupted as stop:
            raise ImportError("initialization failed") from stop

    assert Console(json=True).answer(work) == 130
    assert '"interrupted"' in capfd.readouterr().out


def test_a_signal_after_the_answer_adds_none(capfd):
    """One object is printed, and the exit code tells of the signal."""

    class Late(str):
        def isprintable(self):
            raise Interrupted(signal.SIGTERM)

    console = Console(json=True)
    console.answer(lambda: Outcome({"done": True}, ""))
    assert console.answer(lambda: printable(Late())) == 143
    assert "interrupted" not in capfd.readouterr().out


def test_a_terminal_gets_bars_and_its_cursor_back(tiny_text, tmp_path):
    """On a terminal progress is drawn, and a failure leaves it as it was."""
    (tmp_path / "in.csv").write_text("id,text\n" + "".join(f"{n},fox {n}\n" for n in range(300)))
    options = ["--out", tmp_path / "t", "--encoder", tiny_text, "--max-rejects", "0"]
    (tmp_path / "bad.csv").write_text((tmp_path / "in.csv").read_text() + "x,\n")
    for source, code in (("bad.csv", 1), ("in.csv", 0)):
        words = ["-m", "featurize", "embed", tmp_path / source, *options]
        master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "xterm"}
        process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            stdout=subprocess.DEVNULL,
            stderr=slave,
            env=environment,
        )
        os.close(slave)
        drawn = b""
        while True:
            try:
                drawn += os.read(master, 65536)
            except OSError:
                break
        os.close(master)
        assert process.wait(60) == code
        assert b"listing" in drawn
        assert drawn.count(b"\x1b[?25l") == drawn.count(b"\x1b[?25h") > 0
        if code == 0:
            assert b"300/300" in drawn


def test_no_color_is_honoured(featurize_cli):
    """With NO_COLOR set, nothing printed holds a colour."""
    environment = {**os.environ, "NO_COLOR": "1", "FORCE_COLOR": "1"}
    done = featurize_cli("doctor", env=environment)
    assert "\x1b[3" not in done.stdout


def test_a_second_writer_is_told_who_the_first_is(featurize_cli, tiny_text, tmp_path):
    """While one run writes, another names its process and exits 1."""
    from featurize.table.writer import write_table

    (tmp_path / "a.txt").write_text("the fox")
    with write_table(tmp_path / "t"):
        done = featurize_cli("embed", tmp_path, "--out", tmp_path / "t", "--encoder", tiny_text)
    assert done.returncode == 1
    assert f"process {os.getpid()}" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "words", [("doctor", "--json"), ("inspect", "nothing", "--json"), ("--version",), ("--help",)]
)
def test_a_full_stdout_exits_1_with_a_plain_line(words):
    """Neither a traceback, nor another exit code because of what could not be flushed."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "featurize", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == (2 if "nothing" in words else 1)
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
