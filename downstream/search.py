"""Searcher: asks an index with raw texts and images, through the encoder that made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from downstream.index import Hit, VectorIndex
from downstream.queries import Origin, QueryEncoder
from featurize.config import Prompt
from featurize.encoder import Encoder
from featurize.errors import IndexFileError, InputRejected, UsageError
from featurize.types import Modality

_ASK = {
    Modality.TEXT: "This index holds texts; ask it with a text.",
    Modality.IMAGE: "This index holds images; give --image FILE.",
}


_INSTEAD = {
    Modality.TEXT: "Give a shorter text, or one without broken characters.",
    Modality.IMAGE: "Give another image, or save this one anew, as PNG or JPEG.",
}


class Searcher:
    """An index and, from the first query on that needs it, its encoder.

    The options are those of `QueryEncoder`; a wrong one is refused at once.
    """

    def __init__(
        self,
        index: VectorIndex,
        encoder: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        prompt: str | None = None,
    ) -> None:
        self.index = index
        self._asked_prompt = prompt
        self._queries = QueryEncoder(_origin(index), encoder, device, precision, prompt)

    def text(self, query: str, k: int = 10) -> list[Hit]:
        """Return the `k` rows nearest to a text.

        Raises UsageError for a blank one, and where the index holds images.
        """
        if not query.strip():
            raise UsageError("The query is empty.", fix="Give a text to search for.")
        return self._ask(Modality.TEXT, query, k)

    def image(self, path: str | Path, k: int = 10) -> list[Hit]:
        """Return the `k` rows nearest to an image; raise UsageError where the index holds texts."""
        if self._asked_prompt is not None:
            raise UsageError("--prompt goes with a text to search for, not with an image.")
        if not Path(path).is_file():
            raise UsageError(f"--image {path}: there is no such file.", fix="Check its path.")
        return self._ask(Modality.IMAGE, Path(path), k)

    def id(self, id: str, k: int = 10) -> list[Hit]:
        """Return the `k` rows nearest to a row of the index; no encoder is loaded."""
        if self._asked_prompt is not None:
            raise UsageError("--prompt goes with a text to search for, not with the id of a row.")
        return self.index.search_id(id, k)

    @property
    def prompt(self) -> Prompt | None:
        """Return what is put before a text that is asked for."""
        return self._queries.prompt

    @property
    def encoder(self) -> Encoder:
        """Return the encoder of the queries, loading it once; see `QueryEncoder.encoder`."""
        return self._queries.encoder

    def _ask(self, modality: Modality, query: Any, k: int) -> list[Hit]:
        if modality not in self.index.encoder.modalities:
            raise UsageError(_ASK[self.index.encoder.modalities[0]])
        try:
            vectors = self.encoder.encode([query])
        except InputRejected as rejection:
            raise UsageError(
                f"The query cannot be encoded: {rejection}.", fix=_INSTEAD[modality]
            ) from rejection
        return self.index.search(vectors, k)[0]


def _origin(index: VectorIndex) -> Origin:
    return Origin(
        index.encoder,
        index.origin,
        "index",
        IndexFileError,
        "embed the source again in fp32 and index that",
    )
