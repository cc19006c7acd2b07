"""Image files to the pixel arrays of an encoder, with numpy and Pillow alone."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.errors import InputRejected
from featurize.processors.decoding import decode, plain
from featurize.processors.preprocessing import Preprocessing
from featurize.types import Piece, RejectReason, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_MAX_LENGTH = 2**20  # of an image that is resized whole: filters take memory in proportion


class ImageProcessor:
    """Decodes, turns, resizes and crops images.

    Features: `pixels` (3, height, width) uint8; normalised when a batch is stacked. Columns:
    `width` and `height` in pixels after EXIF rotation. Images of over 50 megapixels are rejected
    before they are decoded.

    Making one silences Pillow's warnings in this process: they tell of limits that are not ours and
    of damaged metadata, in the midst of the progress of thousands of images. It is done here, once,
    because filters cannot be set per thread. What Pillow logs still reaches who listens for it.
    """

    columns = {"width": "int32", "height": "int32"}  # noqa: RUF012
    content_column: str | None = None
    window = 64
    budget = 8
    chunk_bytes = 64 << 20

    def __init__(self, preprocessing: Preprocessing) -> None:
        self._rules = preprocessing
        self._mean, self._std = (
            np.asarray(levels, np.float32).reshape(-1, 1, 1)
            for levels in (preprocessing.mean, preprocessing.std)
        )
        warnings.filterwarnings("ignore", module=r"PIL\.")
        _silence(logging.getLogger("PIL"))

    def admit(self, value: Any) -> str | bytes:
        """Return the bytes of an image file given as path, bytes or PIL image.

        Raises InputRejected for a PIL image that its file could not be taken for either.
        """
        from PIL import Image

        if isinstance(value, bytes):
            return value
        if isinstance(value, str | Path):
            return Path(value).read_bytes()
        if isinstance(value, Image.Image):
            return _as_png(value)
        raise TypeError(f"Expected a path, bytes or PIL image, got {type(value).__name__}.")

    def prepare(self, contents: Sequence[str | bytes]) -> list[Sample | InputRejected]:
        """Decode and resize images; a bad one becomes its rejection."""
        return [self._prepare_one(content) for content in contents]

    def pieces(
        self, _content: str | bytes, sample: Sample, _on_window: Callable[[], None]
    ) -> list[Piece]:
        """Make one row of an image."""
        return [Piece.whole(sample)]

    def collate(self, samples: Sequence[Sample]) -> dict[str, NDArray[np.generic]]:
        """Stack and normalise pixels: `pixels` (n, 3, height, width) float32."""
        stacked = np.stack([sample.features["pixels"] for sample in samples])
        if self._rules.scale != 1:
            # In double precision, as the libraries that the numbers come from do.
            stacked = stacked.astype(np.float64) * self._rules.scale
        pixels = stacked.astype(np.float32)
        pixels -= self._mean
        pixels /= self._std
        return {"pixels": pixels}

    def _prepare_one(self, content: str | bytes) -> Sample | InputRejected:
        if isinstance(content, str):
            return InputRejected(RejectReason.UNSUPPORTED, "a text where an image is expected")
        try:
            image = decode(content)
            columns: dict[str, str | int | bool] = {"width": image.width, "height": image.height}
            pixels = fit(image, self._rules)
        except InputRejected as rejection:
            return rejection
        except MemoryError:
            return InputRejected(RejectReason.TOO_LARGE, "decoding needs more memory than there is")
        return Sample(features={"pixels": pixels}, cost=1, columns=columns)


def fit(image: Image, rules: Preprocessing) -> NDArray[np.uint8]:
    """Resize an image and crop its centre; return (3, height, width) uint8.

    Raises InputRejected, `too_large`, for one that is too long to be squeezed into a fixed size.
    """
    image = _resized(image, rules)
    height, width = rules.shape
    left = _margin(image.width, width, rules)
    top = _margin(image.height, height, rules)
    image = image.crop((left, top, left + width, top + height))  # black where there is no image
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1))


def _resized(image: Image, rules: Preprocessing) -> Image:
    from PIL import Image as Pillow

    resample = Pillow.Resampling[rules.resample.upper()]
    if rules.size is not None:
        if max(image.size) > _MAX_LENGTH:
            detail = f"{max(image.size)} pixels long; at most {_MAX_LENGTH} are squeezed"
            raise InputRejected(RejectReason.TOO_LARGE, detail)
        height, width = rules.size
        return image.resize((width, height), resample)
    assert rules.shorter_side is not None
    image = _central_strip(image, rules.max_aspect)
    shorter = min(image.size)
    width, height = (rules.shorter_side * side // shorter for side in image.size)
    return image.resize((width, height), resample)


def _margin(side: int, crop: int, rules: Preprocessing) -> int:
    """Return how many pixels lie before a centre crop; below 0, how many are missing there."""
    if rules.crop_rounding == "even":
        return round((side - crop) / 2)
    return (side - crop) // 2


def _central_strip(image: Image, max_aspect: int) -> Image:
    """Crop an extremely long image to its middle, so that resizing it stays cheap."""
    width, height = image.size
    longest = max_aspect * min(width, height)
    if max(width, height) <= longest:
        return image
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return image.crop((left, top, width - left, height - top))


def _as_png(image: Image) -> bytes:
    """Return an image as a file; what no PNG can carry, orientation and rare modes, is applied."""
    buffer = io.BytesIO()
    try:
        plain(image).save(buffer, "PNG", compress_level=1)
    except OSError as error:  # opened, but not decoded before
        detail = f"the image cannot be decoded: {error}"
        raise InputRejected(RejectReason.UNDECODABLE, detail) from error
    return buffer.getvalue()


def _silence(logger: logging.Logger) -> None:
    """Keep a logger nobody listens to from writing to standard error."""
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
