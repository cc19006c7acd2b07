"""Rows that are equal or nearly so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from downstream.neighbors.joining import joined
from downstream.report.nearest import NONE, nearest
from downstream.report.quality.overlap import overlaps
from downstream.report.quality.resemblance import resemblances
from downstream.report.study import Study
from featurize.types import Modality

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 10
NEAR_OVERLAP = 0.7  # of the trigrams of texts
NEAR_PICTURES = (0.8, 0.8)  # correlation of the pictures, and cosine of the vectors
NEAR_IMAGES = 0.9  # cosine, where pictures cannot be compared
NEAR_VECTORS = 0.97  # cosine, of texts that the table does not keep


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
        other by the cosine of their vectors, and are alike by what there is to compare, see
        `evidence`: texts, whose trigrams overlap by 0.7 or more (`overlaps`); pictures, which
        correlate at 0.8 or more (`resemblances`) with a cosine of 0.8 or more; else the vectors
        alone, with a cosine of 0.9 or more for images and 0.97 for texts. `benchmarks/data_quality`
        measures what these thresholds find.
        """
        first, exact = np.unique(study.contents, return_index=True, return_inverse=True)[1:]
        places, near = nearest(study.vectors[first], study.groups[first], NEIGHBOURS)
        asked, rank = np.nonzero(places != NONE)
        pairs, at = np.unique(
            np.sort(np.stack([asked, places[asked, rank]], axis=1), axis=1),
            axis=0,
            return_index=True,
        )
        pairs, cosines = first[pairs], near[asked, rank][at]
        alike = _alike(study, pairs[:, 0], pairs[:, 1], cosines)
        pairs, cosines = pairs[alike], cosines[alike]
        order = np.argsort(-cosines, kind="stable")
        group = joined(exact.astype(np.intp), pairs)
        return cls(exact.astype(np.intp), group, pairs[order], cosines[order])


def evidence(study: Study) -> str:
    """Return by what rows are compared: `texts`, `pictures` or, where neither is, `vectors`."""
    if study.texts is not None:
        return "texts"
    pictures = study.source is not None and Modality.IMAGE in study.data.encoder.modalities
    return "pictures" if pictures else "vectors"


def _alike(
    study: Study,
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    cosines: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Return which pairs of rows, (m,), are nearly equal."""
    if study.texts is not None:
        return overlaps(study.texts, left, right) >= NEAR_OVERLAP
    if Modality.IMAGE not in study.data.encoder.modalities:
        return cosines >= NEAR_VECTORS
    if study.source is None:
        return cosines >= NEAR_IMAGES
    correlation, cosine = NEAR_PICTURES
    close = np.flatnonzero(cosines >= cosine)
    found = resemblances(study, study.source, left[close], right[close])
    lost = np.isnan(found)
    alike = np.zeros(len(left), dtype=bool)
    alike[close] = np.where(lost, cosines[close] >= NEAR_IMAGES, found >= correlation)
    return alike
