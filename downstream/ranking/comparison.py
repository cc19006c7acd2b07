"""Encoders side by side: one head on the same folds, cheap scores, costs, and which to take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from downstream.ranking.contestant import Contestant
from downstream.report.baselines.baselines import baselines
from downstream.report.held_out import NEVER, HeldOut, held_out
from downstream.report.intervals import group_variance, interval, p_value, student
from downstream.report.scores import scores
from downstream.report.study import Study
from downstream.report.transferability import transferability
from featurize.errors import HeadError
from featurize.types import Json
from featurize.wording import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA = 0.05
NOTICEABLE = 0.8  # of the time of the best encoder
REPEATS = 2  # of a cross-validation: there are several encoders to learn from
CHEAP = ("logme", "knn_accuracy")


def compare(contestants: Sequence[Contestant]) -> Json:
    """Measure contestants on the rows that all of them have, and order them by accuracy.

    Returns `rows`, drawn of the `rows_of` where those are more than `Study.bounded` keeps,
    `classes`, `folds`, `repeats`; `encoders`, best first: `encoder`, `accuracy` and `macro_f1`
    (intervals) of the head in cross-validation on the same folds for all, `logme`, `knn_accuracy`,
    its costs, and `difference` to the best (interval) with `p_value` and `worse`, whether it is so
    at 5 %, each comparison by itself; `baselines` on these folds; `predicted`, how well the cheap
    scores told that order; `recommended` and `why`.
    """
    whole = _on_common_rows([contestant.study for contestant in contestants])
    common, studies = len(whole[0]), [study.bounded() for study in whole]
    learned = [held_out(study, REPEATS) for study in studies]
    entries = [
        {"encoder": contestant.name, **_quality(study, predictions), **contestant.facts}
        for contestant, study, predictions in zip(contestants, studies, learned, strict=True)
    ]
    order = sorted(range(len(entries)), key=lambda number: -entries[number]["accuracy"]["mean"])
    best = learned[order[0]]
    ranked = [
        {"rank": place, **entries[number], **difference(studies[number], learned[number], best)}
        for place, number in enumerate(order, 1)
    ]
    recommended, why = recommend(ranked)
    raw = baselines(studies[order[0]], best)
    return {
        "rows": len(studies[0]),
        "rows_of": common,
        "classes": studies[0].names,
        "folds": best.fold_count,
        "repeats": best.repeats,
        "alpha": ALPHA,
        "encoders": ranked,
        "baselines": raw,
        "predicted": predicted(ranked),
        "recommended": recommended,
        "why": " ".join([why, *_without_encoder(ranked, raw)]),
    }


def difference(study: Study, predictions: HeldOut, best: HeldOut) -> Json:
    """Return how much more accurate a contestant is than the best, row by row on the same folds.

    The variance is that of `intervals`: over groups of rows, corrected for trainings that overlap.
    Two encoders that are equally good are told apart in 3 to 5 % of cases (`benchmarks/rank.py`); a
    test over folds, which the verdict of the report takes, would hardly ever tell any apart.
    """
    if predictions is best:
        return {"difference": interval(0, 0, 0), "p_value": None, "worse": False}
    scored = best.scored
    each = _correct(study, predictions)[scored] - _correct(study, best)[scored]
    groups = np.unique(study.groups[scored], return_inverse=True)[1]
    mean = each.mean()
    error = math.sqrt(group_variance((each - mean) / len(each), groups, best.fold_count))
    freedom = max(1, int(groups.max()))
    chance = p_value(mean, error, freedom)
    return {
        "difference": student(mean, error, freedom),
        "p_value": chance,
        "worse": bool(mean < 0 and chance < ALPHA),
    }


def predicted(ranked: Sequence[Json]) -> Json:
    """Say how well the cheap scores, which need no training, told the order of the accuracies.

    Kendall's tau and Spearman's rho are 1 for the same order and -1 for the opposite one.
    """
    accuracies = [entry["accuracy"]["mean"] for entry in ranked]
    told: Json = {name: _agreement([_mean(e[name]) for e in ranked], accuracies) for name in CHEAP}
    return {**told, "remark": _remark(len(ranked))}


def recommend(ranked: Sequence[Json]) -> tuple[str, str]:
    """Name the cheapest encoder of those that are not significantly worse than the best, and why.

    Times within a fifth count as equal: then the more accurate one is taken. An encoder whose time
    is unknown is the dearest.
    """
    best = ranked[0]
    level = [entry for entry in ranked if not entry["worse"]]
    chosen = min(level, key=_seconds)
    if _seconds(chosen) > NOTICEABLE * _seconds(best):
        chosen = best
    name, top = (Path(entry["encoder"]).name for entry in (chosen, best))
    cost, known = _cost(chosen), math.isfinite(_seconds(best))
    if len(ranked) == 1:
        why = f"{name} is the only encoder that was ranked."
    elif chosen is best:
        equal = "none that may be as good is noticeably faster"
        others = equal if len(level) > 1 else "every other is significantly worse"
        why = f"Take {name}: it is the most accurate, and {others}; it takes {cost}."
    else:
        why = (
            f"Take {name}: its accuracy of {chosen['accuracy']['mean']:.3f} is not significantly "
            f"under the {best['accuracy']['mean']:.3f} of {top} (p = {chosen['p_value']:.2f}), and "
            f"it takes {cost} instead of {f'{_seconds(best):.2g}' if known else _cost(best)}."
        )
    return chosen["encoder"], why


def _seconds(entry: Json) -> float:
    seconds = entry["seconds_per_1000"]
    return math.inf if seconds is None else float(seconds)


def _cost(entry: Json) -> str:
    seconds = _seconds(entry)
    return f"{seconds:.2g} s per 1,000 inputs" if math.isfinite(seconds) else "an unknown time"


def _without_encoder(ranked: Sequence[Json], raw: Json) -> list[str]:
    """Say which baselines are as accurate as the best encoder."""
    best = ranked[0]["accuracy"]["mean"]
    figures = {name: each["accuracy"]["mean"] for name, each in raw.items() if "accuracy" in each}
    return [
        f"But {name}, which needs no encoder, comes to {figure:.3f}."
        for name, figure in figures.items()
        if figure >= best
    ]


def _quality(study: Study, predictions: HeldOut) -> Json:
    figures, cheap = scores(study, predictions), transferability(study)
    kept = {name: figures[name] for name in ("accuracy", "macro_f1")}
    return kept | {name: cheap[name] for name in CHEAP}


def _on_common_rows(studies: Sequence[Study]) -> list[Study]:
    """Return the rows that all have, in one order and with the same groups, so the same folds."""
    common = sorted(set.intersection(*(set(study.data.ids) for study in studies)))
    if not common:
        raise HeadError("No input has a row in the tables of all encoders.")
    chosen = []
    for study in studies:
        place = {key: row for row, key in enumerate(study.data.ids)}
        chosen.append(study.select(np.array([place[key] for key in common], dtype=np.intp)))
    return [replace(study, groups=chosen[0].groups) for study in chosen]


def _correct(study: Study, predictions: HeldOut) -> NDArray[np.float64]:
    """Return the share of repeats in which each row was predicted right, (n,); 0 for never."""
    met = predictions.folds != NEVER
    right = np.zeros(met.shape)
    right[met] = (
        predictions.probabilities[met].argmax(axis=1)
        == np.broadcast_to(study.classes, met.shape)[met]
    )
    return np.asarray(right.sum(axis=0) / np.maximum(1, met.sum(axis=0)))


def _agreement(cheap: Sequence[float], real: Sequence[float]) -> Json:
    from scipy.stats import kendalltau, spearmanr

    if len(set(cheap)) < 2 or len(set(real)) < 2:
        return {"kendall": None, "spearman": None, "best": None}
    return {
        "kendall": float(kendalltau(cheap, real).statistic),
        "spearman": float(spearmanr(cheap, real).statistic),
        "best": int(np.argmax(cheap)) == int(np.argmax(real)),
    }


def _remark(count: int) -> str:
    if count < 2:
        return "One encoder has no order."
    return (
        f"With {counted(count, 'encoder')}, a random order is right once in "
        f"{math.factorial(count):,} times: read nothing into the agreement of few."
    )


def _mean(score: Any) -> float:
    return float(score["mean"] if isinstance(score, dict) else score)
