"""Raw content to the arrays a graph takes. Besides `sources`, only this floor knows modalities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from featurize.bundle import PREPROCESS, TOKENIZER, Bundle
from featurize.config import Overflow, Reading
from featurize.processors.image import ImageProcessor
from featurize.processors.long_text import LongTextProcessor
from featurize.processors.preprocessing import Preprocessing
from featurize.processors.text import TextProcessor, load_tokenizer
from featurize.processors.twin import TwinProcessor
from featurize.types import Modality, Piece, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from featurize.errors import InputRejected


class Processor(Protocol):
    """Prepares contents for an encoder.

    `columns` names the columns it adds to a table with their Arrow types, `content_column` the one
    of them that holds the content itself, `window` how many contents are prepared before batches
    are formed, `budget` how much cost goes into a batch on a CPU, `chunk_bytes` how much content
    into a chunk.
    """

    columns: dict[str, str]
    content_column: str | None
    window: int
    budget: int
    chunk_bytes: int

    def admit(self, value: Any) -> str | bytes:
        """Turn what a caller of `Encoder.encode` passed into content; raise TypeError else."""

    def prepare(self, contents: Sequence[str | bytes]) -> list[Sample | InputRejected]:
        """Prepare contents one by one; a bad one becomes its rejection, in its place."""

    def pieces(
        self, content: str | bytes, sample: Sample, on_window: Callable[[], None]
    ) -> list[Piece]:
        """Return what becomes rows of a content whose sample is given; raise InputRejected.

        `on_window` is called for every window of a long text.
        """

    def collate(self, samples: Sequence[Sample]) -> dict[str, NDArray[np.generic]]:
        """Stack samples of equal kind and cost into the graph's inputs."""


def open_processor(bundle: Bundle, reading: Reading) -> Processor:
    """Build the processor that a bundle's card asks for."""
    match bundle.card.modalities:
        case (Modality.TEXT,):
            return _open_texts(bundle, reading)
        case (Modality.IMAGE,):
            return _open_images(bundle)
    return TwinProcessor(_open_texts(bundle, reading), _open_images(bundle))


def _open_texts(bundle: Bundle, reading: Reading) -> TextProcessor:
    tokenizer = load_tokenizer(bundle.path / TOKENIZER)
    reads = LongTextProcessor if reading.overflow is Overflow.CHUNK else TextProcessor
    return reads(tokenizer, bundle.card.space.max_length, reading)


def _open_images(bundle: Bundle) -> ImageProcessor:
    return ImageProcessor(Preprocessing.load(bundle.path / PREPROCESS))
