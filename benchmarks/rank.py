"""Rank encoders on banking77 and trashnet, and measure the test behind `worse`.

Run as `python benchmarks/rank.py --data FOLDER`, where FOLDER holds banking77 (train.csv with text
and category), trashnet (one folder a class) and weights (a static encoder, a MobileNet v2 file).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from results import write_section

from downstream import rank
from downstream.ranking.comparison import ALPHA, REPEATS, difference
from downstream.report.held_out import FOLDS, cross_validated, deal_repeats
from downstream.report.study import Study
from downstream.report.transfer import Difference
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
SIMULATIONS = 300
# rows, classes, dimensions, share of the noise that both encoders have in common
CASES = ((100, 3, 6, 0.5), (200, 5, 10, 0.0), (200, 5, 10, 0.5), (200, 5, 10, 0.9))


def main() -> None:
    """Rank on texts and on images, then simulate equal encoders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    data = parser.parse_args().data
    weights = data / "weights"
    mobilenet = next((weights / "mobilenet_v2_onnx").glob("*.onnx"))
    texts = rank(
        data / "banking77" / "train.csv",
        ["minilm", str(weights / "static_potion")],
        label="category",
        sample=2000,
    )
    images = rank(data / "trashnet", ["efficientnet-lite0", str(mobilenet)])
    lines = [*ranking("banking77", texts), "", *ranking("trashnet", images), "", *sizes()]
    write_section("Ranked encoders", "python benchmarks/rank.py", lines)


def ranking(name: str, found: Json) -> Iterator[str]:
    """Yield the table of a ranking and what is said beside it."""
    yield (
        f"{name}, {found['rows']:,} inputs of {len(found['classes'])} classes: `featurize rank`, "
        f"{found['folds']} folds dealt {found['repeats']} times, the same for all."
    )
    yield ""
    yield "| encoder | accuracy, 95 % | to the best | LogME | k-NN | dim | s/1,000 | model, MB |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for entry in found["encoders"]:
        accuracy = entry["accuracy"]
        gap = "" if entry["p_value"] is None else f"{entry['difference']['mean']:+.3f}, "
        chance = "" if entry["p_value"] is None else f"p = {entry['p_value']:.2g}"
        yield (
            f"| {Path(entry['encoder']).stem} | {accuracy['mean']:.3f} "
            f"({accuracy['low']:.3f}-{accuracy['high']:.3f}) | {gap}{chance} | "
            f"{entry['logme']:.3f} | {entry['knn_accuracy']['mean']:.3f} | {entry['dim']} | "
            f"{entry['seconds_per_1000']:.3g} | {entry['model_bytes'] / 1e6:.3g} |"
        )
    for baseline, figures in found["baselines"].items():
        if "accuracy" in figures:
            mean, low, high = (figures["accuracy"][key] for key in ("mean", "low", "high"))
            yield f"| no encoder: {baseline} | {mean:.3f} ({low:.3f}-{high:.3f}) | | | | | | |"
    told = {key: found["predicted"][key]["kendall"] for key in ("logme", "knn_accuracy")}
    yield ""
    yield (
        f"Kendall's tau: LogME {told['logme']:+.2f}, k-NN {told['knn_accuracy']:+.2f}. "
        f"{found['predicted']['remark']} {found['why']}"
    )


def sizes() -> Iterator[str]:
    """Yield how often equal encoders are told apart at 5 %."""
    yield (
        f"Equal encoders told apart at {ALPHA:.0%}, by the test over rows that `rank` takes and by "
        f"the one over folds: {SIMULATIONS} simulations, nearest centroids, {FOLDS} folds dealt "
        f"{REPEATS} times."
    )
    yield ""
    yield "| rows | classes | noise in common | over rows | over folds |"
    yield "|---:|---:|---:|---:|---:|"
    for rows, classes, dim, shared in CASES:
        hits = np.mean(
            [told_apart(seed, rows, classes, dim, shared) for seed in range(SIMULATIONS)], 0
        )
        yield f"| {rows} | {classes} | {shared:.0%} | {hits[0]:.3f} | {hits[1]:.3f} |"


def told_apart(seed: int, rows: int, classes: int, dim: int, shared: float) -> tuple[bool, bool]:
    """Draw two encoders of equal worth; say whether each test tells them apart."""
    rng = np.random.default_rng(seed)
    numbers, common = np.arange(rows) % classes, rng.normal(size=(rows, dim))
    centres = rng.normal(size=(classes, dim))[numbers]
    study = cast("Study", Drawn(classes=numbers, names=[*range(classes)], seed=seed))
    folds, learned = deal_repeats(study, REPEATS, FOLDS), []
    for _ in range(2):
        noise = math.sqrt(shared) * common + math.sqrt(1 - shared) * rng.normal(size=(rows, dim))
        learned.append(cross_validated(study, folds, Centroids(centres + 2 * noise, numbers)))
    over_rows = difference(study, *learned)["p_value"] < ALPHA
    return over_rows, Difference.between(study, *learned).p_value < ALPHA


class Drawn(SimpleNamespace):
    """What the tests read of a study: no two rows belong together."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.classes)

    @property
    def groups(self) -> NDArray[np.intp]:
        """Return a group for each row."""
        return np.arange(len(self))


class Centroids:
    """Predicts the class of the nearest mean."""

    def __init__(self, vectors: NDArray[np.float64], classes: NDArray[np.intp]) -> None:
        self.vectors, self.classes = vectors, classes

    def __call__(self, train: Any, test: Any) -> NDArray[np.float64]:
        """Learn from some rows and return probabilities (m, k) for others."""
        vectors, classes = self.vectors[train], self.classes[train]
        means = np.stack([vectors[classes == number].mean(axis=0) for number in np.unique(classes)])
        distances = np.square(self.vectors[test][:, None] - means).sum(axis=2)
        odds = np.exp(distances.min(axis=1, keepdims=True) - distances)
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


if __name__ == "__main__":
    main()
