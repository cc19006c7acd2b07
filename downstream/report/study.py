"""What every section of a transfer report reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from downstream.datasets import Dataset, Table, load_dataset, open_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT = "text"
CONTENT = "content_sha256"


@dataclass(frozen=True, slots=True)
class Study:
    """The labelled rows of a table, ready to be measured.

    `names` are the k classes, ascending; `classes` (n,) number them, row by row. Rows of one of the
    `groups` (n,) are never split. `contents` (n,) are SHA-256 of what was embedded, `texts` (n,)
    the texts themselves, None for images and for tables that keep none. `source` is the folder or
    file that the table was made from, where the user has named it. `seed` decides every draw.
    """

    data: Dataset
    names: list[str]
    classes: NDArray[np.intp]
    groups: NDArray[np.intp]
    contents: NDArray[np.object_]
    texts: NDArray[np.object_] | None
    source: Path | None
    seed: int

    @classmethod
    def open(
        cls,
        table: Table,
        *,
        label: str | None = None,
        labels_file: str | Path | None = None,
        source: str | Path | None = None,
        seed: int = 0,
    ) -> Self:
        """Read the labelled rows of a table; raise HeadError where they cannot be learned from."""
        table = open_table(table)
        data = load_dataset(table, label=label, labels_file=labels_file)
        data.require_trainable()
        names, classes = np.unique(data.y, return_inverse=True)
        has_texts = TEXT in table.schema.names
        return cls(
            data=data,
            names=names.tolist(),
            classes=classes,
            groups=data.groups,
            contents=table.column(CONTENT)[data.rows],
            texts=table.column(TEXT)[data.rows] if has_texts else None,
            source=None if source is None else Path(source),
            seed=seed,
        )

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Return the embeddings, (n, dim) float32."""
        return self.data.X

    def __len__(self) -> int:
        """Return the number of labelled rows."""
        return len(self.classes)
