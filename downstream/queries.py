"""The encoder that made the vectors of an index or a table, opened for what is to meet them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property

from downstream.index.origin import FAITHFUL
from featurize.bundle import Bundle, EncoderCard
from featurize.catalog import find, find_equal, resolve
from featurize.config import Precision, Prompt, Reading, RuntimeName, check_device, choose
from featurize.encoder import Encoder
from featurize.errors import FeaturizeError, MismatchError, RuntimeUnavailable, UsageError
from featurize.known import check_fidelity
from featurize.prompts import choose_prompt, query_prompt
from featurize.types import Json


@dataclass(frozen=True, slots=True)
class Origin:
    """How vectors were made: with the encoder of a card, found in a `bundle`, as a `variant` says.

    `noun` names what holds them, `error` is its kind of error, `remake` is what makes it again.
    """

    card: EncoderCard
    stated: Json
    noun: str
    error: type[FeaturizeError]
    remake: str

    @property
    def variant(self) -> Json:
        """Return runtime, precision, prompt and cosine, as far as they were recorded."""
        return self.stated.get("variant") or {}

    @property
    def cosine(self) -> float:
        """Return the least cosine of the vectors to the original's."""
        return float(self.variant.get("cosine", 1.0))


class QueryEncoder:
    """The encoder of queries, loaded when it is first needed.

    `encoder` names a bundle as `catalog.resolve` takes it; without it, the bundle is the one that
    was recorded, as `catalog.find` takes it, else one of the same vector space from the cache.
    Vectors whose cosine to the original's is under 0.999 are asked in their own runtime and
    precision; another `precision` is a UsageError. `prompt` is put before texts; without it, the
    one that goes with the texts that were embedded, as `prompts.query_prompt` says.
    """

    def __init__(
        self,
        origin: Origin,
        encoder: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        prompt: str | None = None,
    ) -> None:
        check_device(device)
        self._origin = origin
        self._asked_prompt = prompt
        self._name = encoder
        self._device = device
        asked = choose(Precision, precision, "precision")
        self._is_free = origin.cosine >= FAITHFUL
        self._runtime, self._precision = RuntimeName.AUTO, asked
        if not self._is_free:
            self._runtime, self._precision = _own_way(origin, asked)

    @property
    def prompt(self) -> Prompt | None:
        """Return what is put before a text."""
        if self._asked_prompt is not None:
            return choose_prompt(self._origin.card, self._asked_prompt)
        return query_prompt(self._origin.card, self._origin.variant.get("prompt"))

    @cached_property
    def encoder(self) -> Encoder:
        """Load the encoder.

        Raises MismatchError for one of another vector space, UsageError for one in whose precision
        queries are not faithful enough, RuntimeUnavailable where that of the vectors cannot be
        computed, the origin's error where no bundle is found.
        """
        bundle = self._named() or self._recorded()
        try:
            encoder = Encoder.open(
                bundle,
                device=self._device,
                runtime=self._runtime,
                precision=self._precision,
                reading=Reading(prompt=self.prompt),
                dim=self._origin.card.dim,
            )
            cosine = check_fidelity(encoder)
        except RuntimeUnavailable as error:
            if self._is_free:
                raise
            raise RuntimeUnavailable(
                f"{error.message} The {self._origin.noun} was made in {self._precision} and is "
                "asked in it.",
                fix=f"Ask where that can be computed, with --device auto; or "
                f"{self._origin.remake}.",
            ) from error
        if self._is_free and cosine < FAITHFUL:
            raise UsageError(
                f"Queries in {encoder.runtime.precision} have a cosine of {cosine:.4f} to the "
                f"original's; {FAITHFUL} or more is expected.",
                fix="Leave out the precision.",
            )
        return encoder

    def _named(self) -> Bundle | None:
        """Return the bundle that was asked for, if one was."""
        if self._name is None:
            return None
        bundle, card, noun = resolve(self._name), self._origin.card, self._origin.noun
        try:
            shortened = bundle.card.shortened_like(card)
            card.require_same_space(shortened, here=f"the {noun}", there="the encoder")
        except MismatchError as error:
            raise MismatchError(
                error.message,
                fix=f"Leave out --encoder: the {noun} was made with {card.name!r} "
                f"({card.fingerprint[:12]}).",
            ) from None
        return bundle

    def _recorded(self) -> Bundle:
        """Return the bundle that was recorded, or its equal; nothing is downloaded for it."""
        card, recorded = self._origin.card, self._origin.stated.get("bundle")
        # it may have moved since, or stand for another model by now: then the cache is asked
        with contextlib.suppress(FeaturizeError, OSError, RuntimeError):
            bundle = find(recorded) if isinstance(recorded, str) else None
            if bundle and bundle.card.shortened_like(card).fingerprint == card.fingerprint:
                return bundle
        if (found := find_equal(card)) is not None:
            return found
        raise self._origin.error(
            f"The encoder {card.name!r} with fingerprint {card.fingerprint[:12]} that made this "
            f"{self._origin.noun} is not found{f' at {recorded}' if recorded else ''}.",
            fix="Name it with --encoder.",
        )


def _own_way(origin: Origin, asked: Precision) -> tuple[RuntimeName, Precision]:
    """Return runtime and precision of vectors that only the same way comes near."""
    variant = origin.variant
    if asked not in {Precision.AUTO, variant["precision"]}:
        raise UsageError(
            f"The {origin.noun}'s vectors were computed in {variant['precision']}, at a cosine of "
            f"{origin.cosine:.4f} to the original's; queries in {asked} need {FAITHFUL} or more.",
            fix=f"Leave out the precision, or give {variant['precision']!r}.",
        )
    return RuntimeName(variant["runtime"]), Precision(variant["precision"])
