"""Image files to pixel arrays, with numpy and Pillow alone."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from featurize.errors import BundleError, InputRejected
from featurize.types import Json, RejectReason, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 50_000_000
_WHITE = (255, 255, 255, 255)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How pixels reach the encoder: resize, centre crop, `(value - mean) / std`, RGB, NCHW.

    `shorter_side` and `crop` are pixels; `max_aspect` bounds the resized strip: an image longer
    than that is first cropped to its middle. Transparent pixels are laid on white.
    """

    shorter_side: int
    crop: int
    resample: str
    mean: float
    std: float
    max_aspect: int = 8

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a bundle's `preprocess.json`."""
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
    """

    columns = {"width": "int32", "height": "int32"}  # noqa: RUF012
    content_column: str | None = None
    window = 64
    budget = 8
    chunk_bytes = 64 << 20

    def __init__(self, preprocessing: Preprocessing) -> None:
        self._rules = preprocessing

    def admit(self, value: Any) -> str | bytes:
        """Return the bytes of an image file given as path, bytes or PIL image."""
        from PIL import Image

        if isinstance(value, bytes):
            return value
        if isinstance(value, str | Path):
            return Path(value).read_bytes()
        if isinstance(value, Image.Image):
            buffer = io.BytesIO()
            value.save(buffer, "PNG" if value.mode not in {"CMYK", "F"} else "TIFF")
            return buffer.getvalue()
        raise TypeError(f"Expected a path, bytes or PIL image, got {type(value).__name__}.")

    def restore(self, data: bytes) -> str | bytes:
        """Return the bytes of an image file as they are."""
        return data

    def prepare(self, contents: Sequence[str | bytes]) -> list[Sample | InputRejected]:
        """Decode and resize images; a bad one becomes its rejection."""
        return [self._prepare_one(content) for content in contents]

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
        except Exception as error:  # noqa: BLE001 - decoders raise anything on damaged files
            return InputRejected(RejectReason.UNDECODABLE, f"{type(error).__name__}: {error}")
        return Sample(features={"pixels": pixels}, cost=1, columns=columns)


def decode(data: bytes) -> Image:
    """Decode an image file to RGB: first frame, upright, transparency on white.

    Raises InputRejected before decoding where the header is foreign or over 50 megapixels.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputRejected(RejectReason.TOO_LARGE, str(error)) from error
    except UnidentifiedImageError as error:
        detail = f"no {', '.join(FORMATS)} file"
        raise InputRejected(RejectReason.UNDECODABLE, detail) from error
    if image.width * image.height > MAX_PIXELS:
        detail = f"{image.width} x {image.height} pixels; {MAX_PIXELS:,} are allowed"
        raise InputRejected(RejectReason.TOO_LARGE, detail)
    return _opaque(_upright(_eight_bits(image)))


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


def _eight_bits(image: Image) -> Image:
    """Scale 16-bit grey levels to 8 bits; Pillow's own conversion clips them to white."""
    from PIL import Image as Pillow

    if not image.mode.startswith("I"):
        return image
    levels = np.asarray(image).astype(np.int64).clip(0, 65535) >> 8
    grey = Pillow.fromarray(levels.astype(np.uint8))
    grey.info["exif"] = image.info.get("exif", b"")
    return grey


def _upright(image: Image) -> Image:
    """Turn an image as its EXIF orientation says; damaged EXIF data are passed over."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - the pixels may be sound; loading them decides
        return image


def _opaque(image: Image) -> Image:
    """Convert to RGB, laying transparent pixels on white."""
    from PIL import Image as Pillow

    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Pillow.new("RGBA", image.size, _WHITE)
        image = Pillow.alpha_composite(ground, image)
    return image.convert("RGB")
