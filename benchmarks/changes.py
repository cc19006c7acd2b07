"""Slight changes to texts and photos, of the kinds that near duplicates show."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageEnhance


def typo(text: str, rng: np.random.Generator) -> str:
    """Leave out, swap or add a letter inside a text."""
    at = int(rng.integers(1, len(text) - 2))
    kind = rng.integers(3)
    if kind == 0:
        return text[:at] + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + chr(97 + int(rng.integers(26))) + text[at:]


def letter_case(text: str, rng: np.random.Generator) -> str:
    """Write a text in capitals, or in the other case."""
    return text.upper() if rng.random() < 0.5 else text.swapcase()


def word(text: str, rng: np.random.Generator) -> str:
    """Put a word before or after a text."""
    if rng.random() < 0.5:
        return f"{text} {rng.choice(['please', 'thanks', 'today', 'now', 'again'])}"
    return f"{rng.choice(['Hi,', 'Hello', 'Please:', 'Ok so'])} {text}"


def punctuation(text: str, rng: np.random.Generator) -> str:
    """End a text otherwise."""
    return text.rstrip("?.!") + str(rng.choice(["!", "...", "??", " ?", ";"]))


def crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Keep nine tenths of the width and height of an image."""
    width, height = (9 * side // 10 for side in image.size)
    left = int(rng.integers(image.width - width + 1))
    top = int(rng.integers(image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def light(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Make an image brighter or darker."""
    return ImageEnhance.Brightness(image).enhance(float(rng.choice([0.8, 1.25])))


def encoding(image: Image.Image, _rng: np.random.Generator) -> Image.Image:
    """Encode an image again, badly."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50)
    return Image.open(io.BytesIO(file.getvalue()))


def size(image: Image.Image, _rng: np.random.Generator) -> Image.Image:
    """Make an image smaller."""
    return image.resize((image.width * 2 // 3, image.height * 2 // 3))


EDITS = (typo, letter_case, word, punctuation)
PICTURES = (crop, light, encoding, size)
