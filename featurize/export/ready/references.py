"""The reference: the given file run on one input at a time.

What is done before and after is written down a second time here, in numpy, and shares no line
with the product, so that a mistake on either side is a difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize.export.candidate import Contents
from featurize.export.ready.original import Original
from featurize.export.viewing import middle, view

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from featurize.export.ready.image_use import ImageUse
    from featurize.export.ready.text_use import TextUse


@dataclass(frozen=True, slots=True)
class ImageReference:
    """How the makers of a file feed it with images, and what they take from it."""

    original: Original
    use: ImageUse

    def encode(self, contents: Contents, role: str | None) -> NDArray[np.float32]:  # noqa: ARG002
        """Return vectors (n, dim) float32 of image files, which have no prompts."""
        rows = [self._vector(content) for content in contents]
        return np.stack(rows).astype(np.float32)

    def _vector(self, content: str | bytes) -> NDArray[np.float64]:
        use = self.use
        values = (self._square(content) - np.array(use.mean)) / np.array(use.std)
        values = values[..., ::-1] if use.reverse else values
        values = values if use.last else np.moveaxis(values, 2, 0)
        found = self.original.run({use.input: values[None].astype(np.float32)}, use.output)
        if use.pooled:
            found = found.mean(tuple(axis - 1 for axis in use.pooled))
        found = found.ravel()
        return _unit(found) if use.normalize else found

    def _square(self, content: str | bytes) -> NDArray[np.float64]:
        """Return the middle of an image, (side, side, 3) from 0 to 255."""
        from PIL import Image

        shorter, side = self.use.resize, self.use.crop
        image = middle(view(content))
        longer = shorter * max(image.size) // min(image.size)
        size = (longer, shorter) if image.width > image.height else (shorter, longer)
        grid = np.array(image.resize(size, Image.Resampling[self.use.resample.upper()]))
        top, left = (grid.shape[0] - side) // 2, (grid.shape[1] - side) // 2
        return grid[top : top + side, left : left + side].astype(np.float64)


@dataclass(frozen=True)
class TextReference:
    """How the makers of a file feed it with texts, and what they take from it."""

    original: Original
    tokenizer: Path
    use: TextUse

    def encode(self, contents: Contents, role: str | None) -> NDArray[np.float32]:
        """Return vectors (n, dim) float32 of texts, none of them padded."""
        role = self.use.default_prompt if role is None else role
        prompt = self.use.prompts[role] if role else ""
        rows = [self._vector(self.token_ids(prompt + str(content))) for content in contents]
        return np.stack(rows).astype(np.float32)

    def token_ids(self, text: str) -> list[int]:
        """Return the ids of a text, as many as are read."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self.tokenizer))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.use.max_length)
        return tokenizer

    def _vector(self, ids: list[int]) -> NDArray[np.float64]:
        row = np.array([ids], dtype=np.int64)
        inputs = {"input_ids": row, "attention_mask": np.ones((1, len(ids)), dtype=np.int64)}
        if self.use.types:
            inputs["token_type_ids"] = np.zeros((1, len(ids)), dtype=np.int64)
        found = self.original.run(inputs, self.use.output)
        match self.use.pooling:
            case "mean":
                found = found.sum(0) / len(ids)
            case "max":
                found = found.max(0)
            case "cls":
                found = found[0]
            case "lasttoken":
                found = found[-1]
        return _unit(found) if self.use.normalize else found


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.sqrt((vector**2).sum())
    return vector / length if length else vector
