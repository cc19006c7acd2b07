"""Kill the real command at random moments, run it to its end, and compare with a run left alone."""

import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import duckdb
import pyarrow.parquet as pq

from featurize.errors import TableError
from featurize.storage import sha256_file
from featurize.table import EmbeddingTable
from featurize.table.verify import verify_table

CHUNK_BYTES = 160
REPO = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: exit code, negative for a signal, and seconds."""

    code: int
    seconds: float

    @property
    def killed(self) -> bool:
        """Say whether it was killed."""
        return self.code == -9


@dataclass(frozen=True, slots=True)
class Way:
    """A way to run a command, killed after a delay or left alone.

    `start` is about the share of a run in which only the interpreter starts.
    """

    name: str
    run: Callable[[list[str], float | None], Ended]
    start: float


def plain(words: list[str], delay: float | None) -> Ended:
    """Run `python -m featurize`, imports and all; kill it after `delay` seconds."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "featurize", *words], cwd=REPO)
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        process.kill()
    return Ended(process.wait(), time.monotonic() - started)


class Forks:
    """Runs commands as forks of one prepared process, in small chunks."""

    def __enter__(self) -> Self:
        """Start the process and wait until it has imported everything."""
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.forks", str(CHUNK_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            cwd=REPO,
        )
        assert self._server.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._server.communicate()

    def run(self, words: list[str], delay: float | None) -> Ended:
        """Run a command; kill it after `delay` seconds."""
        self._server.stdin.write(json.dumps({"words": words, "delay": delay}) + "\n")
        return Ended(*json.loads(self._server.stdout.readline()))


@dataclass(frozen=True, slots=True)
class Scene:
    """A folder with a source, maybe a table, and the command that brings one to the other.

    `ids` are those the table must have in the end. Every run starts from `before`, a copy.
    """

    place: Path
    words: list[str]
    ids: list[str]

    @property
    def table(self) -> Path:
        """Return the table."""
        return self.place / "table"

    @property
    def before(self) -> Path:
        """Return the copy of the folder."""
        return self.place.with_name(f"{self.place.name}.before")

    def reset(self) -> None:
        """Bring the folder to where runs start; the first time, keep it for that."""
        if not self.before.exists():
            shutil.copytree(self.place, self.before)
        shutil.rmtree(self.place)
        shutil.copytree(self.before, self.place)


@dataclass(slots=True)
class Figures:
    """What was found over all runs; `hit` counts kills by what they hit."""

    runs: int = 0
    hit: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    files: int = 0

    @property
    def kills(self) -> int:
        """Return how many processes were killed."""
        return self.hit.total()

    def __str__(self) -> str:
        """Say it in one line."""
        ways, hits, wrong = (
            ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
            for counts in (self.ways, self.hit, self.wrong)
        )
        killed = f"{self.kills:,} kills in {self.runs:,} runs ({ways}; {hits})"
        return f"{killed}: {wrong} of {self.files:,} files"


class Torture:
    """Kills runs of one scene and compares what they come to with a run left alone."""

    def __init__(self, scene: Scene, way: Way, figures: Figures) -> None:
        self._scene, self._way, self._figures = scene, way, figures
        scene.reset()
        self._version = len(_entries(scene.table))
        self._whole = way.run(scene.words, None)
        self._seconds = self._whole.seconds
        self._expected = _files(scene.table)
        self._rejects = _rejects(scene.table)
        assert self._whole.code in {0, 3}, self._whole
        assert verify_table(scene.table) == []
        assert sorted(_ids(scene.table)[0]) == sorted(scene.ids)

    def go(self, kills: int, chance: random.Random) -> None:
        """Run, killed up to so many times, then to the end; count what differs."""
        self._scene.reset()
        for number in range(kills):
            delay = chance.uniform(self._way.start, 1) * self._seconds
            ended = self._way.run(self._scene.words, delay)
            if not ended.killed:
                if number == 0:
                    self._seconds = min(self._seconds, ended.seconds)
                break
            self._figures.ways[self._way.name] += 1
            self._figures.hit[_where(self._scene.table, self._version)] += 1
            self._figures.wrong["tables unreadable after a kill"] += not _readable(
                self._scene.table
            )
        last = self._way.run(self._scene.words, None)
        self._figures.runs += 1
        self._compare(last)

    def _compare(self, last: Ended) -> None:
        wrong, table = self._figures.wrong, self._scene.table
        wrong["exit codes"] += last.code != self._whole.code
        for ids in _ids(table):
            wrong["rows lost"] += len(set(self._scene.ids) - set(ids))
            wrong["rows too many"] += len(set(ids) - set(self._scene.ids))
            wrong["rows twice"] += len(ids) - len(set(ids))
        wrong["rejects"] += _rejects(table) != self._rejects
        wrong["unsound tables"] += verify_table(table) != []
        found = _files(table)
        names = found.keys() | self._expected.keys()
        self._figures.files += len(names)
        wrong["data files"] += sum(found.get(name) != self._expected.get(name) for name in names)


def _entries(table: Path) -> list[dict]:
    return [json.loads(path.read_bytes()) for path in sorted(table.glob("_log/[0-9]*.json"))]


def _where(table: Path, start: int) -> str:
    """Say what a kill hit, by what it left behind."""
    entries = _entries(table)
    named = {part["file"] for entry in entries for part in entry["add"]}
    there = {
        f"{path.parent.name}/{path.name}"
        for path in (*table.glob("data/*"), *table.glob("_rejects/*"))
    }
    if there - named or [*table.glob("_log/.*")]:
        return "inside a commit"
    if len(entries) == start:
        return "before the first commit"
    return "after the last commit" if entries[-1]["complete"] else "between commits"


def _readable(table: Path) -> bool:
    """Say whether a table that was killed opens at its last commit, if it has one."""
    if not _entries(table):
        return True
    try:
        opened = EmbeddingTable.open(table)
        return len(set(opened.ids)) == len(opened) == len(opened.to_numpy())
    except TableError:
        return False


def _files(table: Path) -> dict[str, str]:
    """Hash the files with rows and with rejects, by name."""
    found = (*table.glob("data/*"), *table.glob("_rejects/*"))
    return {f"{path.parent.name}/{path.name}": sha256_file(path) for path in found}


def _ids(table: Path) -> tuple[list[str], list[str]]:
    """Read the ids as pyarrow and as DuckDB find them, without featurize."""
    by_arrow = [
        key
        for path in sorted(table.glob("data/*.parquet"))
        for key in pq.read_table(path, columns=["id"])["id"].to_pylist()
    ]
    by_duckdb = duckdb.sql(f"select id from '{table}/data/*.parquet'").fetchall()
    return by_arrow, [key for (key,) in by_duckdb]


def _rejects(table: Path) -> list[str]:
    return sorted(
        str(row)
        for path in table.glob("_rejects/*.parquet")
        for row in pq.read_table(path).to_pylist()
    )
