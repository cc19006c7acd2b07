"""Measure the quick models on all labels of banking77, and on 1 to 16 labels a class.

Run as `python benchmarks/heads.py --data FOLDER`, where FOLDER holds banking77 (train.csv and
test.csv with text and category).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from results import write_section

import featurize
from downstream import Head
from downstream.heads.models.registry import MODELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from featurize.table import EmbeddingTable

HERE = Path(__file__).resolve().parent
SEEDS = range(5)
SHOTS = (1, 2, 4, 8, 10, 16)
SLOW = "boosting"
FEW = ["logistic"]


def main() -> None:
    """Measure on tables that lie ready, or embed the data first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--tables", type=Path, nargs=2, metavar=("TRAIN", "TEST"))
    parser.add_argument("--models", nargs="*", default=[name for name in MODELS if name != SLOW])
    parser.add_argument("--few", nargs="*", default=FEW, help="models of few labels a class")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        parts = ("train", "test")
        tables = (
            [featurize.open_table(table) for table in chosen.tables]
            if chosen.tables
            else [embedded(chosen.data, Path(folder), part) for part in parts]
        )
        lines = [*measured(*tables, chosen.models, chosen.few)]
    write_section("Heads", "python benchmarks/heads.py", lines)


def embedded(data: Path, runs: Path, part: str) -> EmbeddingTable:
    """Embed one part of banking77."""
    source, out = data / "banking77" / f"{part}.csv", runs / part
    featurize.embed(source, out=out, device="cpu", text_column="text", label_column="category")
    return featurize.open_table(out)


def measured(
    train: EmbeddingTable, test: EmbeddingTable, models: list[str], few: list[str]
) -> Iterator[str]:
    """Yield the table of accuracies on the test part."""
    yield (
        "banking77, minilm: accuracy on the 3,080 test texts of heads trained on all 10,003, with "
        "the seconds of one core that took, and on so many labels a class, mean over 5 fixed "
        f"seeds. {SLOW} builds a tree for each class and round: `--models {SLOW}` measures it."
    )
    yield ""
    yield f"| model | all | seconds |{''.join(f' {shots} |' for shots in SHOTS)}"
    yield f"|---|---:|---:|{'---:|' * len(SHOTS)}"
    X, y = train.to_numpy(), train.labels.astype(str)
    U, v = test.to_numpy(), test.labels.astype(str)
    for model in models:
        began = time.process_time()
        whole = Head(model).fit(X, y)
        spent = time.process_time() - began
        cells = ""
        for shots in SHOTS:
            seeds = SEEDS if model in few else ()
            found = [accuracy(model, X, y, U, v, shots, seed) for seed in seeds]
            cells += f" {np.mean(found):.4f} |" if found else " |"
        line = f"| {model} | {whole.score(U, v):.4f} | {spent:.1f} |{cells}"
        print(line, flush=True)
        yield line


def accuracy(  # noqa: PLR0913  # two tables as arrays
    model: str,
    X: NDArray[np.float32],
    y: NDArray[np.str_],
    U: NDArray[np.float32],
    v: NDArray[np.str_],
    shots: int,
    seed: int,
) -> float:
    """Return the test accuracy of a head trained on so many labels of each class."""
    rng = np.random.default_rng(seed)
    rows = [rng.choice(np.flatnonzero(y == name), shots, replace=False) for name in np.unique(y)]
    some = np.concatenate(rows)
    return Head(model).fit(X[some], y[some]).score(U, v)


if __name__ == "__main__":
    main()
