"""Searcher: asks an index with raw texts and images, through the encoder that made it."""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path
from typing import Any

from downstream.index import Hit, VectorIndex
from featurize.bundle import Bundle
from featurize.catalog import find_by_fingerprint, resolve
from featurize.config import Precision, check_device, choose
from featurize.encoder import Encoder
from featurize.errors import FeaturizeError, IndexFileError, InputRejected, UsageError
from featurize.types import Modality

_ASK = {
    Modality.TEXT: "This index holds texts; ask it with a text.",
    Modality.IMAGE: "This index holds images; give --image FILE.",
}


class Searcher:
    """An index and, from the first query on that needs it, its encoder.

    `encoder` names a bundle as `catalog.resolve` takes it; without it, the bundle is the one that
    the index records, else one of the same vector space from the cache.
    """

    def __init__(
        self,
        index: VectorIndex,
        encoder: str | None = None,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        check_device(device)
        self.index = index
        self._name = encoder
        self._device = device
        self._precision = choose(Precision, precision, "precision")

    def text(self, query: str, k: int = 10) -> list[Hit]:
        """Return the `k` rows nearest to a text; raise UsageError where the index holds images."""
        return self._ask(Modality.TEXT, query, k)

    def image(self, path: str | Path, k: int = 10) -> list[Hit]:
        """Return the `k` rows nearest to an image; raise UsageError where the index holds texts."""
        if not Path(path).is_file():
            raise UsageError(f"--image {path}: there is no such file.")
        return self._ask(Modality.IMAGE, Path(path), k)

    def id(self, id: str, k: int = 10) -> list[Hit]:
        """Return the `k` rows nearest to a row of the index; no encoder is loaded."""
        return self.index.search_id(id, k)

    @cached_property
    def encoder(self) -> Encoder:
        """Load the encoder of the queries; raise MismatchError for one of another vector space."""
        bundle = self._bundle()
        self.index.encoder.require_same_space(bundle.card, here="the index", there="the encoder")
        return Encoder.open(bundle, device=self._device, precision=self._precision)

    def _ask(self, modality: Modality, query: Any, k: int) -> list[Hit]:
        if self.index.encoder.modality is not modality:
            raise UsageError(_ASK[self.index.encoder.modality])
        try:
            vectors = self.encoder.encode([query])
        except InputRejected as rejection:
            raise UsageError(f"The query cannot be encoded: {rejection}.") from rejection
        return self.index.search(vectors, k)[0]

    def _bundle(self) -> Bundle:
        if self._name is not None:
            return resolve(self._name)
        if recorded := self.index.origin["bundle"]:
            # it may have moved since, or stand for another model by now: then the cache is asked
            with contextlib.suppress(FeaturizeError):
                bundle = resolve(recorded)
                if bundle.card.fingerprint == self.index.encoder.fingerprint:
                    return bundle
        if (found := find_by_fingerprint(self.index.encoder.fingerprint)) is not None:
            return found
        card = self.index.encoder
        raise IndexFileError(
            f"The encoder {card.name!r} with fingerprint {card.fingerprint[:12]} that made this "
            f"index is not found{f' at {recorded}' if recorded else ''}.",
            fix="Name it with --encoder.",
        )
