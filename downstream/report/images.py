"""Images of rows, from the files that a table was made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from featurize.errors import InputRejected
from featurize.processors.decoding import decode
from featurize.sources.files import Files, read_bytes
from featurize.storage import sha256_bytes
from featurize.types import Modality, RejectReason

if TYPE_CHECKING:
    from PIL.Image import Image


def image_of(source: Path, key: str, content: str) -> Image:
    """Return the image of the row with the id `key`, if it is still the one that was embedded.

    `source` is the folder of the raw data, or a file in it; `content` the SHA-256 that the table
    states, which is compared before anything is decoded. Raises InputRejected.
    """
    root = source if source.is_dir() else source.parent
    files = Files(root.resolve(), (Modality.IMAGE,))
    data = read_bytes(files.root / files.locate(key)[0])
    if sha256_bytes(data) != content:
        raise InputRejected(RejectReason.UNREADABLE, "not what was embedded")
    return decode(data)
