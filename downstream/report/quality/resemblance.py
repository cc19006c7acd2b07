"""How much pictures look like each other, light and colour aside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from downstream.report.images import small_images
from downstream.report.study import Study

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELLS = 8


def resemblances(
    study: Study, source: Path, left: NDArray[np.intp], right: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the correlation of the pictures of rows `left` (m,) with those of `right` (m,).

    Each is taken from the folder `source` at 8 x 8 shades of grey. A row whose file is not there,
    or not the one that was embedded, has NaN; two pictures without any contrast have 0.
    """
    rows, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    grey = [_grey(image) for image in small_images(study.select(rows), source)]
    shades = np.stack([*grey, np.zeros(CELLS * CELLS)])
    return np.asarray((shades[places[: len(left)]] * shades[places[len(left) :]]).sum(axis=1))


def _grey(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the shades of an image (s, s, 3) around their mean, (64,), as one unit vector."""
    step = len(image) // CELLS
    blocks = image.reshape(CELLS, step, CELLS, step, 3).astype(np.float64)
    shades = blocks.mean(axis=(1, 3, 4)).ravel()
    shades -= shades.mean()
    length = np.linalg.norm(shades)
    return np.asarray(shades / length if length > 0 else shades)
