"""The encoder bundle: a folder with one frozen encoder, and the card that says what it is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from featurize.errors import BundleError, MismatchError
from featurize.storage import canonical_json, pretty_json, sha256_bytes, sha256_file
from featurize.types import Json, Modality

FORMAT = 1
CARD = "encoder.json"
GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"
PREPROCESS = "preprocess.json"
REFERENCE = "reference.npz"


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
    """The identity of an encoder, as tables, heads and indexes carry it."""

    name: str
    modality: Modality
    space: VectorSpace

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return self.space.dim

    @property
    def fingerprint(self) -> str:
        """Return the identity of the vector space."""
        return self.space.fingerprint

    def require_same_space(self, other: EncoderCard, *, here: str, there: str) -> None:
        """Raise MismatchError, naming the field that differs, unless both share a vector space."""
        mine, theirs = asdict(self.space), asdict(other.space)
        for field, value in mine.items():
            if value != theirs[field]:
                raise MismatchError(
                    f"Vectors of {here} and {there} must not meet: their encoders differ in "
                    f"`{field}` ({here}: {value}, {there}: {theirs[field]}).",
                    fix=f"Use the encoder {other.name!r} with fingerprint {other.fingerprint[:12]} "
                    f"on both sides.",
                )

    def to_json(self) -> Json:
        """Return the card as plain JSON values."""
        return {
            "name": self.name,
            "modality": str(self.modality),
            "fingerprint": self.fingerprint,
            "space": asdict(self.space),
        }

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """Read a card and check its fingerprint against its fields."""
        try:
            space = VectorSpace(**data["space"])
            card = cls(name=data["name"], modality=Modality(data["modality"]), space=space)
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

    @property
    def graph(self) -> Path:
        """Return the path of the fp32 ONNX graph."""
        return self.path / GRAPH

    @property
    def graph_sha256(self) -> str:
        """Return the SHA-256 of the fp32 ONNX graph."""
        return self.files[GRAPH]

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a bundle and check the SHA-256 of every file before anything parses it."""
        bundle = cls.peek(path)
        for name, expected in bundle.files.items():
            found = _hash_of(path / name)
            if found != expected:
                raise BundleError(
                    f"{path / name} is not the file that was exported: SHA-256 {expected[:12]} "
                    f"expected, {found[:12]} found.",
                    fix="Remove the bundle and export it again.",
                )
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
        if not isinstance(data, dict) or "format" not in data:
            raise BundleError(f"{path / CARD} is no encoder card.")
        if data["format"] > FORMAT:
            raise BundleError(
                f"{path} has bundle format {data['format']}; this version reads up to {FORMAT}.",
                fix="Upgrade featurize.",
            )
        return cls(
            path=path,
            card=EncoderCard.from_json(data["encoder"]),
            files=_checked_names(path, data["files"]),
            export=data["export"],
        )


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


def _checked_names(path: Path, files: dict[str, str]) -> dict[str, str]:
    """Refuse file names that could leave the bundle's folder."""
    for name in files:
        if Path(name).name != name or name in {"", ".", ".."}:
            raise BundleError(f"{path / CARD} names a file outside its folder: {name!r}.")
    if GRAPH not in files:
        raise BundleError(f"{path / CARD} names no {GRAPH}.")
    return files


def _hash_of(path: Path) -> str:
    """Hash a regular file of a bundle; a link or a missing file is an error."""
    if path.is_symlink() or not path.is_file():
        raise BundleError(f"{path} is missing or no regular file.", fix="Export the bundle again.")
    return sha256_file(path)
