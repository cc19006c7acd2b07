"""What was asked, as far as those need it who show what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath

from featurize.types import Json


class QueryKind(StrEnum):
    """What hits are near to."""

    TEXT = "text"
    IMAGE = "image"
    ROW = "row"
    VECTOR = "vector"


@dataclass(frozen=True, slots=True)
class Query:
    """One query: a text, an image file, a row with its columns, or a vector of a file.

    `name` is the text, path or id, of a vector its file and number; `columns` are those of a row,
    where they are known.
    """

    kind: QueryKind
    name: str
    columns: Json = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Return what names the query on a line; of an image, the name of its file alone."""
        return PurePath(self.name).name if self.kind is QueryKind.IMAGE else self.name

    @property
    def words(self) -> str:
        """Return the text whose words are looked for in the hits, empty for other queries."""
        return self.name if self.kind is QueryKind.TEXT else ""
