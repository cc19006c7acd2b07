"""Image files to the pixel arrays of an encoder, with numpy and Pillow alone."""

from __future__ import annotations

import io
import json
import logging
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from featurize.errors import BundleError, InputRejected
from featurize.processors.decoding import decode, plain
from featurize.types import Json, Piece, RejectReason, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_RESAMPLES = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
_MAX_SIDE = 4096
_MAX_ASPECT = 64


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How pixels reach the encoder: resize, centre crop, `(value - mean) / std`, RGB, NCHW.

    `shorter_side` and `crop` are pixels, 1 <= crop <= shorter_side <= 4096; `max_aspect`, 1 to 64,
    bounds the resized strip: an image longer than that is first cropped to its middle. Transparent
    pixels are laid on white. Raises ValueError for values out of range.
    """

    shorter_side: int
    crop: int
    resample: str
    mean: float
    std: float
    max_aspect: int = 8

    def __post_init__(self) -> None:
        """Refuse what would cost unbounded memory, or give no number."""
        for name, value, most in (
            ("shorter_side", self.shorter_side, _MAX_SIDE),
            ("crop", self.crop, self.shorter_side),
            ("max_aspect", self.max_aspect, _MAX_ASPECT),
        ):
            if type(value) is not int or not 1 <= value <= most:
                raise ValueError(f"{name} is {value!r}, expected an integer from 1 to {most}")
        if self.resample not in _RESAMPLES:
            known = ", ".join(_RESAMPLES)
            raise ValueError(f"resample is {self.resample!r}, expected one of {known}")
        for name, number in (("mean", self.mean), ("std", self.std)):
            if type(number) not in {int, float} or not math.isfinite(number):
                raise ValueError(f"{name} is {number!r}, expected a finite number")
        if self.std <= 0:
            raise ValueError(f"std is {self.std!r}, expected more than 0")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a bundle's `preprocess.json`; raise BundleError where it says nothing usable."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except (TypeError, ValueError) as error:
            raise BundleError(f"{path} is no image preprocessing: {error}.") from error

    def to_json(self) -> Json:
        """Return the fields as JSON values."""
        return asdict(self)


class ImageProcessor:
    """Decodes, turns, resizes and crops images.

    Features: `pixels` (3, crop, crop) uint8; normalised when a batch is stacked. Columns: `width`
    and `height` in pixels after EXIF rotation. Images of over 50 megapixels are rejected before
    they are decoded.

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

    def restore(self, data: bytes) -> str | bytes:
        """Return the bytes of an image file as they are."""
        return data

    def prepare(self, contents: Sequence[str | bytes]) -> list[Sample | InputRejected]:
        """Decode and resize images; a bad one becomes its rejection."""
        return [self._prepare_one(content) for content in contents]

    def pieces(
        self, _content: str | bytes, sample: Sample, _on_window: Callable[[], None]
    ) -> list[Piece]:
        """Make one row of an image."""
        return [Piece.whole(sample)]

    def collate(self, samples: Sequence[Sample]) -> dict[str, NDArray[np.generic]]:
        """Stack and normalise pixels: `pixels` (n, 3, crop, crop) float32."""
        pixels = np.stack([sample.features["pixels"] for sample in samples]).astype(np.float32)
        pixels -= np.float32(self._rules.mean)
        pixels /= np.float32(self._rules.std)
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
    """Resize the shorter side, crop the centre; return (3, crop, crop) uint8."""
    from PIL import Image as Pillow

    image = _central_strip(image, rules.max_aspect)
    scale = rules.shorter_side / min(image.size)
    width = max(rules.shorter_side, int(image.width * scale))
    height = max(rules.shorter_side, int(image.height * scale))
    image = image.resize((width, height), Pillow.Resampling[rules.resample.upper()])
    left, top = (width - rules.crop) // 2, (height - rules.crop) // 2
    image = image.crop((left, top, left + rules.crop, top + rules.crop))
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1))


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
