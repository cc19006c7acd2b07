"""Where labels come from, so that they can be read again and added to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from downstream.datasets.labels import Label, LabelFile, own_labels
from featurize.errors import HeadError
from featurize.storage import sha256_file
from featurize.table.reader import EmbeddingTable
from featurize.types import Json


@dataclass(frozen=True, slots=True)
class LabelSource:
    """A column of the table, or of a file with the hash that it had when it was read."""

    label: str
    file: Path | None
    sha256: str | None = None

    @property
    def where(self) -> str:
        """Return where it lies, for messages."""
        return "the table" if self.file is None else str(self.file)

    def to_json(self) -> Json:
        """Return the source as a card states it."""
        if self.file is None:
            return {"label": self.label, "file": None, "sha256": None}
        found = self.sha256 or sha256_file(self.file)
        return {"label": self.label, "file": str(self.file.resolve()), "sha256": found}

    @classmethod
    def from_json(cls, stated: Json) -> LabelSource:
        """Read what a card states."""
        file = stated["file"]
        return cls(stated["label"], None if file is None else Path(file), stated["sha256"])

    def read(
        self, table: EmbeddingTable, ids: Sequence[str], *, lists: bool
    ) -> tuple[list[Label | None], int]:
        """Return a label or None for each row, and how many labels belong to none.

        Raises HeadError where the file is gone or is another one by now.
        """
        if self.file is None:
            return own_labels(table, self.label, lists=lists), 0
        if self.sha256 is not None:
            self._require_same()
        return LabelFile.read(self.file, self.label, lists=lists).join(ids)

    def _require_same(self) -> None:
        assert self.file is not None
        if not self.file.is_file():
            raise HeadError(
                f"The head learned labels of {self.file}, which is gone.",
                fix="Bring the file back, or train without --update from one file of all labels.",
            )
        if (found := sha256_file(self.file)) != self.sha256:
            raise HeadError(
                f"{self.file} is no longer the file that the head learned from: SHA-256 "
                f"{str(self.sha256)[:12]} expected, {found[:12]} found.",
                fix="Bring that file back, or train without --update from one file of all labels.",
            )


def merge(
    older: Sequence[Label | None], newer: Sequence[Label | None]
) -> tuple[list[Label | None], Json]:
    """Let newer labels win; return all, and how many were added, changed and kept."""
    pairs = list(zip(older, newer, strict=True))
    counts = {
        "added": sum(old is None and new is not None for old, new in pairs),
        "changed": sum(old is not None and new is not None and old != new for old, new in pairs),
        "kept": sum(old is not None and new in (None, old) for old, new in pairs),
    }
    return [old if new is None else new for old, new in pairs], counts
