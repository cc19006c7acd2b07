"""Where a model comes from: a package, a folder, an ONNX file or the Hugging Face Hub."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from featurize.bundle import CARD, LOWER
from featurize.errors import MissingExtra, UsageError
from featurize.export.builtin import PACKAGES, TEXT_PACKAGES, load_built_in
from featurize.export.candidate import Candidate
from featurize.export.folders import CONFIG, MODULES, PREPROCESSOR
from featurize.export.hub import (
    download,
    fetched_before,
    is_commit,
    is_hub_id,
    require_revision,
    revision_slug,
)
from featurize.export.installed import is_installed
from featurize.export.layout import Body, Layout
from featurize.export.ready import PLACES, ReadyFile, ready_file
from featurize.export.static import load_static
from featurize.export.transformer import load_transformer
from featurize.export.twin import load_two_towers, two_towers
from featurize.export.vision import holds_image_model, load_image_model
from featurize.storage import canonical_json, sha256_bytes, sha256_file

_READ = ("*.json", "*.safetensors", "*.txt", "*.model", "*.md")
_READ_READY = ("*.json", "*.txt", "*.md", PLACES[0], f"{PLACES[0]}_data*")
_PREPARATION = ("tokenizer.json", "tokenizer_config.json", PREPROCESSOR)
_PACKAGES = ("torch", "onnx", "onnxscript")


@dataclass(frozen=True, slots=True)
class Origin:
    """A model that was found under a name; `folder` is None for those that are built in."""

    name: str
    folder: Path | None = None

    @property
    def slug(self) -> str:
        """Return a file name of this model's own: for a folder, it changes with the content."""
        if self.folder is None:
            return self.name
        files = (file for glob in _READ for file in self.folder.rglob(glob) if file.is_file())
        sums = {file.relative_to(self.folder).as_posix(): sha256_file(file) for file in files}
        plain = re.sub(r"[^\w.-]+", "-", self.name)
        return f"{plain}-{sha256_bytes(canonical_json(sums))[:12]}"

    def load(self, max_length: int | None) -> Candidate:
        """Load the model; raise MissingExtra without the packages that takes."""
        if missing := _missing(TEXT_PACKAGES if self.folder else PACKAGES[self.name]):
            raise MissingExtra(f"Exporting {self.name} ({', '.join(missing)})", "export")
        if self.folder is None:
            return load_built_in(self.name, max_length)
        if (path := two_towers(self.folder)) is not None:
            return load_two_towers(self.folder, path, self.name, max_length)
        if holds_image_model(self.folder):
            return load_image_model(self.folder, self.name, max_length)
        layout = Layout.read(self.folder)
        load = load_static if layout.body is Body.STATIC else load_transformer
        return load(layout, self.name, max_length)


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model of the Hugging Face Hub: a branch, tag or commit of it, None for its main branch."""

    name: str
    revision: str | None = None

    @property
    def slug(self) -> str:
        """Return a file name of this model's own, and of the revision that was asked for."""
        plain = self.name.replace("/", "--")
        return plain if self.revision is None else f"{plain}@{revision_slug(self.revision)}"

    def load(self, max_length: int | None) -> Candidate:
        """Fetch the model and load it: its weights, or its ready file where only that can be used.

        Raises ExportError where the Hub does not give it, MissingExtra as the others do.
        """
        folder = self._fetch()
        ready = None if _can_be_traced(folder) else ready_file(folder)
        found = ReadyFile(self.name, ready) if ready else Origin(self.name, folder)
        return replace(found.load(max_length), revision=folder.name)

    def _fetch(self) -> Path:
        if self.revision is not None and is_commit(self.revision):
            kept = fetched_before(self.name, self.revision, _READ)
            if kept is not None and _is_whole(kept):
                return kept
        if not _missing(TEXT_PACKAGES):
            folder = download(self.name, self.revision, _READ, unread=("onnx/*", "openvino/*"))
            if _can_be_traced(folder):
                return folder
        return download(self.name, self.revision, _READ_READY, unread=("openvino/*",))


Found: TypeAlias = Origin | ReadyFile | HubModel


def locate(model: str | Path, card: Path | None = None, revision: str | None = None) -> Found:
    """Find out what a name means: a built-in, else a file or folder, else an id on the Hub.

    `card` is that of an ONNX file, where it does not lie beside it; `revision` is that of a model
    on the Hub. Nothing is loaded or downloaded. Raises UsageError, saying what is expected, for
    anything else.
    """
    path = Path(model).expanduser()
    if revision is not None:
        require_revision(str(model), revision)
    if path.suffix == ".onnx":
        return _onnx_file(path, card)
    if card is not None:
        raise UsageError(f"A card goes with an ONNX file; {model} is none.")
    if str(model) in PACKAGES:
        return Origin(str(model))
    if (path / CARD).is_file():
        raise UsageError(
            f"{path} is an encoder bundle already; there is nothing to export.",
            fix=f"Use it as it is, or add a graph to a copy: --precision {' or '.join(LOWER)}.",
        )
    if (ready := ready_file(path)) and not _can_be_traced(path):
        return ReadyFile(path.resolve().name, ready)
    if (path / MODULES).is_file() or (path / CONFIG).is_file():
        return Origin(path.resolve().name, path)
    if is_hub_id(str(model)) and not path.exists():
        return HubModel(str(model), revision)
    raise _unknown(model)


def _onnx_file(path: Path, card: Path | None) -> ReadyFile:
    """Return an ONNX file with the card named for it; raise UsageError where one is missing."""
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", fix=_EXPECTED)
    if card is not None and not card.is_file():
        raise UsageError(f"--card {card}: there is no such file.", fix="Check its path.")
    return ReadyFile(path.stem, path, card)


def _unknown(model: str | Path) -> UsageError:
    """Say what a name that means nothing lacks, and what is expected."""
    path = Path(model).expanduser()
    if not path.exists():
        return UsageError(f"There is no encoder {str(model)!r}.", fix=_EXPECTED)
    return UsageError(
        f"{path} is neither an encoder bundle (it holds no {CARD}) nor a model's folder (it "
        f"holds none of {MODULES}, {CONFIG} and {PLACES[0]}).",
        fix=_EXPECTED,
    )


_EXPECTED = (
    f"Expected one of {', '.join(PACKAGES)}, the folder of an encoder bundle, an ONNX file, or a "
    "model of sentence-transformers, transformers or timm: its folder, or its id on the Hugging "
    "Face Hub (owner/name)."
)


def _missing(packages: Iterable[str]) -> list[str]:
    """Return what is not installed of the packages that exporting takes, beside these."""
    return [name for name in (*_PACKAGES, *packages) if not is_installed(name)]


def _is_whole(folder: Path) -> bool:
    """Say whether weights that can be used are there, what prepares inputs and what follows.

    Another library may have fetched the weights of a text model without the list of its modules:
    where there is none, only the Hub can tell.
    """
    prepared = any(any(folder.rglob(name)) for name in _PREPARATION)
    stated = (folder / MODULES).is_file() or (folder / PREPROCESSOR).is_file()
    return stated and prepared and (_can_be_traced(folder) or ready_file(folder) is not None)


def _can_be_traced(folder: Path) -> bool:
    """Say whether a model's own weights are there, and what reads them."""
    return not _missing(TEXT_PACKAGES) and any(folder.rglob("*.safetensors"))
