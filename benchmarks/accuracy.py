"""Measure what heads reach on real data and write it to benchmarks/RESULTS.md.

Run as `python benchmarks/accuracy.py --data FOLDER`, where FOLDER holds banking77 (train.csv,
test.csv with text and category), trashnet and eurosat (one folder a class).
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from results import write_section
from sklearn.model_selection import StratifiedKFold, cross_val_score

import featurize
from downstream import Head

SEEDS = range(5)
HERE = Path(__file__).resolve().parent


def main() -> None:
    """Measure all three data sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    data = parser.parse_args().data
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        lines = [*banking77(data / "banking77", runs), *images(data, runs)]
    write_section("Accuracy of heads on frozen embeddings", "python benchmarks/accuracy.py", lines)


def command(*arguments: object) -> tuple[dict[str, Any], float, str]:
    """Run featurize with --json; return its answer, the wall seconds and the command."""
    words = ["featurize", *map(str, arguments), "--json"]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout), time.perf_counter() - started, shlex.join(words)


def banking77(data: Path, runs: Path) -> list[str]:
    """Embed both files, train on one, evaluate on the other."""
    columns = ("--text-column", "text", "--label-column", "category")
    train, test, head = runs / "train", runs / "test", runs / "head"
    steps = [
        command("embed", data / "train.csv", *columns, "--out", train),
        command("embed", data / "test.csv", *columns, "--out", test),
        command("train", train, "--out", head),
        command("evaluate", head, test),
    ]
    hidden = ((str(data), "banking77"), (str(runs), "runs"))
    accuracy = steps[3][0]["metrics"]["accuracy"]
    return [
        "banking77, minilm, 10,003 texts to train and 3,080 to test, 77 classes:",
        "",
        "| command | seconds |",
        "|---|---:|",
        *(f"| `{shorten(text, hidden)}` | {seconds:.1f} |" for _, seconds, text in steps),
        "",
        f"Test accuracy **{accuracy:.4f}** (floor 0.925), "
        f"training {steps[2][1]:.1f} s (limit 90 s).",
        "",
    ]


def shorten(text: str, hidden: tuple[tuple[str, str], ...]) -> str:
    """Leave the folders of this machine out of a command."""
    for path, name in hidden:
        text = text.replace(path, name)
    return text


def images(data: Path, runs: Path) -> list[str]:
    """Cross-validate a head on each set of photos."""
    lines = [
        "Images, efficientnet-lite0, `Head` in 5-fold cross-validation, mean over 5 fixed seeds:",
        "",
        "| images | accuracy | spread over seeds | floor |",
        "|---|---:|---:|---:|",
    ]
    for name, floor in (("trashnet", 0.80), ("eurosat", 0.88)):
        featurize.embed(data / name, out=runs / name)
        table = featurize.open_table(runs / name)
        features, labels = table.to_numpy(), table.labels.astype(str)
        scores = [
            cross_val_score(
                Head(), features, labels, cv=StratifiedKFold(5, shuffle=True, random_state=seed)
            )
            for seed in SEEDS
        ]
        means = np.mean(scores, axis=1)
        spread = f"{means.min():.4f}-{means.max():.4f}"
        lines.append(f"| {name} ({len(table)}) | **{means.mean():.4f}** | {spread} | {floor} |")
    return lines


if __name__ == "__main__":
    main()
