"""Where a model comes from: a package, a folder or the Hugging Face Hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from featurize.bundle import CARD
from featurize.errors import ExportError, MissingExtra, UsageError
from featurize.export.builtin import PACKAGES, TEXT_PACKAGES, load_built_in
from featurize.export.candidate import Candidate
from featurize.export.folders import CONFIG, MODULES
from featurize.export.layout import Body, Layout
from featurize.export.static import load_static
from featurize.export.transformer import load_transformer
from featurize.export.vision import holds_image_model, load_image_model
from featurize.storage import canonical_json, sha256_bytes, sha256_file

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_READ = ("*.json", "*.safetensors", "*.txt", "*.model", "*.md")
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
        self._require_packages()
        if self.name in PACKAGES and self.folder is None:
            return load_built_in(self.name, max_length)
        folder = self.folder or _download(self.name)
        if holds_image_model(folder):
            return load_image_model(folder, self.name, max_length)
        layout = Layout.read(folder)
        load = load_static if layout.body is Body.STATIC else load_transformer
        return load(layout, self.name, max_length)

    def _require_packages(self) -> None:
        own = TEXT_PACKAGES if self.folder else PACKAGES.get(self.name, TEXT_PACKAGES)
        missing = [name for name in (*_PACKAGES, *own) if find_spec(name) is None]
        if missing:
            raise MissingExtra(f"Exporting {self.name} ({', '.join(missing)})", "export")


def locate(model: str | Path) -> Origin:
    """Find out what a name means: a built-in, else a folder, else an id on the Hub.

    Nothing is loaded or downloaded. Raises UsageError, saying what is expected, for anything else.
    """
    path = Path(model).expanduser()
    if str(model) in PACKAGES:
        return Origin(str(model))
    if (path / MODULES).is_file() or (path / CONFIG).is_file():
        return Origin(path.resolve().name, path)
    if path.suffix == ".onnx":
        raise UsageError(f"{model}: ONNX files of your own are not supported yet.", fix=_EXPECTED)
    if (path / CARD).is_file():
        raise UsageError(f"{path} is an encoder bundle already; there is nothing to export.")
    if path.exists():
        raise UsageError(
            f"{path} is neither an encoder bundle (it holds no {CARD}) nor a model's folder (it "
            f"holds neither {MODULES} nor {CONFIG}).",
            fix=_EXPECTED,
        )
    if _HUB_ID.fullmatch(str(model)):
        return Origin(str(model))
    raise UsageError(f"There is no encoder {str(model)!r}.", fix=_EXPECTED)


_EXPECTED = (
    f"Expected one of {', '.join(PACKAGES)}, the folder of an encoder bundle, or a "
    "sentence-transformers, transformers or timm model: its folder, or its id on the Hugging Face "
    "Hub (owner/name)."
)


def _download(name: str) -> Path:
    """Fetch the files of a Hub model that are read here: no code, no pickled weights."""
    from huggingface_hub import snapshot_download

    unread = ["onnx/*", "openvino/*"]
    try:
        folder = snapshot_download(name, allow_patterns=list(_READ), ignore_patterns=unread)
    except Exception as error:  # the client raises what its network library does
        raise ExportError(
            f"There is no folder {name!r}, and the Hugging Face Hub did not give a model of that "
            f"name: {type(error).__name__}: {error}",
            fix="Check the name and the network, or give the folder of a downloaded model.",
        ) from error
    return Path(folder)
