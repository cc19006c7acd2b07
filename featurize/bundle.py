"""The encoder bundle: a folder with one frozen encoder, and the card that says what it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from featurize.errors import BundleError, MismatchError, UsageError
from featurize.storage import canonical_json, pretty_json, sha256_bytes, sha256_file
from featurize.types import Json, Modality

FORMAT = 1
CARD = "encoder.json"
GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"
PREPROCESS = "preprocess.json"
REFERENCE = "reference.npz"
VARIANTS = {"fp16": "model.fp16.onnx", "int8": "model.int8.onnx"}  # by precision, where there are
_PREPARATION = {Modality.TEXT: TOKENIZER, Modality.IMAGE: PREPROCESS}


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """All that decides where a vector lies; two encoders of equal spaces may be mixed.

    `weights` and `preparation` are SHA-256 sums: of the source weights, and of the tokenizer or
    the image preprocessing. `max_length` counts tokens, special ones included; 0 for images.
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

    `prompts` are what its authors put before texts, by the role of the text; `default_prompt` is
    the role of texts for which none is named. They are no part of the vector space.
    """

    name: str
    modality: Modality
    space: VectorSpace
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None

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
        if self.modality is not other.modality:
            raise MismatchError(
                f"{here} and {there} do not go together: {here} is for {self.modality}s, {there} "
                f"for {other.modality}s. Their encoders differ in `modality`.",
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
            "modality": str(self.modality),
            "fingerprint": self.fingerprint,
            "space": asdict(self.space),
        }
        if self.prompts:
            data |= {"prompts": dict(self.prompts), "default_prompt": self.default_prompt}
        return data

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """Read a card and check its fingerprint against its fields."""
        try:
            space = VectorSpace(**data["space"])
            card = cls(
                name=data["name"],
                modality=Modality(data["modality"]),
                space=space,
                prompts=dict(data.get("prompts", {})),
                default_prompt=data.get("default_prompt"),
            )
            stated = data["fingerprint"]
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"This is no encoder card: {error!r} in {data!r}.") from error
        if stated != card.fingerprint:
            raise BundleError(
                f"The encoder card of {card.name!r} states the fingerprint {stated[:12]}, but its "
                f"fields give {card.fingerprint[:12]}: it was changed by hand."
            )
        return card


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle: the card, the hashes of its files and how it was exported."""

    path: Path
    card: EncoderCard
    files: dict[str, str]
    export: Json

    def read(self, name: str) -> bytes:
        """Return the content of a file of the bundle; raise BundleError if it was changed."""
        path = self.path / name
        _require_regular(path)
        data = path.read_bytes()
        if sha256_bytes(data) != self.files[name]:
            raise _changed(path, self.files[name], sha256_bytes(data))
        return data

    @property
    def graph_sha256(self) -> str:
        """Return the SHA-256 of the fp32 ONNX graph."""
        return self.files[GRAPH]

    def graph_for(self, precision: str) -> str:
        """Return the SHA-256 of the graph of a precision; where it is derived, of the fp32 one."""
        return self.files.get(VARIANTS.get(precision, GRAPH), self.graph_sha256)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a bundle and check the SHA-256 of every file before anything parses it."""
        bundle = cls.peek(path)
        for name, expected in bundle.files.items():
            _require_regular(path / name)
            found = sha256_file(path / name)
            if found != expected:
                raise _changed(path / name, expected, found)
        return bundle

    @classmethod
    def peek(cls, path: Path) -> Self:
        """Read the card alone, without checking the files."""
        try:
            data: Json = json.loads((path / CARD).read_bytes())
        except FileNotFoundError:
            raise BundleError(f"{path} is no encoder bundle: it holds no {CARD}.") from None
        except (OSError, ValueError) as error:
            raise BundleError(f"{path / CARD} cannot be read: {error}.") from error
        try:
            found = int(data["format"])
            card, files, export = data["encoder"], dict(data["files"]), dict(data["export"])
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{path / CARD} is no encoder card: {error!r}.") from None
        if found > FORMAT:
            raise BundleError(
                f"{path} has bundle format {found}; this version reads up to {FORMAT}.",
                fix="Upgrade featurize.",
            )
        bundle = cls(path, EncoderCard.from_json(card), files, export)
        bundle._require_files()
        return bundle

    def _require_files(self) -> None:
        """Refuse a card that names other files than its modality has, or another preparation."""
        preparation = _PREPARATION[self.card.modality]
        required = {GRAPH, preparation}
        known = required | {REFERENCE, *VARIANTS.values()}
        if not required <= self.files.keys() <= known:
            raise BundleError(
                f"{self.path / CARD} names the files {', '.join(sorted(self.files))}; "
                f"{', '.join(sorted(required))} are expected, and of others at most "
                f"{', '.join(sorted(known - required))}."
            )
        if self.files[preparation] != self.card.space.preparation:
            raise BundleError(
                f"{self.path / preparation} is not the one its fingerprint stands for.",
                fix="Export the bundle again.",
            )


def _short(value: object) -> str:
    return str(value)[:24]


def write_card(folder: Path, card: EncoderCard, export: Json) -> None:
    """Write the card of a bundle whose other files are all in place."""
    others = sorted(file for file in folder.iterdir() if file.name != CARD)
    files = {file.name: sha256_file(file) for file in others}
    data: dict[str, Any] = {
        "format": FORMAT,
        "encoder": card.to_json(),
        "files": files,
        "export": export,
    }
    (folder / CARD).write_bytes(pretty_json(data))


def _require_regular(path: Path) -> None:
    """Raise BundleError for a link or a missing file."""
    if path.is_symlink() or not path.is_file():
        raise BundleError(f"{path} is missing or no regular file.", fix="Export the bundle again.")


def _changed(path: Path, expected: str, found: str) -> BundleError:
    return BundleError(
        f"{path} is not the file that was exported: SHA-256 {str(expected)[:12]} expected, "
        f"{found[:12]} found.",
        fix="Remove the bundle and export it again.",
    )
