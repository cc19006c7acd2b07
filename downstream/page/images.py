"""Images of rows, from the files that a table was made of, and small pictures of them."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.errors import InputRejected, UsageError
from featurize.processors.decoding import decode
from featurize.sources.files import Files, read_bytes
from featurize.storage import sha256_bytes
from featurize.types import Modality, RejectReason

if TYPE_CHECKING:
    from PIL.Image import Image

_QUALITY = 72


def existing_source(path: str | Path) -> Path:
    """Return the path of the raw data; raise UsageError where nothing is."""
    source = Path(path)
    if not source.exists():
        raise UsageError(f"--source {source} does not exist.", fix="Check the path.")
    return source


def is_image_of(source: Path, name: str) -> bool:
    """Say whether an image file of this name lies in a source."""
    try:
        _locate(source, name)
    except InputRejected:
        return False
    return True


def image_of(source: Path, name: str, content: str) -> Image:
    """Return the image of a row from its file, if it is still the one that was embedded.

    `source` is the folder of the raw data, or a file in it; `name` the file's path there, which
    leads through no link; `content` the SHA-256 that the table states, which is compared before
    anything is decoded. Raises InputRejected.
    """
    data = read_bytes(_locate(source, name))
    if sha256_bytes(data) != content:
        raise InputRejected(RejectReason.UNREADABLE, "not what was embedded")
    return decode(data)


def thumbnail(image: Image, side: int) -> str:
    """Return a small JPEG of an image as a `data:` address, `side` pixels at most either way."""
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _locate(source: Path, name: str) -> Path:
    """Return where the image file of a source lies that `name` names; raise InputRejected."""
    root = (source if source.is_dir() else source.parent).resolve()
    found, _ = Files(root, (Modality.IMAGE,)).locate(name)
    if found != name:
        raise InputRejected(RejectReason.OUTSIDE_ROOT, f"{name:.200}: a link, or not a plain path")
    return root / found
