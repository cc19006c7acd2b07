"""Estimate what a million texts cost by length and encoder, and hold estimates against a real run.

Run as `python benchmarks/scaling.py costs`: estimates as `embed --plan` makes them; and as
`python benchmarks/scaling.py run`: a real run over a million short texts, watched for its memory
and its rate (`--texts` for fewer).
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from random_models import base_size_model
from results import write_section

from featurize.pipeline.flight import STEPS_IN_FLIGHT
from featurize.table import EmbeddingTable

MILLION = 1_000_000
PLANNED = 20_000
LENGTHS = {"3 words": (3, 3), "12 words": (8, 16), "50 words": (40, 60), "180 words": (170, 190)}
SHORT = (2, 5)
MEMORY_A_ROW = 80
_PRIME, _STRIDE = 1_000_003, 611_953
_PAUSE = 0.5  # seconds between two looks at the memory of a run


@dataclass(frozen=True, slots=True)
class Watched:
    """A real run: its summary, and its resident memory in bytes over seconds since it began."""

    summary: dict[str, float]
    memory: list[tuple[float, int]]


def main() -> None:
    """Write a table to RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["costs", "run"])
    parser.add_argument("--texts", type=int, default=MILLION)
    parser.add_argument("--precision", default="bf16")
    options = parser.parse_args()
    count, precision = options.texts, options.precision
    command = f"python benchmarks/scaling.py {options.what}"
    with tempfile.TemporaryDirectory() as name:
        if options.what == "costs":
            write_section("Scaling: what texts cost", command, list(costs(Path(name))))
            return
        lines = list(reality(Path(name), count, precision))
    command += f" --texts {count} --precision {precision}"
    write_section("Scaling: a long run", command, lines)


def costs(folder: Path) -> Iterator[str]:
    """Estimate a million texts for every length and encoder."""
    base = folder / "base-bundle"
    featurize("export", base_size_model(folder / "base"), "--out", base)
    encoders = {
        "minilm, fp32": ("minilm", "fp32"),
        "minilm, bf16": ("minilm", "bf16"),
        "base size, fp32": (str(base), "fp32"),
        "base size, bf16": (str(base), "bf16"),
    }
    yield "Hours for a million distinct texts, from `embed --plan` on 20,000 of them; disk in GB."
    yield ""
    yield "| text | " + " | ".join(encoders) + " | disk, 384 numbers |"
    yield "|---" + "|---:" * (len(encoders) + 1) + "|"
    for name, words in LENGTHS.items():
        source = write_texts(folder / "planned.csv", PLANNED, words)
        cells, disk = [], 0.0
        for encoder, precision in encoders.values():
            takes = plan(source, folder, encoder, precision)
            cells.append(f"{takes['seconds'] / PLANNED * MILLION / 3600:.2f}")
            if encoder == "minilm":
                disk = takes["disk_bytes"] / PLANNED * MILLION / 1e9
        yield f"| {name} | " + " | ".join(cells) + f" | {disk:.1f} |"


def reality(folder: Path, count: int, precision: str) -> Iterator[str]:
    """Estimate a long run, make it, and compare."""
    source = write_texts(folder / "texts.csv", count, SHORT)
    takes = plan(source, folder, "minilm", precision)
    table = folder / "table"
    run = watched(source, table, precision)
    seconds, rows = run.summary["seconds"], run.summary["rows"]
    disk = sum(file.stat().st_size for file in table.rglob("*") if file.is_file())
    peak = max(memory for _, memory in run.memory)
    yield f"One run over {count:,} texts of {SHORT[0]} to {SHORT[1]} words, minilm, {precision}:"
    yield ""
    yield "| | `embed --plan` said | the run took | ratio |"
    yield "|---|---:|---:|---:|"
    for what, said, took, unit in (
        ("time", takes["seconds"], seconds, "s"),
        ("memory, MB", takes["memory_bytes"] / 1e6, peak / 1e6, ""),
        ("disk, MB", takes["disk_bytes"] / 1e6, disk / 1e6, ""),
    ):
        yield f"| {what} | {said:,.0f} {unit} | {took:,.0f} {unit} | {took / said:.2f} |"
    rates = tenths(table)
    early, late = (median(part) for part in halves_of(run.memory))
    grown = late - early - 0.85 * MEMORY_A_ROW * rows
    yield ""
    yield (
        f"{rows:,} rows, {rows / seconds:,.0f} a second. Rate of the last tenth: "
        f"**{rates[-1] / rates[0]:.3f}** of the first (limit 0.95); of all, to the first: "
        f"{', '.join(f'{rate / rates[0]:.2f}' for rate in rates)}. Resident memory, median of the "
        f"second and of the last tenth: {early / 1e6:,.0f} and {late / 1e6:,.0f} MB; "
        f"beyond {MEMORY_A_ROW} B a row it grew by **{grown / 1e6:,.0f} MB**."
    )


def plan(source: Path, folder: Path, encoder: str, precision: str) -> dict[str, float]:
    """Return what a plan says a run would take."""
    command = ["embed", source, "--out", folder / "none", "--encoder", encoder]
    return dict(featurize(*command, "--precision", precision, "--plan")["estimate"])


def watched(source: Path, table: Path, precision: str) -> Watched:
    """Run the command and look at its memory now and then."""
    command = [sys.executable, "-m", "featurize", "embed", source, "--out", table, "--json"]
    began, memory = time.monotonic(), []
    with subprocess.Popen(
        [*command, "--precision", precision], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        status = Path(f"/proc/{process.pid}/statm")
        while process.poll() is None:
            pages = int(status.read_text().split()[1])
            memory.append((time.monotonic() - began, pages * 4096))
            time.sleep(_PAUSE)
        assert process.stdout is not None
        return Watched(json.loads(process.stdout.read()), [item for item in memory if item[1]])


def tenths(table: Path) -> list[float]:
    """Return rows a second in each tenth of the parts, but for the very first and last ones.

    The first are made while nothing is written yet, the last one while nothing else is any more.
    """
    parts = EmbeddingTable.open(table).parts[STEPS_IN_FLIGHT - 1 : -1]
    written = [(table / part.file).stat().st_mtime for part in parts]
    edges = [len(parts) * tenth // 10 for tenth in range(10)] + [len(parts) - 1]
    return [
        sum(part.rows for part in parts[start + 1 : stop + 1]) / (written[stop] - written[start])
        for start, stop in pairwise(edges)
    ]


def halves_of(memory: Sequence[tuple[float, int]]) -> tuple[list[int], list[int]]:
    """Return the memory in the second and in the last tenth of a run."""
    end = memory[-1][0]
    early = [held for at, held in memory if 0.1 <= at / end < 0.2]
    return early, [held for at, held in memory if at / end >= 0.9]


def write_texts(path: Path, count: int, words: tuple[int, int]) -> Path:
    """Write distinct generated texts."""
    chance = random.Random(0)
    known = ["refund", "parcel", "card", "late", "broken", "order", "where", "when", "money"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        for number in range(count):
            text = " ".join(chance.choices(known, k=chance.randint(*words)))
            mixed = number * _STRIDE % _PRIME  # numbers of few digits, and tokens, lie anywhere
            writer.writerow((f"{number:07}", f"{text} {mixed}"))
    return path


def featurize(*words: object) -> dict[str, dict[str, float]]:
    """Run the command; return its JSON."""
    command = [sys.executable, "-m", "featurize", *map(str, words), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    main()
