"""The bundle as a folder: which files it has, read and checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from featurize.bundle.card import EncoderCard
from featurize.errors import BundleError
from featurize.storage import pretty_json, sha256_bytes, sha256_file, sha256_joined
from featurize.types import Json, Modalities, Modality

FORMAT = 1
CARD = "encoder.json"
GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"
PREPROCESS = "preprocess.json"
REFERENCE = "reference.npz"
LOWER = ("fp16", "int8")  # precisions whose graphs a bundle may hold
_PREPARATION = {Modality.TEXT: TOKENIZER, Modality.IMAGE: PREPROCESS}
_TOWER = {Modality.TEXT: "text.onnx", Modality.IMAGE: "image.onnx"}


def graph_names(modalities: Modalities) -> tuple[str, ...]:
    """Return the graphs of an encoder: one, or one for each kind that it takes."""
    return (GRAPH,) if len(modalities) == 1 else tuple(_TOWER[name] for name in modalities)


def lowered(graph: str, precision: str) -> str:
    """Return the name of a graph in a lower precision."""
    return f"{graph.removesuffix('.onnx')}.{precision}.onnx"


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
    def graphs(self) -> dict[str, str]:
        """Return the SHA-256 of every fp32 ONNX graph by its name."""
        return {name: self.files[name] for name in graph_names(self.card.modalities)}

    @property
    def graph_sha256(self) -> str:
        """Return the SHA-256 of the fp32 ONNX graph, or what stands for those of both."""
        return sha256_joined(list(self.graphs.values()))

    def graph_for(self, precision: str) -> str:
        """Return the SHA-256 of the graph of a precision; where it is derived, of the fp32 one."""
        names = [lowered(name, precision) for name in self.graphs]
        held = [self.files[name] for name in names if name in self.files]
        return sha256_joined(held) if len(held) == len(names) else self.graph_sha256

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
        preparations = [_PREPARATION[name] for name in self.card.modalities]
        graphs = graph_names(self.card.modalities)
        required = {*graphs, *preparations}
        lower = {lowered(name, precision) for name in graphs for precision in LOWER}
        known = required | lower | {REFERENCE}
        if not required <= self.files.keys() <= known:
            raise BundleError(
                f"{self.path / CARD} names the files {', '.join(sorted(self.files))}; "
                f"{', '.join(sorted(required))} are expected, and of others at most "
                f"{', '.join(sorted(known - required))}."
            )
        if (
            sha256_joined([self.files[name] for name in preparations])
            != self.card.space.preparation
        ):
            raise BundleError(
                f"{self.path} has another preparation than its fingerprint stands for.",
                fix="Export the bundle again.",
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
