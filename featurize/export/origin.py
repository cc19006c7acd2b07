"""Where a model comes from: a package, a folder, an ONNX file or the Hugging Face Hub."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from featurize.bundle import CARD
from featurize.errors import ExportError, MissingExtra, UsageError
from featurize.export.builtin import PACKAGES, TEXT_PACKAGES, load_built_in
from featurize.export.candidate import Candidate
from featurize.export.folders import CONFIG, MODULES
from featurize.export.installed import is_installed
from featurize.export.layout import Body, Layout
from featurize.export.ready import PLACES, ReadyFile, ready_file
from featurize.export.static import load_static
from featurize.export.transformer import load_transformer
from featurize.export.vision import holds_image_model, load_image_model
from featurize.storage import canonical_json, sha256_bytes, sha256_file

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_READ = ("*.json", "*.safetensors", "*.txt", "*.model", "*.md")
_READ_READY = ("*.json", "*.txt", "*.md", PLACES[0], f"{PLACES[0]}_data*")
_PACKAGES = ("torch", "onnx", "onnxscript")


@dataclass(frozen=True, slots=True)
class Origin:
    """A model that was found under a name; `folder` is None for built-ins and Hub ids."""

    name: str
    folder: Path | None = None

    @property
    def slug(self) -> str:
        """Return a file name of this model's own: for a folder, it changes with the content."""
        if self.folder is None:
            return self.name.replace("/", "--")
        files = (file for glob in _READ for file in self.folder.rglob(glob) if file.is_file())
        sums = {file.relative_to(self.folder).as_posix(): sha256_file(file) for file in files}
        plain = re.sub(r"[^\w.-]+", "-", self.name)
        return f"{plain}-{sha256_bytes(canonical_json(sums))[:12]}"

    def load(self, max_length: int | None) -> Candidate:
        """Load the model; raise MissingExtra without the packages that takes."""
        built_in = self.folder is None and self.name in PACKAGES
        if self.folder is None and not built_in:
            return _fetch(self.name).load(max_length)
        if missing := _missing(PACKAGES[self.name] if built_in else TEXT_PACKAGES):
            raise MissingExtra(f"Exporting {self.name} ({', '.join(missing)})", "export")
        if self.folder is None:
            return load_built_in(self.name, max_length)
        if holds_image_model(self.folder):
            return load_image_model(self.folder, self.name, max_length)
        layout = Layout.read(self.folder)
        load = load_static if layout.body is Body.STATIC else load_transformer
        return load(layout, self.name, max_length)


Found: TypeAlias = Origin | ReadyFile


def locate(model: str | Path, card: Path | None = None) -> Found:
    """Find out what a name means: a built-in, else a file or folder, else an id on the Hub.

    `card` is that of an ONNX file, where it does not lie beside it. Nothing is loaded or
    downloaded. Raises UsageError, saying what is expected, for anything else.
    """
    path = Path(model).expanduser()
    if path.suffix == ".onnx":
        if not path.is_file():
            raise UsageError(f"There is no file {path}.", fix=_EXPECTED)
        return ReadyFile(path.stem, path, card)
    if card is not None:
        raise UsageError(f"A card goes with an ONNX file; {model} is none.")
    if str(model) in PACKAGES:
        return Origin(str(model))
    if (path / CARD).is_file():
        raise UsageError(f"{path} is an encoder bundle already; there is nothing to export.")
    if (ready := ready_file(path)) and not _can_be_traced(path):
        return ReadyFile(path.resolve().name, ready)
    if (path / MODULES).is_file() or (path / CONFIG).is_file():
        return Origin(path.resolve().name, path)
    if path.exists():
        raise UsageError(
            f"{path} is neither an encoder bundle (it holds no {CARD}) nor a model's folder (it "
            f"holds none of {MODULES}, {CONFIG} and {PLACES[0]}).",
            fix=_EXPECTED,
        )
    if _HUB_ID.fullmatch(str(model)):
        return Origin(str(model))
    raise UsageError(f"There is no encoder {str(model)!r}.", fix=_EXPECTED)


_EXPECTED = (
    f"Expected one of {', '.join(PACKAGES)}, the folder of an encoder bundle, an ONNX file, or a "
    "model of sentence-transformers, transformers or timm: its folder, or its id on the Hugging "
    "Face Hub (owner/name)."
)


def _missing(packages: Iterable[str]) -> list[str]:
    """Return what is not installed of the packages that exporting takes, beside these."""
    return [name for name in (*_PACKAGES, *packages) if not is_installed(name)]


def _can_be_traced(folder: Path) -> bool:
    """Say whether a model's own weights are there, and what reads them."""
    return not _missing(TEXT_PACKAGES) and any(folder.rglob("*.safetensors"))


def _fetch(name: str) -> Found:
    """Fetch a model of the Hub: its weights, or its ready file where only that can be used."""
    if not _missing(TEXT_PACKAGES):
        folder = _download(name, _READ, unread=("onnx/*", "openvino/*"))
        if _can_be_traced(folder):
            return Origin(name, folder)
    folder = _download(name, _READ_READY, unread=("openvino/*",))
    ready = ready_file(folder)
    return ReadyFile(name, ready) if ready else Origin(name, folder)


def _download(name: str, read: Iterable[str], unread: Iterable[str]) -> Path:
    """Fetch the files of a Hub model that are read here: no code, no pickled weights."""
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(name, allow_patterns=list(read), ignore_patterns=list(unread))
    except Exception as error:  # the client raises what its network library does
        raise ExportError(
            f"There is no folder {name!r}, and the Hugging Face Hub did not give a model of that "
            f"name: {type(error).__name__}: {error}",
            fix="Check the name and the network, or give the folder of a downloaded model.",
        ) from error
    return Path(folder)
