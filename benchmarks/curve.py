"""Forecast the accuracy that all of banking77 brings from a fifth of it, 5 seeds.

Run as `python benchmarks/curve.py --data FOLDER`, where FOLDER holds banking77 (train.csv, test.csv
with text and category).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from results import RESULTS, write_section

import featurize
from downstream import Head
from downstream.heads.split import deal
from downstream.report.curve import curve
from downstream.report.study import Study
from featurize.table import EmbeddingTable

SEEDS = 5
LIMIT = 0.02


def main() -> None:
    """Measure the truth, then forecast it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=RESULTS.parents[2] / "shared" / "data")
    data = parser.parse_args().data / "banking77"
    with tempfile.TemporaryDirectory() as folder:
        train, test = (embedded(data / f"{part}.csv", Path(folder)) for part in ("train", "test"))
        lines = list(report(train, test))
    write_section("Learning curve", "python benchmarks/curve.py", lines)


def report(train: EmbeddingTable, test: EmbeddingTable) -> Iterator[str]:
    """Yield the forecasts of five fifths, and how long a curve of all rows takes."""
    truth = Head().fit(train).score(test)
    whole = Study.open(train)
    yield (
        f"banking77, minilm: the accuracy after learning from all {len(whole):,} rows, forecast "
        f"from a stratified fifth. A head trained on all has {truth:.4f} on the test texts."
    )
    yield ""
    yield "| seed | rows | accuracy of 4/5 of them | forecast | 95 % | off by | seconds |"
    yield "|---:|---:|---:|---:|---|---:|---:|"
    worst = 0.0
    for seed in range(SEEDS):
        fifth = replace(whole.select(deal(whole.classes, whole.groups, 5, seed) == 0), seed=seed)
        row, error = forecast(fifth, len(whole), truth)
        worst = max(worst, error)
        yield f"| {seed} {row}"
    yield ""
    began = time.perf_counter()
    facts = curve(whole)
    seconds = time.perf_counter() - began
    yield (
        f"Off by at most **{worst:.4f}** (limit {LIMIT}). The section on all {len(whole):,} rows, "
        f"its largest training of {facts['points'][-1]['rows']:,} at "
        f"{facts['points'][-1]['accuracy']['mean']:.4f}, takes {seconds:.0f} s."
    )


def forecast(study: Study, rows: int, truth: float) -> tuple[str, float]:
    """Return the rest of a row of the table, and the error of the forecast."""
    began = time.perf_counter()
    facts = curve(study, rows=rows)
    seconds = time.perf_counter() - began
    now = facts["points"][-1]["accuracy"]["mean"]
    found = facts["forecast"]["accuracy"]
    error = found["mean"] - truth
    row = (
        f"| {len(study):,} | {now:.4f} | {found['mean']:.4f} | {found['low']:.4f}-"
        f"{found['high']:.4f} | {error:+.4f} | {seconds:.0f} |"
    )
    return row, float(np.abs(error))


def embedded(source: Path, runs: Path) -> EmbeddingTable:
    """Embed the texts of a file."""
    out = runs / source.stem
    featurize.embed(source, out=out, device="cpu", text_column="text", label_column="category")
    return featurize.open_table(out)


if __name__ == "__main__":
    main()
