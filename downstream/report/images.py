"""Images of the rows of a study, at one small size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from downstream.page.images import image_of, is_image_of
from downstream.report.study import Study
from featurize.errors import InputRejected

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 64  # pixels


def names_files(study: Study, source: Path) -> bool:
    """Say whether any row's id is a file of a source, as the rows of a folder's table are."""
    return any(is_image_of(source, key) for key in study.data.ids)


def small_images(study: Study, source: Path) -> Iterator[NDArray[np.float32]]:
    """Yield every row's image at 64 x 64 pixels, (64, 64, 3) float32 in 0..1, NaN for lost ones."""
    for key, content in zip(study.data.ids, study.contents, strict=True):
        try:
            image = image_of(source, key, content).resize((SIDE, SIDE), reducing_gap=2.0)
            yield np.asarray(image, dtype=np.float32) / np.float32(255)
        except InputRejected:
            yield np.full((SIDE, SIDE, 3), np.nan, dtype=np.float32)
