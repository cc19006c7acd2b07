"""The head's own method on colours and on small copies of the images themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from downstream.report.baselines.raw import Lacking, require
from downstream.report.held_out import Learner, head_learner
from downstream.report.images import small_images
from downstream.report.study import Study
from featurize.types import Modality

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 8  # of each colour channel
MAX_LOST = 0.05


class Images:
    """Colours and coarse shapes of the image files that the table was made of."""

    names: tuple[str, ...] = ("colours", "pixels")

    def learners(self, study: Study) -> dict[str, Learner]:
        """Return the head's own method on colour histograms and on small images."""
        require(study, Modality.IMAGE)
        if study.source is None:
            raise Lacking("Name the folder that the table was made of with --source.")
        small = np.stack(list(small_images(study, study.source)))
        known = ~np.isnan(small).any(axis=(1, 2, 3))
        lost = int((~known).sum())
        if lost > MAX_LOST * len(study):
            raise Lacking(
                f"{lost} of {len(study)} files of --source are not there, or not those that were "
                "embedded: name the folder the table was made of."
            )
        small[~known] = small[known].mean(axis=0)
        return {
            "colours": head_learner(study, colours(small)),
            "pixels": head_learner(study, pixels(small)),
        }


def colours(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return root shares of 8 x 8 x 8 colours, (n, 512) float32, of images (n, h, w, 3) in 0..1."""
    steps = np.clip(images * BINS, 0, BINS - 1).astype(np.intp)
    cells = (steps @ np.array([BINS * BINS, BINS, 1])).reshape(len(images), -1)
    counts = np.stack([np.bincount(row, minlength=BINS**3) for row in cells])
    return np.asarray(np.sqrt(counts / cells.shape[1]), dtype=np.float32)


def pixels(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return images (n, 2 s, 2 s, 3) at half their size, as rows: (n, 3 s s) float32."""
    count, height, width, channels = images.shape
    blocks = images.reshape(count, height // 2, 2, width // 2, 2, channels)
    return np.asarray(blocks.mean(axis=(2, 4)).reshape(count, -1))
