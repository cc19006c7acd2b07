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
from downstream.heads.registry import MODELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from featurize.table import EmbeddingTable

HERE = Path(__file__).resolve().parent
SEEDS = range(5)
SHOTS = (1, 2, 4, 8, 10, 16)
SLOW = "boosting"


def main() -> None:
    """Measure on tables that lie ready, or embed the data first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--models", nargs="*", default=[name for name in MODELS if name != SLOW])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tables = [embedded(chosen.data, Path(folder), part) for part in ("train", "test")]
        lines = [*measured(*tables, chosen.models)]
    write_section("Heads", "python benchmarks/heads.py", lines)


def embedded(data: Path, runs: Path, part: str) -> EmbeddingTable:
    """Embed one part of banking77."""
    source, out = data / "banking77" / f"{part}.csv", runs / part
    featurize.embed(source, out=out, device="cpu", text_column="text", label_column="category")
    return featurize.open_table(out)


def measured(train: EmbeddingTable, test: EmbeddingTable, models: list[str]) -> Iterator[str]:
    """Yield the table of accuracies on the test part."""
    yield (
        "banking77, minilm: accuracy on the 3,080 test texts of heads trained on all 10,003, with "
        "the seconds that took on one thread of BLAS, and on so many labels a class, mean over "
        "5 fixed seeds. `--models boosting` adds boosted trees, a tree a class and round: not "
        "done with all labels after SECONDS."
    )
    yield ""
    yield f"| model | all | seconds |{''.join(f' {shots} |' for shots in SHOTS)}"
    yield f"|---|---:|---:|{'---:|' * len(SHOTS)}"
    X, y = train.to_numpy(), train.labels.astype(str)
    U, v = test.to_numpy(), test.labels.astype(str)
    for model in models:
        began = time.perf_counter()
        whole = Head(model).fit(X, y)
        spent = time.perf_counter() - began
        few = [
            np.mean([accuracy(model, X, y, U, v, shots, seed) for seed in SEEDS]) for shots in SHOTS
        ]
        cells = "".join(f" {value:.4f} |" for value in few)
        yield f"| {model} | {whole.score(U, v):.4f} | {spent:.1f} |{cells}"


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
