"""Images of rows, from the files that a table was made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from downstream.report.study import Study
from featurize.errors import InputRejected
from featurize.processors.decoding import decode
from featurize.sources.files import Files, read_bytes
from featurize.storage import sha256_bytes
from featurize.types import Modality, RejectReason

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

SIDE = 64  # pixels


def image_of(source: Path, key: str, content: str) -> Image:
    """Return the image of the row with the id `key`, if it is still the one that was embedded.

    `source` is the folder of the raw data, or a file in it; `content` the SHA-256 that the table
    states, which is compared before anything is decoded. Raises InputRejected.
    """
    files = _files(source)
    data = read_bytes(files.root / files.locate(key)[0])
    if sha256_bytes(data) != content:
        raise InputRejected(RejectReason.UNREADABLE, "not what was embedded")
    return decode(data)


def names_files(study: Study, source: Path) -> bool:
    """Say whether any row's id is a file of a source, as the rows of a folder's table are."""
    return any(_is_file(_files(source), key) for key in study.data.ids)


def small_images(study: Study, source: Path) -> Iterator[NDArray[np.float32]]:
    """Yield every row's image at 64 x 64 pixels, (64, 64, 3) float32 in 0..1, NaN for lost ones."""
    for key, content in zip(study.data.ids, study.contents, strict=True):
        try:
            image = image_of(source, key, content).resize((SIDE, SIDE), reducing_gap=2.0)
            yield np.asarray(image, dtype=np.float32) / np.float32(255)
        except InputRejected:
            yield np.full((SIDE, SIDE, 3), np.nan, dtype=np.float32)


def _files(source: Path) -> Files:
    root = source if source.is_dir() else source.parent
    return Files(root.resolve(), (Modality.IMAGE,))


def _is_file(files: Files, key: str) -> bool:
    try:
        files.locate(key)
    except InputRejected:
        return False
    return True
