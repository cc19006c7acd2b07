"""Splits that keep classes in proportion and groups whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def deal(
    classes: NDArray[np.intp], groups: NDArray[np.intp], folds: int, seed: int
) -> NDArray[np.intp]:
    """Deal the groups out to folds like cards, class after class; (n,) the fold of every row.

    A group counts as the class of its first row. Any class may be smaller than the number of folds.
    """
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(first))
    by_class = shuffled[np.argsort(classes[first][shuffled], kind="stable")]
    fold = np.empty(len(first), dtype=np.intp)
    fold[by_class] = np.arange(len(first)) % folds
    return fold[member]


def subsample(
    classes: NDArray[np.intp], groups: NDArray[np.intp], most: int, seed: int
) -> NDArray[np.bool_]:
    """Draw about `most` rows, in whole groups and with classes in proportion; (n,) bool.

    All of them where there are no more. A rare class may be left out.
    """
    parts = -(-len(classes) // most)
    return np.asarray(deal(classes, groups, parts, seed) == 0)


def splits(
    classes: NDArray[np.intp], groups: NDArray[np.intp], folds: int, seed: int
) -> Iterator[NDArray[np.bool_]]:
    """Yield which rows are held out, (n,) bool, fold after fold.

    A class that would be held out as a whole stays in the rest, with the groups it lies in: it can
    be learned, but not measured. So may be all of a small or much connected set.
    """
    fold = deal(classes, groups, folds, seed)
    for number in range(folds):
        held = fold == number
        lonely = ~np.isin(classes, classes[~held])
        yield held & ~np.isin(groups, groups[lonely])
