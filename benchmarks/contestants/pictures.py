"""Image files as EfficientNet-Lite0 is fed, with Pillow, written down apart from the product."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageOps


def square(data: bytes) -> Any:
    """Decode, turn upright, resize the shorter side to 256, crop; (224, 224, 3) uint8."""
    with Image.open(io.BytesIO(data)) as file:
        image = ImageOps.exif_transpose(file).convert("RGB")
    factor = 256 / min(image.size)
    width, height = (max(256, int(factor * side)) for side in image.size)
    left, top = (width - 224) // 2, (height - 224) // 2
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized.crop((left, top, left + 224, top + 224)))


def scaled(squares: list[Any]) -> Any:
    """Stack squares as the network takes them; (n, 3, 224, 224) float32."""
    grid = np.stack(squares).transpose(0, 3, 1, 2)
    return np.ascontiguousarray((grid.astype(np.float32) - 127.0) / 128.0)
