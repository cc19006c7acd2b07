"""Images of any kind to upright RGB, with Pillow; what is wrong with those that cannot be."""

from __future__ import annotations

import contextlib
import io
import re
from typing import TYPE_CHECKING

import numpy as np

from featurize.errors import InputRejected
from featurize.types import RejectReason

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 50_000_000
_READ = f"{', '.join(FORMATS[:-1])} and {FORMATS[-1]} are read"
_WHITE = (255, 255, 255, 255)
_SIGNATURES = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WEBP": rb"RIFF.{4}WEBP",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "AVIF or HEIF": rb".{4}ftyp(avi|hei|hev|mif1|msf1)",
    "JPEG 2000": rb"\0\0\0\x0cjP {2}|\xff\x4f\xff\x51",
    "JPEG XL": rb"\0\0\0\x0cJXL |\xff\x0a",
    "OpenEXR": rb"v/1\x01",
    "Photoshop": rb"8BPS",
}


def decode(data: bytes) -> Image:
    """Decode an image file to RGB: first frame, upright, transparency on white.

    Raises InputRejected: `too_large` before decoding more than 50 megapixels, `unsupported` for
    images of a kind that is not taken, `undecodable` for all else that is no whole image.
    """
    from PIL import Image

    try:
        return plain(Image.open(io.BytesIO(data), formats=FORMATS))
    except (InputRejected, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        # Pillow has limits of its own, both above ours unless a caller of the library sets them.
        raise _too_large("too many") from None
    except Exception as error:  # decoders raise anything on damaged files
        raise _refused(data, error) from error


def is_image(text: str) -> bool:
    """Say whether a text is, byte for byte, an image file that can be decoded."""
    data = text.encode(errors="replace")
    if not any(re.match(_SIGNATURES[kind], data, re.S) for kind in FORMATS):
        return False
    try:
        decode(data)
    except InputRejected:
        return False
    return True


def plain(image: Image) -> Image:
    """Return an image of any mode upright, in RGB, transparency on white; raise InputRejected.

    16-bit grey levels are divided by 256. 32-bit integers have no stated range: where all are
    within 0..255 they are 8-bit levels, else 16-bit ones, clipped. Levels in floating point may
    mean anything and are `unsupported`.
    """
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(f"{image.width} x {image.height}")
    if image.mode == "F":
        detail = "levels in floating point, whose range is not stated"
        raise InputRejected(RejectReason.UNSUPPORTED, detail)
    return _opaque(_eight_bits(_upright(image)))


def _upright(image: Image) -> Image:
    """Turn an image as its EXIF orientation says; damaged EXIF data are passed over."""
    from PIL import ExifTags, ImageOps

    image.load()  # first, because pixels that failed to load once may load the second time
    with contextlib.suppress(Exception):
        if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            return ImageOps.exif_transpose(image)
    return image


def _eight_bits(image: Image) -> Image:
    """Scale deep grey levels to 8 bits; Pillow's own conversion clips them to white."""
    from PIL import Image as Pillow

    if not image.mode.startswith("I"):
        return image
    levels = np.asarray(image).astype(np.int64)  # (height, width)
    if image.mode != "I" or levels.min() < 0 or levels.max() > 255:
        levels = levels.clip(0, 65535) >> 8
    return Pillow.fromarray(levels.astype(np.uint8))


def _opaque(image: Image) -> Image:
    """Convert to RGB, laying transparent pixels on white."""
    from PIL import Image as Pillow

    if image.mode == "La":
        image = image.convert("LA")  # the only way out that Pillow has
    if image.mode in {"RGBA", "LA", "PA", "RGBa"} or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Pillow.new("RGBA", image.size, _WHITE)
        image = Pillow.alpha_composite(ground, image)
    image.load()
    return image if image.mode == "RGB" else image.convert("RGB")


def _too_large(size: str) -> InputRejected:
    """Return the reject of an image of that size."""
    detail = f"{size} pixels; at most {MAX_PIXELS // 10**6} megapixels are decoded"
    return InputRejected(RejectReason.TOO_LARGE, detail)


def _refused(data: bytes, error: Exception) -> InputRejected:
    """Say why the content of a file gave no image, in words that depend on the content alone."""
    from PIL import UnidentifiedImageError

    kind = next((kind for kind, start in _SIGNATURES.items() if re.match(start, data, re.S)), None)
    if kind is None:
        return InputRejected(RejectReason.UNDECODABLE, f"not an image: {_READ}")
    if kind not in FORMATS:
        return InputRejected(RejectReason.UNSUPPORTED, f"the content is {kind}; {_READ}")
    detail = f"a {kind} that cannot be decoded: {error}"
    if isinstance(error, UnidentifiedImageError) or not str(error):
        detail = f"a {kind} that is damaged or of a rare kind"
    return InputRejected(RejectReason.UNDECODABLE, detail)
