"""What duplicates on both sides of a split do to a score."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from downstream.heads.models.model import Lesson
from downstream.heads.models.solvers import LogisticModel
from downstream.report.held_out import FOLDS, NEVER, HeldOut, held_out
from downstream.report.intervals import Z, group_variance, interval, share
from downstream.report.study import Study
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRAINING = "train"


def leak_of_random_rows(study: Study, group: NDArray[np.intp], held: HeldOut | None) -> Json:
    """Return how many rows have a twin on the other side when rows are dealt out at random.

    `group` (n,) are the twins. `score` is the accuracy of the head in cross-validation that deals
    out single rows, `score_without` that which keeps twins, and nothing else, together,
    `difference` what the leak adds. Without any twin both are None. `held` serves for the former
    where no rows are grouped.
    """
    rows = np.arange(len(study))
    if len(np.unique(group)) == len(study):
        return _leak(0, len(study))
    if held is None or len(np.unique(study.groups)) < len(study):
        held = held_out(replace(study, groups=rows), repeats=1)
    apart = held_out(replace(study, groups=group), repeats=1)
    found = _leak(int(_straddles(group, held.folds[0]).sum()), len(study))
    if (held.scored & apart.scored).any():
        found |= _compared(_correct(study, held), _correct(study, apart), group)
    return found


def leak_of_split(study: Study, group: NDArray[np.intp]) -> Json | None:
    """Return how many rows that the study's own split tests have a twin that it trains on.

    `train` names the value of the split that is learned from: the one that begins with `train`,
    else the largest; the others are tested. `score_without` is the accuracy on the same rows
    without the twins of any in training. None where the study has no split.
    """
    if study.split is None:
        return None
    named = np.array([value is not None for value in study.split])
    values, counts = np.unique(study.split[named].astype(str), return_counts=True)
    learned = max(
        zip(values, counts, strict=True),
        key=lambda each: (each[0].casefold().startswith(TRAINING), each[1]),
    )[0]
    train = named & (study.split == learned)
    test = named & ~train
    twins = test & np.isin(group, group[train])
    clean = train & ~np.isin(group, group[test])
    found = {
        "train": str(learned),
        "values": dict(zip(values.tolist(), counts.tolist(), strict=True)),
    }
    found |= _leak(int(twins.sum()), int(test.sum()))
    if twins.any() and all(len(np.unique(study.classes[rows])) > 1 for rows in (train, clean)):
        right = [_right(study, rows, test) for rows in (train, clean)]
        found |= _compared(right[0], right[1], group)
    return found


def _leak(rows: int, among: int) -> Json:
    share = rows / among if among else 0.0
    return {
        "rows": rows,
        "share": share,
        "score": None,
        "score_without": None,
        "difference": None,
    }


def _compared(
    with_leak: NDArray[np.float64], without: NDArray[np.float64], group: NDArray[np.intp]
) -> Json:
    """Return both accuracies and their difference from what was right, (n,), NaN if not scored."""
    both = ~np.isnan(with_leak) & ~np.isnan(without)
    members = np.unique(group[both], return_inverse=True)[1]
    first, second = with_leak[both], without[both]
    mean = float((first - second).mean())
    half = Z * np.sqrt(_variance(first - second, members))
    return {
        "score": _accuracy(first, members),
        "score_without": _accuracy(second, members),
        "difference": interval(mean, mean - half, mean + half),
    }


def _accuracy(correct: NDArray[np.float64], groups: NDArray[np.intp]) -> Json:
    return share(float(correct.mean()), _variance(correct, groups), int(groups.max()) + 1)


def _variance(values: NDArray[np.float64], groups: NDArray[np.intp]) -> float:
    """Return the variance of the mean of values (n,), of which groups are independent."""
    return group_variance((values - values.mean()) / len(values), groups, FOLDS)


def _correct(study: Study, held: HeldOut) -> NDArray[np.float64]:
    """Return how often each row was predicted right, (n,), NaN for rows never held out."""
    right = np.where(np.isnan(held.probabilities), -1.0, held.probabilities).argmax(axis=2)
    tried = held.folds != NEVER
    times = tried.sum(axis=0)
    hits = ((right == study.classes) & tried).sum(axis=0)
    return np.asarray(np.divide(hits, times, out=np.full(len(times), np.nan), where=times > 0))


def _right(study: Study, train: NDArray[np.bool_], test: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return whether a head that learns some rows is right on others, (n,), NaN elsewhere."""
    present, classes = np.unique(study.classes[train], return_inverse=True)
    lesson = Lesson(study.vectors[train], classes, study.groups[train], None, study.seed)
    model = LogisticModel.fit(lesson)
    found = np.full(len(study), np.nan)
    best = model.probabilities(study.vectors[test]).argmax(axis=1)
    found[test] = present[best] == study.classes[test]
    return found


def _straddles(group: NDArray[np.intp], fold: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which rows have one of their group in another fold, (n,)."""
    lowest = np.full(group.max() + 1, fold.max())
    highest = np.full(group.max() + 1, NEVER)
    np.minimum.at(lowest, group, fold)
    np.maximum.at(highest, group, fold)
    return np.asarray(lowest[group] < highest[group])
