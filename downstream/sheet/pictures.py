"""Pictures on a sheet, or why there is none; together they stay within a number of bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from downstream.page.images import image_of, thumbnail
from featurize.errors import InputRejected
from featurize.processors.decoding import decode
from featurize.sources.files import read_bytes
from featurize.types import Json, Modality, RejectReason

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 256  # pixels
MOST_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture as a `data:` address; where there is none, `lacking` says why."""

    address: str = ""
    lacking: str = ""


def is_image(columns: Json) -> bool:
    """Say whether a row was made from an image."""
    if "modality" in columns:
        return bool(columns["modality"] == Modality.IMAGE)
    return columns.get("text") is None and columns.get("width") is not None


class Pictures:
    """Makes the pictures of one sheet, from the files below a source."""

    def __init__(self, source: str | Path | None) -> None:
        self._source = None if source is None else Path(source)
        self._made: dict[tuple[str, str], Picture] = {}
        self._bytes = 0

    def of_row(self, columns: Json) -> Picture:
        """Return the picture of a row's file, if that is still what was embedded."""
        if self._source is None:
            return Picture(lacking="--source was not given")
        key = str(columns.get("source")), str(columns.get("content_sha256"))
        if key not in self._made:
            self._made[key] = self._row(self._source, *key)
        return self._within(self._made[key])

    def of_file(self, path: str | Path) -> Picture:
        """Return the picture of a file that the user has named."""
        try:
            return self._within(_picture(decode(read_bytes(Path(path).resolve()))))
        except InputRejected as rejection:
            return Picture(lacking=rejection.detail)

    def _row(self, source: Path, name: str, content: str) -> Picture:
        try:
            return _picture(image_of(source, name, content))
        except InputRejected as rejection:
            inside = rejection.reason is RejectReason.UNREADABLE
            if inside and any((source / folder).is_file() for folder in Path(name).parents):
                return Picture(lacking="it lies in an archive")
            return Picture(lacking=rejection.detail)

    def _within(self, picture: Picture) -> Picture:
        """Return a picture, unless the page would become too large by it."""
        if self._bytes + len(picture.address) > MOST_BYTES:
            return Picture(lacking=f"the page has {MOST_BYTES >> 20} MiB of pictures already")
        self._bytes += len(picture.address)
        return picture


def _picture(image: Image) -> Picture:
    return Picture(thumbnail(image, SIDE))
