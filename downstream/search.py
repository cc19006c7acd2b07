"""Searcher: asks an index with raw texts and images, through the encoder that made it."""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path
from typing import Any

from downstream.index import Hit, VectorIndex
from featurize.bundle import Bundle
from featurize.catalog import find, find_equal, resolve
from featurize.config import Precision, Prompt, Reading, RuntimeName, check_device, choose
from featurize.encoder import Encoder
from featurize.errors import (
    FeaturizeError,
    IndexFileError,
    InputRejected,
    MismatchError,
    RuntimeUnavailable,
    UsageError,
)
from featurize.known import check_fidelity
from featurize.prompts import choose_prompt, query_prompt
from featurize.types import Modality

FAITHFUL = 0.999
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

    `encoder` names a bundle as `catalog.resolve` takes it; without it, the bundle is the one that
    the index records, as `catalog.find` takes it, else one of the same vector space from the cache.
    Vectors whose cosine to the original's is under 0.999 are asked in their own runtime and
    precision; another `precision` is a UsageError. `prompt` is put before texts that are asked for;
    without it, the one that goes with the index's texts, as `prompts.query_prompt` says.
    """

    def __init__(
        self,
        index: VectorIndex,
        encoder: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        prompt: str | None = None,
    ) -> None:
        check_device(device)
        self.index = index
        self._asked_prompt = prompt
        self._name = encoder
        self._device = device
        asked = choose(Precision, precision, "precision")
        self._is_free = _cosine(index) >= FAITHFUL
        self._runtime, self._precision = RuntimeName.AUTO, asked
        if not self._is_free:
            self._runtime, self._precision = _own_way(index, asked)

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
        card = self.index.encoder
        if self._asked_prompt is not None:
            return choose_prompt(card, self._asked_prompt)
        return query_prompt(card, (self.index.origin.get("variant") or {}).get("prompt"))

    @cached_property
    def encoder(self) -> Encoder:
        """Load the encoder of the queries.

        Raises MismatchError for one of another vector space, UsageError for one in whose precision
        queries are not faithful enough, RuntimeUnavailable where the index's cannot be computed.
        """
        bundle = self._named() or self._recorded()
        try:
            encoder = Encoder.open(
                bundle,
                device=self._device,
                runtime=self._runtime,
                precision=self._precision,
                reading=Reading(prompt=self.prompt),
                dim=self.index.encoder.dim,
            )
            cosine = check_fidelity(encoder)
        except RuntimeUnavailable as error:
            if self._is_free:
                raise
            raise RuntimeUnavailable(
                f"{error.message} The index was made in {self._precision} and is asked in it.",
                fix="Search where that can be computed, with --device auto; or embed the source "
                "again in fp32 and index that.",
            ) from error
        if self._is_free and cosine < FAITHFUL:
            raise UsageError(
                f"Queries in {encoder.runtime.precision} have a cosine of {cosine:.4f} to the "
                f"original's; {FAITHFUL} or more is expected.",
                fix="Leave out the precision.",
            )
        return encoder

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

    def _named(self) -> Bundle | None:
        """Return the bundle that was asked for, if one was."""
        if self._name is None:
            return None
        bundle, card = resolve(self._name), self.index.encoder
        try:
            shortened = bundle.card.shortened_like(card)
            card.require_same_space(shortened, here="the index", there="the encoder")
        except MismatchError as error:
            raise MismatchError(
                error.message,
                fix=f"Leave out --encoder: the index was made with {card.name!r} "
                f"({card.fingerprint[:12]}).",
            ) from None
        return bundle

    def _recorded(self) -> Bundle:
        """Return the bundle that the index records, or its equal; nothing is downloaded for it."""
        card, recorded = self.index.encoder, self.index.origin["bundle"]
        # it may have moved since, or stand for another model by now: then the cache is asked
        with contextlib.suppress(FeaturizeError, OSError, RuntimeError):
            bundle = find(recorded) if isinstance(recorded, str) else None
            if bundle and bundle.card.shortened_like(card).fingerprint == card.fingerprint:
                return bundle
        if (found := find_equal(card)) is not None:
            return found
        raise IndexFileError(
            f"The encoder {card.name!r} with fingerprint {card.fingerprint[:12]} that made this "
            f"index is not found{f' at {recorded}' if recorded else ''}.",
            fix="Name it with --encoder.",
        )


def _cosine(index: VectorIndex) -> float:
    """Return the least cosine of the index's vectors to the original's."""
    return float((index.origin.get("variant") or {}).get("cosine", 1.0))


def _own_way(index: VectorIndex, asked: Precision) -> tuple[RuntimeName, Precision]:
    """Return runtime and precision of an index whose vectors only the same way comes near."""
    variant = index.origin["variant"]
    if asked not in {Precision.AUTO, variant["precision"]}:
        raise UsageError(
            f"The index's vectors were computed in {variant['precision']}, at a cosine of "
            f"{_cosine(index):.4f} to the original's; queries in {asked} need {FAITHFUL} or more.",
            fix=f"Leave out the precision, or give {variant['precision']!r}.",
        )
    return RuntimeName(variant["runtime"]), Precision(variant["precision"])
