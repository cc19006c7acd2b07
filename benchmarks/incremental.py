"""Measure what a run costs when nothing, or one file in a hundred, changed.

Run as `python benchmarks/incremental.py`: 10,000 files of generated text, the encoder minilm.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
from results import write_section
from texts import FILES, path_of, text, write_files

from featurize import api
from featurize.config import Job
from featurize.table import EmbeddingTable
from featurize.table.part import write_part

CHANGED = FILES // 100
RUNS = 7
FIXED, PER_FILE = 0.6, 30e-6  # seconds a run with nothing changed may take, and more a file
ENCODING = 1.5  # times the encoding of the changed files that a run may take


def main() -> None:
    """Measure a first run, then runs with nothing and with one in a hundred changed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, table = folder / "in", folder / "table"
        write_files(source)
        job = Job(source, out=table)
        first, summary = timed(lambda: api.run(job))
        rate = summary.rows / first
        reading, idle = alternately(lambda: read_and_hash(source), lambda: api.run(job))
        command = [sys.executable, "-m", "featurize", "embed", source, "--out", table, "--quiet"]
        asked = median(timed(lambda: subprocess.run(command, check=True))[0] for _ in range(3))
        changed = median(timed_change(source, job, turn) for turn in range(RUNS))
        encoding, rewriting = cost_of_encoding(), cost_of_rewriting(table, folder)
    beyond, allowed = idle - reading, FIXED + PER_FILE * FILES
    most = reading + allowed + ENCODING * encoding + rewriting
    lines = [
        f"{FILES:,} text files, minilm; the first run took {first:.1f} s ({rate:,.0f} rows/s). "
        f"Medians of {RUNS} runs in one process.",
        "",
        "| run | seconds |",
        "|---|---:|",
        f"| reading and hashing the files alone | {reading:.2f} |",
        f"| nothing changed | {idle:.2f} |",
        f"| nothing changed, as a command, imports and all | {asked:.2f} |",
        f"| {CHANGED} files changed | {changed:.2f} |",
        f"| encoding {CHANGED} texts alone | {encoding:.2f} |",
        f"| reading and writing their parts alone (all are theirs) | {rewriting:.2f} |",
        "",
        f"Nothing changed costs **{beyond:.2f} s** beyond reading and hashing "
        f"(limit {FIXED} s + {1e6 * PER_FILE:.0f} us a file = {allowed:.2f} s).",
        f"{CHANGED} files changed cost **{changed:.2f} s** (limit {most:.2f} s: reading and "
        f"hashing, the limit above, {ENCODING} x encoding them, rewriting their parts).",
    ]
    write_section("Incremental runs", "python benchmarks/incremental.py", lines)


def alternately(*works: Callable[[], object]) -> list[float]:
    """Return the median seconds of each of some works, done in turn."""
    taken = [[timed(work)[0] for work in works] for _ in range(RUNS)]
    return [median(column) for column in zip(*taken, strict=True)]


def read_and_hash(folder: Path) -> None:
    """Read and hash every file, as any tool would have to."""
    for path in sorted(folder.rglob("*.txt")):
        hashlib.sha256(path.read_bytes()).hexdigest()


def timed_change(source: Path, job: Job, turn: int) -> float:
    """Change one file in a hundred and run."""
    for number in range(turn, FILES, FILES // CHANGED):
        path_of(source, number).write_text(text(FILES * (turn + 1) + number))
    seconds, summary = timed(lambda: api.run(job))
    assert summary.encoded == CHANGED, summary
    return seconds


def cost_of_encoding() -> float:
    """Return the seconds that encoding the changed texts takes."""
    encoder = api.load_encoder("minilm")
    texts = [text(FILES * RUNS * 2 + number) for number in range(CHANGED)]
    encoder.encode(texts)
    return median(timed(lambda: encoder.encode(texts))[0] for _ in range(RUNS))


def cost_of_rewriting(path: Path, folder: Path) -> float:
    """Return the seconds that reading all parts of a table and writing them again takes."""
    table = EmbeddingTable.open(path)

    def rewrite() -> None:
        for part in table.parts:
            write_part(pa.Table.from_batches(table.read(part)), folder / "part.parquet")

    return median(timed(rewrite)[0] for _ in range(RUNS))


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that some work took, and what it gave."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
