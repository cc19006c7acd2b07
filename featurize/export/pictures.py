"""Image files of many sizes, modes and formats, drawn the same way every time."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_SIZES = (
    (1, 1),
    (2, 2),
    (1, 300),
    (300, 1),
    (17, 31),
    (223, 224),
    (224, 224),
    (225, 223),
    (255, 256),
    (256, 256),
    (257, 301),
    (512, 384),
    (384, 512),
    (2000, 50),
    (50, 2000),
    (401, 50),
    (1001, 333),
    (640, 481),
)
_MODES = ("L", "LA", "RGBA", "P", "CMYK", "1")
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_ORIENTATION = 0x0112


def reference_pictures() -> list[bytes]:
    """Return about 40 image files."""
    return [
        *(_file(_draw(width, height), "PNG") for width, height in _SIZES),
        *(_file(_draw(300, 200).convert(mode), _format(mode)) for mode in _MODES),
        *(_file(_draw(260, 180), format) for format in _FORMATS),
        *(_turned(orientation) for orientation in range(1, 9)),
        _see_through(),
        _clear_colour(),
        _sixteen_bits(),
    ]


def _format(mode: str) -> str:
    return "TIFF" if mode == "CMYK" else "PNG"


def _values(width: int, height: int) -> NDArray[np.uint8]:
    """Return a colour gradient with a texture (height, width, 3), in whole numbers throughout."""
    y, x = np.mgrid[0:height, 0:width]
    red = x * 255 // max(1, width - 1)
    green = y * 255 // max(1, height - 1)
    blue = (x * x // 7 + y * y // 5 + x * y) % 256
    return np.stack([red, green, blue], axis=2).astype(np.uint8)


def _draw(width: int, height: int) -> Image:
    from PIL import Image

    return Image.fromarray(_values(width, height))


def _file(image: Image, format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


def _turned(orientation: int) -> bytes:
    """Return a photograph that says how the camera was held."""
    image = _draw(180, 120)
    exif = image.getexif()
    exif[_ORIENTATION] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif, quality=90)
    return buffer.getvalue()


def _see_through() -> bytes:
    """Return a picture whose opacity falls from left to right."""
    image = _draw(256, 128).convert("RGBA")
    image.putalpha(_draw(256, 128).getchannel(0))
    return _file(image, "PNG")


def _clear_colour() -> bytes:
    """Return a palette picture with one transparent colour."""
    buffer = io.BytesIO()
    _draw(120, 90).quantize(16).save(buffer, "GIF", transparency=3)
    return buffer.getvalue()


def _sixteen_bits() -> bytes:
    """Return a picture of 65,536 grey levels."""
    from PIL import Image

    levels = _values(200, 150)[:, :, 0].astype(np.uint16) * 257
    return _file(Image.fromarray(levels), "PNG")
