"""The head's own method on colours and on small copies of the images themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from downstream.report.baselines.raw import Lacking, require
from downstream.report.held_out import Learner, head_learner
from downstream.report.images import SIDE, names_files, small_images
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
        if not names_files(study, study.source):
            raise Lacking(
                "No id of the table is an image file of --source. Raw images are read from folders "
                "only, not from archives or the rows of CSV, JSONL and Parquet files: name the "
                "folder the table was made of, if it was made of one."
            )
        colour, pixel, known = _features(study, study.source)
        lost = int((~known).sum())
        if lost > MAX_LOST * len(study):
            raise Lacking(
                f"{lost} of {len(study)} files of --source are not there, or not those that were "
                "embedded: name the folder the table was made of."
            )
        return {
            "colours": head_learner(study, colour),
            "pixels": head_learner(study, pixel),
        }


def _features(
    study: Study, source: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Return `colours` (n, 512) and `pixels` (n, 3072) of all rows, and which are known, (n,).

    One image at a time is in memory. Rows whose image is lost have the features of the mean image.
    """
    colour = np.empty((len(study), BINS**3), dtype=np.float32)
    pixel = np.empty((len(study), 3 * (SIDE // 2) ** 2), dtype=np.float32)
    known = np.zeros(len(study), dtype=bool)
    total = np.zeros((SIDE, SIDE, 3), dtype=np.float32)
    for row, image in enumerate(small_images(study, source)):
        known[row] = not np.isnan(image).any()
        if known[row]:
            colour[row], pixel[row] = colours(image), pixels(image)
            total += image
    mean = total / np.float32(max(1, known.sum()))
    colour[~known], pixel[~known] = colours(mean), pixels(mean)
    return colour, pixel, known


def colours(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return root shares of 8 x 8 x 8 colours, (512,) float32, of an image (h, w, 3) in 0..1."""
    steps = np.clip(image * BINS, 0, BINS - 1).astype(np.intp)
    cells = (steps @ np.array([BINS * BINS, BINS, 1])).ravel()
    counts = np.bincount(cells, minlength=BINS**3)
    return np.asarray(np.sqrt(counts / len(cells)), dtype=np.float32)


def pixels(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an image (2 s, 2 s, 3) at half its size, as a row: (3 s s,) float32."""
    height, width, channels = image.shape
    blocks = image.reshape(height // 2, 2, width // 2, 2, channels)
    return np.asarray(blocks.mean(axis=(1, 3)).ravel())
