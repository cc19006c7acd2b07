"""Measure the coverage of the report's intervals and the level of its test on generated data.

Run as `python benchmarks/intervals.py`. Vectors are Gaussian around a centre for each class; the
learner is a ridge regression on the classes, which is quick; the truth is the accuracy, on fresh
rows, of the very models that were cross-validated. For the test two encoders give vectors that are
drawn alike, so that neither is better.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from results import write_section
from sklearn.linear_model import Ridge
from sklearn.metrics import f1_score, recall_score

from downstream.report.held_out import Learner, cross_validated, deal_repeats
from downstream.report.scores import scores
from downstream.report.study import Study
from downstream.report.transfer import ALPHA, Difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from downstream.datasets import Dataset

FRESH = 3_000
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Setting:
    """How data are drawn: rows in groups of a size, dimensions, shares of classes, repeats."""

    rows: int
    size: int
    dim: int
    shares: tuple[float, ...]
    repeats: int
    spread: float


SETTINGS = (
    Setting(60, 1, 20, (1 / 3,) * 3, 5, 2.0),
    Setting(60, 1, 100, (1 / 3,) * 3, 5, 3.0),
    Setting(200, 1, 20, (1 / 3,) * 3, 5, 2.0),
    Setting(200, 1, 100, (0.8, 0.15, 0.05), 5, 3.0),
    Setting(200, 4, 50, (1 / 3,) * 3, 5, 2.0),
    Setting(600, 1, 300, (1 / 6,) * 6, 2, 3.0),
)


def main() -> None:
    """Simulate every setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=300)
    times = parser.parse_args().times
    lines = list(report(times))
    write_section("Intervals and test of the report", "python benchmarks/intervals.py", lines)


def report(times: int) -> Iterator[str]:
    """Yield a row for every setting."""
    yield (
        f"Coverage of 95 % intervals, and how often the verdict's test at {ALPHA:.0%} finds a "
        f"difference where there is none, in {times} simulations of each setting."
    )
    yield ""
    yield (
        "| rows | groups of | dimensions | classes' shares | accuracy | balanced accuracy "
        "| macro F1 | recall of a class | F1 of a class | test |"
    )
    yield "|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|"
    for setting in SETTINGS:
        found = [simulated(setting, seed) for seed in range(times)]
        names = ("accuracy", "balanced_accuracy", "macro_f1", "recall", "f1", "test")
        means = " | ".join(f"{np.mean([each[name] for each in found]):.3f}" for name in names)
        shares = ", ".join(f"{share:.2g}" for share in sorted(set(setting.shares), reverse=True))
        row = f"| {setting.rows} | {setting.size} | {setting.dim} | {shares} | {means} |"
        print(row, flush=True)
        yield row


def simulated(setting: Setting, seed: int) -> dict[str, float]:
    """Return which intervals held the truth, and whether the test found a difference."""
    rng = np.random.default_rng(seed)
    classes = len(setting.shares)
    centres = rng.normal(size=(classes, setting.dim)) * setting.spread / np.sqrt(setting.dim)
    drawn = rng.choice(classes, setting.rows // setting.size, p=setting.shares)
    drawn[: 2 * classes] = np.arange(2 * classes) % classes
    truth = rng.choice(classes, FRESH, p=setting.shares)
    fresh = centres[truth] + rng.normal(size=(FRESH, setting.dim))
    study = blank(drawn.repeat(setting.size), np.arange(len(drawn)).repeat(setting.size), seed)
    folds = deal_repeats(study, setting.repeats, FOLDS)
    given: list[NDArray[np.intp]] = []
    ours, theirs = (
        cross_validated(
            study, folds, ridge(study, vectors(study, centres, setting.size, rng), kept)
        )
        for kept in ([(fresh, given)], [])
    )
    found = scores(study, ours)
    expected = {
        "accuracy": np.mean([np.mean(each == truth) for each in given]),
        "balanced_accuracy": np.mean(
            [recall_score(truth, each, average="macro") for each in given]
        ),
        "macro_f1": np.mean(
            [f1_score(truth, each, average="macro", zero_division=0) for each in given]
        ),
    }
    held = {name: holds(found[name], value) for name, value in expected.items()}
    for name, measure in (("recall", recall_score), ("f1", f1_score)):
        of_classes = np.mean(
            [measure(truth, each, average=None, zero_division=0) for each in given], axis=0
        )
        pairs = zip(found["per_class"].values(), of_classes, strict=True)
        held[name] = float(np.mean([holds(each[name], value) for each, value in pairs]))
    difference = Difference.between(study, ours, theirs)
    return held | {"test": float(difference.p_value <= ALPHA)}


def holds(found: dict[str, float], value: float) -> float:
    """Return 1 where a value lies in an interval."""
    return float(found["low"] <= value <= found["high"])


def vectors(
    study: Study, centres: NDArray[np.float64], size: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw vectors, of which those of a group share half of their variance."""
    own, shared = (
        rng.normal(size=(len(study) // part, centres.shape[1])).repeat(part, axis=0)
        for part in (1, size)
    )
    noise = own if size == 1 else np.sqrt(0.5) * (own + shared)
    return np.asarray(centres[study.classes] + noise)


def ridge(
    study: Study,
    features: NDArray[np.float64],
    asked: list[tuple[NDArray[np.float64], list[NDArray[np.intp]]]],
) -> Learner:
    """Return a ridge regression, which also answers for fresh rows."""
    wanted = np.eye(len(study.names))[study.classes]

    def learn(train: NDArray[np.intp], test: NDArray[np.intp]) -> NDArray[np.float64]:
        model = Ridge(10.0).fit(features[train], wanted[train])
        for fresh, answers in asked:
            answers.append(model.predict(fresh).argmax(axis=1))
        bounded = np.clip(model.predict(features[test]), 1e-6, None)
        return np.asarray(bounded / bounded.sum(axis=1, keepdims=True))

    return learn


def blank(classes: NDArray[np.intp], groups: NDArray[np.intp], seed: int) -> Study:
    """Return a study of classes and groups alone."""
    names = [f"class-{number}" for number in range(classes.max() + 1)]
    nothing: Any = np.empty(len(classes), dtype=object)
    data = cast("Dataset", None)
    return Study(data, names, classes, groups, nothing, None, None, seed, len(classes))


if __name__ == "__main__":
    main()
