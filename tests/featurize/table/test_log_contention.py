"""Many writers at once: every commit lands once, and one command at a time works on a table."""

import json
import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from featurize.errors import TableError
from featurize.storage import sha256_bytes
from featurize.table import EmbeddingTable
from featurize.table.log import Commit, CommitLog
from featurize.table.part import Part
from featurize.table.verify import verify_table

WRITERS = 8
COMMITS = 50


def part(writer, number):
    """Name a part that only this commit adds."""
    digest = sha256_bytes(f"{writer} {number}".encode())
    return Part(f"data/part-{number:06d}-{digest[:12]}.parquet", 1, 1, digest)


def write(folder, writer, start):
    """Make commits; where another writer was first, read again and go on."""
    log = CommitLog(Path(folder))
    start.wait(60)
    for number in range(COMMITS):
        commit = Commit(
            operation="embed",
            add=[part(writer, number)],
            remove=[],
            origin={},
            counts={"inputs": 1},
            complete=True,
        )
        while True:
            try:
                log.append(log.snapshot(), commit)
                break
            except TableError as error:
                assert "another process" in str(error)


def test_every_commit_of_many_writers_lands_once(tmp_path):
    """Eight processes append fifty commits each: none is lost, doubled or out of succession."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(WRITERS)
    writers = [
        context.Process(target=write, args=(str(tmp_path), writer, start))
        for writer in range(WRITERS)
    ]
    for process in writers:
        process.start()
    for process in writers:
        process.join(300)
    assert [process.exitcode for process in writers] == [0] * WRITERS
    files = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    entries = [json.loads(data) for data in files]
    assert [entry["version"] for entry in entries] == list(range(1, WRITERS * COMMITS + 1))
    assert [entry["previous"] for entry in entries] == [None, *map(sha256_bytes, files[:-1])]
    added = [item["file"] for entry in entries for item in entry["add"]]
    expected = {part(w, n).file for w in range(WRITERS) for n in range(COMMITS)}
    assert len(added) == len(expected)
    snapshot = CommitLog(tmp_path).snapshot()
    assert set(added) == expected == snapshot.parts.keys()
    assert snapshot.counts["inputs"] == len(expected)


@pytest.fixture
def embed(tiny_text, tmp_path):
    """Return a function that starts `featurize embed` on one table."""
    lines = (f"{number},fox {'red ' * (number % 9)}\n" for number in range(20_000))
    (tmp_path / "in.csv").write_text("id,text\n" + "".join(lines))
    running = []

    def start(*options):
        words = ["embed", tmp_path / "in.csv", "--out", tmp_path / "t", "--encoder", tiny_text]
        command = [sys.executable, "-m", "featurize", *map(str, words), "--json", *options]
        pipe = subprocess.PIPE
        running.append(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def stopped(embed, tmp_path):
    """Start a command and stop it, as the system may, while it has the table."""
    process = embed()
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("t/_staging/*")) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGSTOP)
    return process


def outcome(process):
    """Return exit code and answer."""
    out, _ = process.communicate(timeout=60)
    return process.returncode, json.loads(out)


def test_of_two_commands_at_once_one_works_and_one_names_it(embed, stopped, tmp_path):
    """The second changes nothing and names the first's process; the first comes to its end."""
    code, answer = outcome(embed())
    assert (code, answer["error"]["kind"]) == (1, "locked")
    assert f"process {stopped.pid}" in answer["error"]["message"]
    stopped.send_signal(signal.SIGCONT)
    code, answer = outcome(stopped)
    assert (code, answer["rows"], answer["embedded"]) == (0, 20_000, 20_000)
    assert verify_table(tmp_path / "t") == []


def waits(process):
    """Say whether a process waits for a lock; take that for granted where the system is silent."""
    locks = Path("/proc/locks")
    waiting = f"-> FLOCK  ADVISORY  WRITE {process.pid} "
    return not locks.exists() or waiting in locks.read_text()


def test_a_command_told_to_wait_works_after_the_first(embed, stopped, tmp_path):
    """Both succeed: the second finds all rows there."""
    second = embed("--wait")
    deadline = time.monotonic() + 60
    while not waits(second) and time.monotonic() < deadline:
        assert second.poll() is None, second.communicate()
    stopped.send_signal(signal.SIGCONT)
    code, answer = outcome(stopped)
    assert (code, answer["embedded"]) == (0, 20_000)
    code, answer = outcome(second)
    assert (code, answer["embedded"], answer["unchanged"]) == (0, 0, 20_000)
    assert len(EmbeddingTable.open(tmp_path / "t")) == 20_000
