"""Measure what a run costs when nothing, or one file in a hundred, changed.

Run as `python benchmarks/incremental.py`: 10,000 files of generated text, the encoder minilm.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from results import write_section

from featurize import api
from featurize.config import Job
from featurize.types import RunSummary

FILES = 10_000
CHANGED = FILES // 100
RUNS = 5
WORDS = [
    "refund",
    "parcel",
    "card",
    "late",
    "broken",
    "order",
    "where",
    "when",
    "money",
    "account",
    "please",
    "thanks",
]


def main() -> None:
    """Measure a first run, then runs with nothing and with one in a hundred changed."""
    random.seed(0)
    with tempfile.TemporaryDirectory() as folder:
        source, job = Path(folder) / "in", Job(Path(folder) / "in", out=Path(folder) / "table")
        for number in range(FILES):
            path = source / f"{number % 100:02}" / f"{number:05}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text(number))
        first, summary = timed(lambda: api.run(job))
        reading = [timed(lambda: read_and_hash(source))[0] for _ in range(RUNS)]
        idle = [timed(lambda: api.run(job))[0] for _ in range(RUNS)]
        changed = [timed_change(source, job, turn) for turn in range(RUNS)]
    beyond = median(idle) - median(reading)
    lines = [
        f"{FILES:,} text files, minilm; the first run took {first:.1f} s "
        f"({summary.rows / first:,.0f} rows/s). Medians of {RUNS} runs in one process.",
        "",
        "| run | seconds |",
        "|---|---:|",
        f"| reading and hashing the files alone | {median(reading):.2f} |",
        f"| nothing changed | {median(idle):.2f} |",
        f"| {CHANGED} files changed | {median(changed):.2f} |",
        "",
        f"Nothing changed costs **{beyond:.2f} s** beyond reading and hashing "
        f"(limit 0.6 s + 30 us a file = {0.6 + 30e-6 * FILES:.2f} s).",
    ]
    write_section("Incremental runs", "python benchmarks/incremental.py", lines)


def text(seed: int) -> str:
    """Make a text that no other file has."""
    return " ".join(random.choices(WORDS, k=12)) + f" {seed}"


def read_and_hash(folder: Path) -> None:
    """Read and hash every file, as any tool would have to."""
    for path in sorted(folder.rglob("*.txt")):
        hashlib.sha256(path.read_bytes()).hexdigest()


def timed_change(source: Path, job: Job, turn: int) -> float:
    """Change one file in a hundred and run."""
    for number in range(turn, FILES, FILES // CHANGED):
        path = source / f"{number % 100:02}" / f"{number:05}.txt"
        path.write_text(text(FILES * (turn + 1) + number))
    seconds, summary = timed(lambda: api.run(job))
    assert summary.encoded == CHANGED, summary
    return seconds


def timed(work: Callable[[], RunSummary | None]) -> tuple[float, RunSummary]:
    """Return the seconds that some work took, and what it gave."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result  # type: ignore[return-value]


if __name__ == "__main__":
    main()
