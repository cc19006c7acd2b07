"""An image file as a viewer shows it: what references are fed with.

It shares no line with the decoding of the product, so that a mistake on either side is a
difference.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image


def view(content: str | bytes) -> Image:
    """Decode an image file to upright RGB, as it looks on a white page."""
    from PIL import Image, ImageOps

    assert isinstance(content, bytes)
    with Image.open(io.BytesIO(content)) as file:
        return _rgb(ImageOps.exif_transpose(file))


def middle(image: Image) -> Image:
    """Cut an image that is over eight times as long as it is wide to its middle."""
    width, height = image.size
    if width > 8 * height:
        image = image.crop((cut := (width - 8 * height) // 2, 0, width - cut, height))
    if height > 8 * width:
        image = image.crop((0, cut := (height - 8 * width) // 2, width, height - cut))
    return image


def _rgb(image: Image) -> Image:
    """Convert to RGB; 16-bit grey keeps its high byte."""
    from PIL import Image as Pillow

    if image.mode.startswith("I"):
        return Pillow.fromarray((np.array(image) // 256).astype(np.uint8)).convert("RGB")
    if image.mode in {"L", "RGB", "CMYK", "1"} or (
        image.mode == "P" and "transparency" not in image.info
    ):
        return image.convert("RGB")
    page = Pillow.new("RGBA", image.size, "white")
    page.alpha_composite(image.convert("RGBA"))
    return page.convert("RGB")
