"""Texts and images side by side, for encoders of two towers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from featurize.errors import InputRejected
from featurize.processors.decoding import is_image
from featurize.processors.image import ImageProcessor
from featurize.processors.text import TextProcessor
from featurize.types import Modality, Piece, RejectReason, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WINDOW = 512  # the pixels of so many images are held at once: 77 MB at 224 x 224
_CHUNK_BYTES = 16 << 20  # a hundred images, or texts that make a hundred thousand windows


class TwinProcessor:
    """Prepares a content as its type says: `str` is a text, `bytes` are an image file.

    Columns are those of both, null where they say nothing of an input, and `modality`. An image
    costs as many tokens as fill a batch with the images that a batch of images alone holds.
    """

    content_column: str | None = "text"
    window = _WINDOW
    chunk_bytes = _CHUNK_BYTES

    def __init__(self, texts: TextProcessor, images: ImageProcessor) -> None:
        self._texts = texts
        self._images = images
        self.columns = {"modality": "string"} | texts.columns | images.columns
        self.budget = texts.budget
        self._cost = texts.budget // images.budget

    def admit(self, value: Any) -> str | bytes:
        """Return a text as it is, and the bytes of an image given as path, bytes or PIL image.

        Every `str` is a text: the path of an image is a `Path`.
        """
        return self._texts.admit(value) if isinstance(value, str) else self._images.admit(value)

    def prepare(self, contents: Sequence[str | bytes]) -> list[Sample | InputRejected]:
        """Prepare texts and images one by one; a bad one becomes its rejection, in its place."""
        texts = [content for content in contents if isinstance(content, str)]
        images = [content for content in contents if isinstance(content, bytes)]
        read = iter(self._texts.prepare(texts))
        seen = iter(self._images.prepare(images))
        return [
            next(read) if isinstance(content, str) else self._weighed(next(seen))
            for content in contents
        ]

    def pieces(
        self, content: str | bytes, sample: Sample, on_window: Callable[[], None]
    ) -> list[Piece]:
        """Return what becomes rows of a content; raise InputRejected.

        Texts that are image files, byte for byte, are refused: rows of equal content share a
        vector.
        """
        if isinstance(content, bytes):
            pieces, modality = self._images.pieces(content, sample, on_window), Modality.IMAGE
        else:
            pieces, modality = self._texts.pieces(content, sample, on_window), Modality.TEXT
            if any(is_image(piece.window or content) for piece in pieces):
                detail = "an image where a text is expected"
                raise InputRejected(RejectReason.UNSUPPORTED, detail)
        return [
            replace(piece, columns={"modality": str(modality), **piece.columns}) for piece in pieces
        ]

    def collate(self, samples: Sequence[Sample]) -> dict[str, NDArray[np.generic]]:
        """Stack samples of one kind into the inputs of their tower."""
        tower = self._images if "pixels" in samples[0].features else self._texts
        return tower.collate(samples)

    def _weighed(self, image: Sample | InputRejected) -> Sample | InputRejected:
        return replace(image, cost=self._cost) if isinstance(image, Sample) else image
