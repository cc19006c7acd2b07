"""ONNX files that are ready: their graphs are used as they are, without torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from featurize.errors import MissingExtra
from featurize.export.candidate import Candidate
from featurize.export.installed import is_installed
from featurize.export.ready.files import named_beside
from featurize.export.ready.given import Given
from featurize.export.ready.image import load_image_file
from featurize.export.ready.text import load_text_file
from featurize.export.ready.text_use import IDS, text_folder
from featurize.storage import canonical_json, sha256_bytes, sha256_file
from featurize.types import Modality

PLACES = ("onnx/model.onnx", "model.onnx")


@dataclass(frozen=True, slots=True)
class ReadyFile:
    """An ONNX file that was found under a name; `card` is the one that was named for it, if any."""

    name: str
    path: Path
    card: Path | None = None

    @property
    def slug(self) -> str:
        """Return a file name of this model's own, which changes with the files it is made of."""
        folder = text_folder(self.path)
        settings = [*folder.glob("*.json"), *folder.glob("*/config.json")]
        files = [self.path, *named_beside(self.path), self._card_path, *settings]
        sums = sorted({sha256_file(file) for file in files if file.is_file()})
        plain = re.sub(r"[^\w.-]+", "-", self.name)
        return f"{plain}-{sha256_bytes(canonical_json(sums))[:12]}"

    def load(self, max_length: int | None) -> Candidate:
        """Read the file; raise MissingExtra without the package `onnx`, ExportError for a bad one.

        `max_length` lowers the number of tokens a text may have.
        """
        if not is_installed("onnx"):
            raise MissingExtra(f"Using {self.path.name} (onnx)", "precisions")
        given = Given.read(self.name, self.path, self._card_path)
        kind = given.card.kind or (Modality.TEXT if IDS in given.inputs else Modality.IMAGE)
        return _LOADERS[kind](given, max_length)

    @property
    def _card_path(self) -> Path:
        return self.card or self.path.with_suffix(".json")


_LOADERS = {Modality.TEXT: load_text_file, Modality.IMAGE: load_image_file}


def ready_file(folder: Path) -> Path | None:
    """Return where a model's folder holds a ready file, or None."""
    return next((folder / place for place in PLACES if (folder / place).is_file()), None)
