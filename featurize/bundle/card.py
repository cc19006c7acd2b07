"""The card of an encoder: what it is, whose vectors may be mixed with others and whose not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Self

from featurize.errors import BundleError, MismatchError, UsageError
from featurize.storage import canonical_json, sha256_bytes
from featurize.types import Json, Modalities, kinds, read_modalities


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """All that decides where a vector lies; two encoders of equal spaces may be mixed.

    `weights` and `preparation` are SHA-256 sums: of the source weights, and of the tokenizer, the
    image preprocessing, or both. `max_length` counts tokens, special ones included; 0 for images.
    """

    weights: str
    preparation: str
    architecture: str
    pooling: str
    normalize: bool
    max_length: int
    dim: int

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of all fields."""
        return sha256_bytes(canonical_json(asdict(self)))


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """The identity of an encoder, as tables, heads and indexes carry it.

    `modalities` are what it takes; both share one vector space where it takes both. `prompts` are
    what its authors put before texts, by the role of the text; `default_prompt` is the role of
    texts for which none is named. `logit_scale` is what cosines are multiplied with before a
    softmax over texts, where two towers were trained so. They are no part of the vector space.
    """

    name: str
    modalities: Modalities
    space: VectorSpace
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    logit_scale: float | None = None

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return self.space.dim

    @property
    def fingerprint(self) -> str:
        """Return the identity of the vector space."""
        return self.space.fingerprint

    def with_dim(self, dim: int) -> EncoderCard:
        """Return the card of the first `dim` dimensions; raise UsageError for an impossible one."""
        if dim == self.dim:
            return self
        if not 1 <= dim < self.dim:
            raise UsageError(f"--dim {dim} is not possible: {self.name} has {self.dim} dimensions.")
        return replace(self, space=replace(self.space, dim=dim))

    def shortened_like(self, other: EncoderCard) -> EncoderCard:
        """Return the card of as many dimensions as another has, where it has fewer."""
        return self.with_dim(min(self.dim, other.dim))

    def require_same_space(self, other: EncoderCard, *, here: str, there: str) -> None:
        """Raise MismatchError, naming the field that differs, unless both share a vector space."""
        if self.modalities != other.modalities:
            raise MismatchError(
                f"{here} and {there} do not go together: {here} is for {kinds(self.modalities)}, "
                f"{there} for {kinds(other.modalities)}. Their encoders differ in `modality`.",
                fix="Use both with texts, or both with images.",
            )
        mine, theirs = asdict(self.space), asdict(other.space)
        for name, value in mine.items():
            if value != theirs[name]:
                raise MismatchError(
                    f"Vectors of {here} and {there} must not meet: their encoders differ in "
                    f"`{name}` ({here}: {_short(value)}, {there}: {_short(theirs[name])}).",
                    fix=f"Make both with one encoder: {self.name!r} ({self.fingerprint[:12]}) or "
                    f"{other.name!r} ({other.fingerprint[:12]}).",
                )

    def to_json(self) -> Json:
        """Return the card as plain JSON values."""
        data: Json = {
            "name": self.name,
            "modality": "+".join(self.modalities),
            "fingerprint": self.fingerprint,
            "space": asdict(self.space),
        }
        if self.prompts:
            data |= {"prompts": dict(self.prompts), "default_prompt": self.default_prompt}
        if self.logit_scale is not None:
            data["logit_scale"] = self.logit_scale
        return data

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """Read a card and check its fingerprint against its fields."""
        try:
            card = cls(
                name=data["name"],
                modalities=read_modalities(str(data["modality"])),
                space=VectorSpace(**data["space"]),
                prompts=dict(data.get("prompts", {})),
                default_prompt=data.get("default_prompt"),
                logit_scale=data.get("logit_scale"),
            )
            stated = data["fingerprint"]
            _require_prompts(card)
            _require_scale(card.logit_scale)
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"This is no encoder card: {error!r} in {data!r}.") from error
        if stated != card.fingerprint:
            raise BundleError(
                f"The encoder card of {card.name!r} states the fingerprint {stated[:12]}, but its "
                f"fields give {card.fingerprint[:12]}: it was changed by hand."
            )
        return card


def _require_prompts(card: EncoderCard) -> None:
    """Raise ValueError unless prompts are texts by role, and the default is one of them."""
    if not all(isinstance(part, str) for pair in card.prompts.items() for part in pair):
        raise ValueError(f"prompts are {dict(card.prompts)!r}, expected texts by role")
    if card.default_prompt is not None and card.default_prompt not in card.prompts:
        raise ValueError(f"the default prompt {card.default_prompt!r} is none of the prompts")


def _require_scale(scale: object) -> None:
    """Raise ValueError unless a scale is a number over 0, or None."""
    if scale is not None and not (isinstance(scale, float) and 0 < scale < math.inf):
        raise ValueError(f"the logit scale is {scale!r}")


def _short(value: object) -> str:
    return str(value)[:24]
