"""A run that is stopped: its exit code, what is left, and that the next run makes it whole."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from featurize.table import EmbeddingTable
from featurize.table.verify import verify_table

# The command in small chunks, with one of these planted.
SMALL_CHUNKS = """
import ctypes, os, sys, threading
from featurize.cli.main import main
from featurize.pipeline.steps import EmbedChunk
from featurize.processors.text import TextProcessor

def never_end():
    '''The third and fourth step wait to be told to end. The first ends after the third has begun,
    so that once the fourth has, two are made.'''
    third, stage = threading.Event(), EmbedChunk.stage

    def planted(self, tools):
        number = int(self.places[0]) // 10
        if number == 0:
            third.wait()
        if number < 2:
            return stage(self, tools)
        third.set()
        if number == 3:
            print("two are made", file=sys.stderr, flush=True)
        while True:
            tools.workers.submit(int).result()

    EmbedChunk.stage = planted

def at_row_42(strike):
    prepare = TextProcessor.prepare

    def planted(self, contents):
        if any("0042" in content for content in contents):
            strike()
        return prepare(self, contents)

    TextProcessor.prepare = planted

def ask():
    print("waiting", file=sys.stderr, flush=True)
    sys.stdin.readline()

PLANTS = {
    "nothing": lambda: None,
    "never end": never_end,
    "hang": lambda: at_row_42(threading.Event().wait),
    "hang with the lock": lambda: at_row_42(lambda: ctypes.PyDLL(None).sleep(1000)),
    "die": lambda: at_row_42(lambda: ctypes.CDLL(None).pthread_exit(None)),
    "kill": lambda: at_row_42(lambda: os.kill(os.getpid(), 9)),
    "ask": lambda: at_row_42(ask),
}
TextProcessor.chunk_bytes = 200
PLANTS[sys.argv.pop(1)]()
main()
"""


@pytest.fixture
def source(tmp_path):
    """Write sixty texts of twenty bytes: six chunks of ten."""
    rows = [f"{number:02},fox {number:04} {'abc'[number % 3] * 11}" for number in range(60)]
    (tmp_path / "in.csv").write_text("\n".join(["id,text", *rows]) + "\n")
    return tmp_path / "in.csv"


@pytest.fixture
def start(source, tiny_text):
    """Return a function that starts the command in small chunks on a table."""

    def begin(out, plant="nothing", *options):
        words = ["embed", source, "--out", out, "--encoder", tiny_text, "--json", *options]
        return subprocess.Popen(
            [sys.executable, "-c", SMALL_CHUNKS, plant, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


@pytest.fixture
def finish(start):
    """Return a function that runs the command to its end: (exit code, JSON)."""

    def run(out):
        process = start(out)
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode in {0, 3}, stderr
        return process.returncode, json.loads(stdout)

    return run


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_commits_what_is_made_and_the_next_run_makes_the_table_whole(
    start, finish, tmp_path, hashes, signum, code
):
    """Two steps are made: both are committed. The data are then those of one whole run."""
    process = start(tmp_path / "table", "never end")
    assert any("two are made" in line for line in process.stderr)
    process.send_signal(signum)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == code
    error = json.loads(stdout)["error"]
    assert (error["kind"], error["message"]) == ("interrupted", f"stopped by {signum.name}")
    assert "run the same command again" in error["fix"]
    table = EmbeddingTable.open(tmp_path / "table")
    assert (table.version, len(table), table.complete) == (2, 20, False)
    assert verify_table(tmp_path / "table") == []
    assert list((tmp_path / "table" / "_staging").iterdir()) == []
    assert finish(tmp_path / "table")[1]["embedded"] == 40
    finish(tmp_path / "whole")
    assert hashes(tmp_path / "table" / "data") == hashes(tmp_path / "whole" / "data")


def test_signals_at_any_moment_leave_a_sound_table(tiny_text, tmp_path):
    """SIGTERM exits 143, SIGINT 130, also when they come twice; the table, if any, is sound."""
    with (tmp_path / "in.csv").open("w") as file:
        file.write("id,text\n")
        file.writelines(f"{number},fox {'red ' * (number % 9)}\n" for number in range(100_000))
    for commits, (signum, code) in enumerate(((signal.SIGTERM, 143), (signal.SIGINT, 130))):
        out = tmp_path / f"table{signum}"
        words = ["embed", tmp_path / "in.csv", "--out", out, "--encoder", tiny_text, "--json"]
        process = subprocess.Popen(
            [sys.executable, "-m", "featurize", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while len(list(out.glob("_log/*.json"))) <= commits and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
        process.send_signal(signum)
        process.send_signal(signum)
        stdout, _ = process.communicate(timeout=60)
        assert process.returncode == code
        assert json.loads(stdout)["error"]["kind"] == "interrupted"
        assert EmbeddingTable.open(out).version > commits
        assert verify_table(out) == []


@pytest.mark.parametrize("plant", ["hang", "hang with the lock", "die", "kill"])
def test_a_worker_that_hangs_or_dies_ends_the_run(start, finish, tmp_path, hashes, plant):
    """The exit code is not 0, stderr has the stacks, and the next run makes the table whole."""
    process = start(tmp_path / "table", plant, "--stuck-after", 2)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if plant == "kill" else 1)
    if plant != "kill":
        assert "most recent call first" in stderr
    if plant in {"hang", "die"}:
        assert json.loads(stdout)["error"]["kind"] == "stuck"
        assert verify_table(tmp_path / "table") == []
    assert not EmbeddingTable.open(tmp_path / "table").complete
    finish(tmp_path / "table")
    finish(tmp_path / "whole")
    assert hashes(tmp_path / "table" / "data") == hashes(tmp_path / "whole" / "data")


def test_a_run_that_was_stopped_for_a_while_goes_on(start, tmp_path):
    """After Ctrl-Z a run waits as long as one likes."""
    limit = 2
    process = start(tmp_path / "table", "ask", "--stuck-after", limit)
    assert any("waiting" in line for line in process.stderr)
    process.send_signal(signal.SIGTSTP)
    assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    time.sleep(2 * limit)  # time that must not count
    process.send_signal(signal.SIGCONT)
    process.communicate("\n", timeout=60)
    assert process.returncode == 0
