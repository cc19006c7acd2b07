"""Measure what committing costs beside writing the same Parquet files and no more.

Run as `python benchmarks/commit.py`: 10,000 files of generated text, the encoder minilm.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from results import write_section
from texts import FILES, write_files

from featurize import api
from featurize.config import Job
from featurize.table import EmbeddingTable
from featurize.table.writer import Change, TableWriter, write_table

ROUNDS = 25
LIMIT = 0.03


def main() -> None:
    """Make a table once, then write its parts again and again, plainly and with commits."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder / "in")
        with timed_methods(TableWriter, "stage", "commit") as spent:
            started = time.perf_counter()
            api.run(Job(folder / "in", out=folder / "table"))
            whole = time.perf_counter() - started
        table = EmbeddingTable.open(folder / "table")
        parts = [pa.Table.from_batches(table.read(part)) for part in table.parts]
        plain, committed, rewritten = [], [], folder / "again"
        for turn in range(ROUNDS):
            plain.append(seconds(lambda: write_plainly(parts, folder / "plain")))
            committed.append(write_and_commit(parts, rewritten))
            if turn == 0:
                require_same_bytes(folder / "plain", rewritten / "data")
            for used in (folder / "plain", rewritten):
                shutil.rmtree(used)
        steps = steps_of_a_commit(parts[0], folder)
    report(whole, spent, median(plain), median(committed), steps)


def report(
    whole: float,
    spent: dict[str, float],
    plain: float,
    committed: float,
    steps: dict[str, float],
) -> None:
    """Write the section of RESULTS.md."""
    beyond, share = committed - plain, (spent["stage"] + spent["commit"] - plain) / whole
    lines = [
        f"The parts of {FILES:,} texts, minilm, written {ROUNDS} times each way in turn; medians.",
        "",
        "| writing | seconds |",
        "|---|---:|",
        f"| plain Parquet files of the same bytes, no sync, no log | {plain:.3f} |",
        f"| staged and committed, one commit a part | {committed:.3f} |",
        "",
        f"Committing costs {beyond:.3f} s, **{beyond / plain:.1%}** of plain writing. A whole run "
        f"of `embed` over these files took {whole:.1f} s, of which staging took "
        f"{spent['stage']:.3f} s and committing {spent['commit']:.3f} s: beyond plain writing, "
        f"**{share:.2%}** of the run (limit {LIMIT:.0%}).",
        "",
        "| one part of 8,192 rows | milliseconds |",
        "|---|---:|",
        *(f"| {name} | {1000 * spent_here:.1f} |" for name, spent_here in steps.items()),
    ]
    write_section("Committing", "python benchmarks/commit.py", lines)


@contextmanager
def timed_methods(owner: type, *names: str) -> Iterator[dict[str, float]]:
    """Sum up the seconds spent in some methods."""
    spent = dict.fromkeys(names, 0.0)
    originals = {name: getattr(owner, name) for name in names}

    def timed(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return originals[name](*arguments, **options)
            finally:
                spent[name] += time.perf_counter() - started

        return call

    for name in names:
        setattr(owner, name, timed(name))
    try:
        yield spent
    finally:
        for name, original in originals.items():
            setattr(owner, name, original)


def write_plainly(parts: Sequence[pa.Table], folder: Path) -> None:
    """Write parts as the product does, and do nothing else for them."""
    folder.mkdir()
    for number, rows in enumerate(parts):
        write_parquet(rows, folder / f"{number}.parquet")


def write_parquet(rows: pa.Table, path: Path) -> None:
    """Write one file with the options of the product's parts."""
    pq.write_table(
        rows,
        path,
        row_group_size=8192,
        compression="zstd",
        use_dictionary=[name for name in rows.column_names if name != "embedding"],
        use_byte_stream_split=["embedding.list.element"],
        write_page_checksum=True,
    )


def write_and_commit(parts: Sequence[pa.Table], root: Path) -> float:
    """Write parts into a new table, one commit each; return the seconds without opening it."""
    with write_table(root) as writer:
        return seconds(lambda: [writer.commit(Change([writer.stage(rows)])) for rows in parts])


def require_same_bytes(left: Path, right: Path) -> None:
    """Make sure that both ways write the same files."""
    hashes = [
        sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir())
        for folder in (left, right)
    ]
    assert hashes[0] == hashes[1], "the product writes its parts with other options now"


def steps_of_a_commit(rows: pa.Table, folder: Path) -> dict[str, float]:
    """Measure, one by one, what a commit of one part consists of."""
    taken: dict[str, list[float]] = {}
    path, final, entry = folder / "step", folder / "final", folder / "entry"
    steps: dict[str, Callable[[], object]] = {
        "write the Parquet file": lambda: write_parquet(rows, path),
        "read its footer back": lambda: pq.read_metadata(path),
        "hash it": lambda: hashlib.sha256(path.read_bytes()).hexdigest(),
        "sync it": lambda: sync(path),
        "rename it": lambda: path.replace(final),
        "sync its folder": lambda: sync(folder),
        "write a log entry": lambda: entry.write_bytes(b" " * 1500),
        "sync the entry": lambda: sync(entry),
        "link the entry": lambda: os.link(entry, folder / "linked"),
        "sync the log's folder": lambda: sync(folder),
    }
    for _ in range(ROUNDS):
        for name, step in steps.items():
            taken.setdefault(name, []).append(seconds(step))
        for used in (final, entry, folder / "linked"):
            used.unlink()
    return {name: median(found) for name, found in taken.items()}


def sync(path: Path) -> None:
    """Force a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
