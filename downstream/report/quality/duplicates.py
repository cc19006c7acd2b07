"""Rows that say the same: how many, whether their labels agree, and what they do to scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from downstream.report.held_out import HeldOut
from downstream.report.quality.leak import leak_of_random_rows, leak_of_split
from downstream.report.quality.shown import shown
from downstream.report.quality.twins import Twins, evidence
from downstream.report.study import Study
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXAMPLES = 10


def duplicates(study: Study, held: HeldOut | None = None) -> Json:
    """Return how many rows repeat others, exactly or nearly, and what a split that parts them does.

    `exact_groups` are groups of rows of equal content, `near_groups` those that hold nearly equal
    contents, by the `evidence` that `Twins.of` explains. `rows` is the number of rows in either,
    `surplus` how many of them could go if one stayed of each group, `largest` the rows of the
    largest. `conflicts` counts groups, and the rows in them, whose labels differ. `leak` says what
    happens where rows are dealt out at random, `split` what the study's own split does, see
    `quality.leak`. `examples` are pairs of rows, those with different labels first.
    """
    twins = Twins.of(study)
    sizes = np.bincount(twins.group)
    repeated = sizes[twins.group] > 1
    contents = np.bincount(twins.group[np.unique(twins.exact, return_index=True)[1]])
    mixed = _mixed(twins.group, study.classes)
    return {
        "evidence": evidence(study),
        "exact_groups": int((np.bincount(twins.exact) > 1).sum()),
        "near_groups": int((contents > 1).sum()),
        "rows": int(repeated.sum()),
        "surplus": len(study) - len(sizes),
        "largest": int(sizes.max()),
        "conflicts": {"groups": int(mixed.sum()), "rows": int(mixed[twins.group].sum())},
        "leak": leak_of_random_rows(study, twins.group, held),
        "split": leak_of_split(study, twins.group),
        "examples": _examples(study, twins),
    }


def _mixed(group: NDArray[np.intp], classes: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which groups hold rows of several classes, (groups,)."""
    lowest = np.full(group.max() + 1, classes.max())
    highest = np.zeros(group.max() + 1, dtype=np.intp)
    np.minimum.at(lowest, group, classes)
    np.maximum.at(highest, group, classes)
    return np.asarray(lowest < highest)


def _examples(study: Study, twins: Twins) -> list[Json]:
    """Return pairs of rows: those whose labels differ first, then the most alike."""
    order = np.argsort(twins.exact, kind="stable")
    equal = twins.exact[order][1:] == twins.exact[order][:-1]
    exact = np.stack([order[:-1], order[1:]], axis=1)[equal]
    pairs = np.concatenate([exact, twins.pairs])
    cosines = np.concatenate([np.ones(len(exact)), twins.cosines])
    agree = study.classes[pairs[:, 0]] == study.classes[pairs[:, 1]]
    chosen = np.argsort(agree, kind="stable")[:EXAMPLES]
    return [_example(study, pairs[at], float(cosines[at]), at < len(exact)) for at in chosen]


def _example(study: Study, pair: NDArray[np.intp], cosine: float, exact: bool) -> Json:
    rows = [shown(study, int(row)) for row in pair]
    found: Json = {
        "kind": "exact" if exact else "near",
        "ids": [row["id"] for row in rows],
        "labels": [study.names[study.classes[row]] for row in pair],
        "similarity": cosine,
    }
    return found | ({"texts": [row["text"] for row in rows]} if "text" in rows[0] else {})
