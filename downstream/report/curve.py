"""The learning curve: accuracy against labels per class, and what more labels would bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from downstream.heads.models.solvers import LogisticModel
from downstream.heads.split import splits
from downstream.report.held_out import learned
from downstream.report.intervals import interval, student
from downstream.report.power_law import PowerLaw, bootstrapped
from downstream.report.study import Study
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 5
STEP = 2
GROWTH = 5
REACH = 20
RESAMPLED = 200
FEWEST_SIZES = 3
TARGETS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99)


def curve(study: Study, *, rows: int | None = None, target: float | None = None) -> Json:
    """Return accuracy against labels per class, a forecast, and the labels that a target needs.

    `points` are what `measured` finds. `forecast` is for learning from `rows` rows, by default 5
    times those of the study; `needed` says how many labels per class bring the accuracy `target`,
    by default the next round figure: null where the curve does not get there with 20 times the
    rows that were learned from, and then its ends stop there. Both come from a power law, never
    below what was measured last, since more labels do not harm; their intervals are those of 200
    bootstrap samples of the draws. Skipped where the classes are too
    small for three sizes.
    """
    sizes, accuracy = measured(study)
    if len(sizes) < FEWEST_SIZES or len(accuracy) < 2:
        return {
            "skipped": "A learning curve needs about 6 labels or more in each class, on average, "
            "in two groups or more."
        }
    tests = len(study) / DRAWS
    errors = np.maximum(1 - accuracy, 0.5 / tests)
    law, laws = bootstrapped(sizes, errors, RESAMPLED, study.seed)
    wanted = rows or GROWTH * len(study)
    last = float(accuracy[:, -1].mean())
    return {
        "points": _points(sizes, accuracy, len(study.names)),
        "forecast": {"rows": wanted, "accuracy": _forecast(law, laws, wanted, last)},
        "needed": _needed(law, laws, (len(study.names), int(sizes[-1]), last), target),
    }


def measured(study: Study, draws: int = DRAWS) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return numbers of rows (p,), ascending, and accuracies of heads trained on them, (draws, p).

    Each draw holds out another fifth of the groups, and takes from the rest 1, 2, 4 ... rows a
    class on average, up to all: the classes in proportion, at least one row of each, the fewer
    among the more. C is chosen anew for each number, by the first draw.
    """
    folds = [held for held in splits(study.classes, study.groups, draws, study.seed) if held.any()]
    orders = [_order(study, ~held, number) for number, held in enumerate(folds)]
    sizes = _sizes(len(study.names), min(map(len, orders), default=0))
    accuracy = np.empty((len(folds), len(sizes)))
    for place, size in enumerate(sizes):
        model: LogisticModel | None = None
        for draw, (held, order) in enumerate(zip(folds, orders, strict=True)):
            model = learned(study, study.vectors, order[:size], model)
            given = model.probabilities(study.vectors[held]).argmax(axis=1)
            accuracy[draw, place] = np.mean(given == study.classes[held])
    return sizes, accuracy


def _sizes(classes: int, most: int) -> NDArray[np.intp]:
    """Return 1, 2, 4 ... rows a class, and all rows where they are a good step more."""
    found = [classes]
    while found[-1] * STEP * np.sqrt(STEP) <= most:
        found.append(found[-1] * STEP)
    return np.array([*found, most] if most > found[-1] else found)


def _order(study: Study, allowed: NDArray[np.bool_], draw: int) -> NDArray[np.intp]:
    """Return the allowed rows in an order of which each beginning has the classes in proportion.

    One row of each class comes first. The others follow at random, spread evenly class by class.
    """
    rng = np.random.default_rng([study.seed, draw])
    rows = rng.permutation(np.flatnonzero(allowed))
    classes = study.classes[rows]
    by_class = np.argsort(classes, kind="stable")
    starts = np.searchsorted(classes[by_class], classes[by_class], side="left")
    sizes = np.bincount(classes)[classes[by_class]]
    rank = np.arange(len(rows)) - starts
    key = np.where(rank == 0, -1.0, (rank + rng.random(len(rows))) / sizes)
    return rows[by_class[np.argsort(key, kind="stable")]]


def _points(sizes: NDArray[np.intp], accuracy: NDArray[np.float64], classes: int) -> list[Json]:
    draws = len(accuracy)
    errors = accuracy.std(axis=0, ddof=1) / np.sqrt(draws)
    means = accuracy.mean(axis=0)
    return [
        {
            "per_class": round(float(size / classes), 1),
            "rows": int(size),
            "accuracy": _within(student(float(mean), float(error), draws - 1)),
        }
        for size, mean, error in zip(sizes, means, errors, strict=True)
    ]


def _forecast(law: PowerLaw, laws: list[PowerLaw], rows: int, last: float) -> Json:
    found = [1 - each.error(rows) for each in laws]
    low, high = np.quantile(found, [0.025, 0.975])
    mean = max(last, 1 - law.error(rows))
    return interval(mean, min(mean, low), max(mean, high))


def _needed(
    law: PowerLaw, laws: list[PowerLaw], learned: tuple[int, int, float], target: float | None
) -> Json:
    """Return how many labels a class the target needs.

    `learned` are the classes, the rows and the accuracy of the largest training.
    """
    classes, rows, last = learned
    reached = max(last, 1 - law.error(rows))
    wanted = target or next((each for each in TARGETS if each > reached), TARGETS[-1])
    if wanted <= last:
        return {"target": wanted, "per_class": None, "why": f"{last:.1%} are reached already."}
    most = REACH * rows / classes
    each = law.rows_for(1 - wanted) / classes
    if each > most:
        best = max(last, 1 - law.error(REACH * rows))
        why = (
            f"The curve does not reach {wanted:.1%} with {REACH} times the labels: there it is "
            f"forecast at {best:.1%}."
        )
        return {"target": wanted, "per_class": None, "why": why}
    found = np.minimum([law.rows_for(1 - wanted) / classes for law in laws], most)
    low, high = np.quantile(found, [0.025, 0.975])
    why = f"About {each:.0f} labels a class bring {wanted:.1%}, if the curve goes on as it went."
    if high >= most:
        why += f" Whether {most:.0f} are enough is not certain."
    return {
        "target": wanted,
        "per_class": interval(each, min(each, low), max(each, high)),
        "why": why,
    }


def _within(found: Json) -> Json:
    return found | {"low": max(0.0, found["low"]), "high": min(1.0, found["high"])}
