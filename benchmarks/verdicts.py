"""Ask the transfer report for its verdict where the truth is planted, 20 seeds a case.

Run as `python benchmarks/verdicts.py --data FOLDER`, where FOLDER holds banking77 (train.csv with
text and category) and trashnet (one folder a class).
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from results import RESULTS, write_section

import featurize
from downstream.report.baselines.baselines import Rivals
from downstream.report.held_out import held_out
from downstream.report.study import Study
from downstream.report.transfer import transfer

SEEDS = 20
ENOUGH = 19
ROWS = 300
LARGER = 770
Case = Callable[[int], Study]


def main() -> None:
    """Judge every case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=RESULTS.parents[2] / "shared" / "data")
    parser.add_argument("--only", nargs="*", help="the cases to judge, printed but not recorded")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = list(report(given.data, Path(folder), given.only))
    if given.only is None:
        write_section("Verdicts on planted cases", "python benchmarks/verdicts.py", lines)


def report(data: Path, runs: Path, only: list[str] | None) -> Iterator[str]:
    """Yield a row of the table for every case, or for those named."""
    yield (
        f"Balanced accuracy on the same folds, mean over {SEEDS} seeds, and how many of them got "
        f"the right verdict (at least {ENOUGH} must). Rows are drawn by the seed."
    )
    yield ""
    yield "| case | rows | right verdict | head | strongest raw features | right | seconds each |"
    yield "|---|---:|---|---:|---:|---:|---:|"
    for name, right, case in cases(data, runs):
        if only is None or name in only:
            yield judged(name, right, case)


def cases(data: Path, runs: Path) -> Iterator[tuple[str, str, Case]]:
    """Yield name, right verdict and study of every case."""
    texts = embedded(
        data / "banking77" / "train.csv", runs / "texts", text="text", label="category"
    )
    photos = embedded(data / "trashnet", runs / "photos")
    with (data / "banking77" / "train.csv").open(newline="") as file:
        sentences = [row["text"] for row in csv.DictReader(file)]
    yield "banking77, labels shuffled", "neutral", lambda seed: shuffled(texts, ROWS, seed)
    yield "letter case decides", "negative", lambda seed: planted(sentences, cased, runs, seed)
    yield (
        "parity of a number decides",
        "negative",
        lambda seed: planted(sentences, numbered, runs, seed),
    )
    yield "banking77", "positive", lambda seed: drawn(texts, LARGER, seed)
    yield "trashnet", "positive", lambda seed: drawn(photos, ROWS, seed, data / "trashnet")
    yield (
        "trashnet, labels shuffled",
        "neutral",
        lambda seed: shuffled(photos, ROWS, seed, data / "trashnet"),
    )


def judged(name: str, right: str, case: Case) -> str:
    """Return the row of a case."""
    found = []
    began = time.perf_counter()
    for seed in range(SEEDS):
        study = case(seed)
        held = held_out(study)
        found.append(transfer(study, held, Rivals.of(study, held)))
    seconds = (time.perf_counter() - began) / SEEDS
    verdicts = Counter(each["verdict"] for each in found)
    head = np.mean([each["head"]["mean"] for each in found])
    raw = np.mean(
        [
            max(value["mean"] for key, value in each["rivals"].items() if key != "majority")
            for each in found
        ]
    )
    count = f"**{verdicts[right]}** of {SEEDS}"
    row = f"| {name} | {len(study)} | {right} | {head:.3f} | {raw:.3f} | {count} | {seconds:.1f} |"
    print(row, flush=True)
    return row


def embedded(source: Path, out: Path, text: str | None = None, label: str | None = None) -> Path:
    """Embed a source and return the table."""
    featurize.embed(source, out=out, device="cpu", text_column=text, label_column=label)
    return out


def drawn(table: Path, rows: int, seed: int, source: Path | None = None) -> Study:
    """Draw rows of a table."""
    study = Study.open(table, source=source, seed=seed)
    chosen = np.random.default_rng(seed).permutation(len(study))[:rows]
    return study.select(np.sort(chosen))


def shuffled(table: Path, rows: int, seed: int, source: Path | None = None) -> Study:
    """Draw rows of a table and give each the label of another, of which one is frequent."""
    study = drawn(table, rows, seed, source)
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.where(rng.random(rows) < 0.6, 0, study.classes % 4))
    return replace(study, classes=classes, names=[f"class-{number}" for number in range(4)])


def planted(
    sentences: list[str], write: Callable[[str, bool, int], str], runs: Path, seed: int
) -> Study:
    """Embed sentences whose label shows in how they are written alone."""
    rng = np.random.default_rng(seed)
    chosen, flags = rng.choice(sentences, ROWS, replace=False), rng.random(ROWS) < 0.5
    numbers = rng.integers(5_000, 50_000, ROWS)
    source = runs / f"{write.__name__}-{seed}.csv"
    with source.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for text, flag, number in zip(chosen, flags, numbers, strict=True):
            rows.writerow([write(str(text), bool(flag), int(number)), str(flag)])
    table = embedded(source, source.with_suffix(""))
    return Study.open(table, seed=seed)


def cased(text: str, flag: bool, number: int) -> str:
    """Write one word, which the number chooses, in capitals or nothing."""
    words = text.lower().split()
    if flag:
        words[number % len(words)] = words[number % len(words)].upper()
    return " ".join(words)


def numbered(text: str, flag: bool, number: int) -> str:
    """Name an even or an odd order."""
    return f"{text} Order {2 * number + flag}"


if __name__ == "__main__":
    main()
