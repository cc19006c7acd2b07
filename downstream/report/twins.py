"""Rows that are equal or nearly so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from downstream.report.nearest import NONE, nearest
from downstream.report.overlap import overlaps
from downstream.report.study import Study
from featurize.types import Modality

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 10
NEAR_OVERLAP = 0.7
NEAR_IMAGES = 0.9
NEAR_VECTORS = 0.97


@dataclass(frozen=True, slots=True)
class Twins:
    """Which rows of a study are equal or nearly so.

    `exact` and `group` (n,) number the groups of rows of equal content, and of rows that are equal
    or, through one or several steps, nearly equal. `pairs` (m, 2) are the nearly equal rows, the
    most alike first, `cosines` (m,) those of their vectors.
    """

    exact: NDArray[np.intp]
    group: NDArray[np.intp]
    pairs: NDArray[np.intp]
    cosines: NDArray[np.float32]

    @classmethod
    def of(cls, study: Study) -> Self:
        """Find the twins among the rows of a study.

        Nearly equal are rows of different groups of the study that are among the 10 nearest of each
        other by the cosine of their vectors, and: where the table keeps texts, whose texts have a
        trigram overlap of 0.7 or more, see `overlaps`; else, whose cosine is 0.9 or more for images
        and 0.97 for texts.
        """
        first, exact = np.unique(study.contents, return_index=True, return_inverse=True)[1:]
        places, near = nearest(study.vectors[first], study.groups[first], NEIGHBOURS)
        asked, rank = np.nonzero(places != NONE)
        pairs, at = np.unique(
            np.sort(np.stack([asked, places[asked, rank]], axis=1), axis=1),
            axis=0,
            return_index=True,
        )
        cosines = near[asked, rank][at]
        left, right = first[pairs].T
        alike = likeness(study, left, right, cosines)
        kept = np.flatnonzero(alike >= 1)[np.argsort(-alike[alike >= 1], kind="stable")]
        pairs = first[pairs[kept]]
        group = joined(exact.astype(np.intp), pairs)
        return cls(exact.astype(np.intp), group, pairs, cosines[kept])


def likeness(
    study: Study,
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    cosines: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return how alike rows are, (m,): 1 at the threshold from which they count as nearly equal."""
    if study.texts is not None:
        return overlaps(study.texts, left, right) / NEAR_OVERLAP
    images = Modality.IMAGE in study.data.encoder.modalities
    return cosines.astype(np.float64) / (NEAR_IMAGES if images else NEAR_VECTORS)


def joined(
    groups: NDArray[np.intp], pairs: Iterable[tuple[int, int]] | NDArray[np.intp]
) -> NDArray[np.intp]:
    """Number the groups (n,) anew after those of each pair of rows have been made one."""
    parent = np.arange(int(groups.max()) + 1).tolist()

    def root(group: int) -> int:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    for one, other in pairs:
        low, high = sorted((root(int(groups[one])), root(int(groups[other]))))
        parent[high] = low
    roots = np.array([root(group) for group in range(len(parent))], dtype=np.intp)
    return np.unique(roots[groups], return_inverse=True)[1].astype(np.intp)
