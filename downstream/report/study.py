"""What every section of a transfer report reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from downstream.datasets import Dataset, Table, load_dataset, open_table
from downstream.heads.split import deal
from featurize.errors import UsageError
from featurize.table.layout import EMBEDDING
from featurize.table.reader import EmbeddingTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT = "text"
CONTENT = "content_sha256"
MAX_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Study:
    """The labelled rows of a table, ready to be measured.

    `names` are the k classes, ascending; `classes` (n,) number them, row by row. Rows of one of the
    `groups` (n,) are never split. `contents` (n,) are SHA-256 of what was embedded, `texts` (n,)
    the texts themselves, None for images and for tables that keep none. `source` is the folder or
    file that the table was made from, where the user has named it. `seed` decides every draw.
    `total` is the number of labelled rows that the table has, of which these may be a sample.
    """

    data: Dataset
    names: list[str]
    classes: NDArray[np.intp]
    groups: NDArray[np.intp]
    contents: NDArray[np.object_]
    texts: NDArray[np.object_] | None
    source: Path | None
    seed: int
    total: int

    @classmethod
    def open(
        cls,
        table: Table,
        *,
        label: str | None = None,
        labels_file: str | Path | None = None,
        source: str | Path | None = None,
        group: str | None = None,
        seed: int = 0,
    ) -> Self:
        """Read the labelled rows of a table; raise HeadError where they cannot be learned from.

        Groups are the rows of one document or of equal content, or, where `group` names a column,
        the rows that have one value there; a row without a value is a group of its own.
        """
        table = open_table(table)
        data = load_dataset(table, label=label, labels_file=labels_file)
        data.require_trainable()
        if group is not None:
            data = replace(data, groups=_groups_by(table, group)[data.rows])
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
            total=len(data),
        )

    def select(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return some of the rows, by positions or a mask; classes without a row are dropped."""
        present, classes = np.unique(self.classes[rows], return_inverse=True)
        data, texts = self.data, self.texts
        kept = {name: getattr(data, name)[rows] for name in ("X", "y", "ids", "rows", "groups")}
        return replace(
            self,
            data=replace(data, **kept),
            names=[self.names[number] for number in present],
            classes=classes,
            groups=self.groups[rows],
            contents=self.contents[rows],
            texts=None if texts is None else texts[rows],
        )

    def bounded(self, most: int = MAX_ROWS) -> Self:
        """Return about `most` rows at most, whole groups drawn with the classes in proportion.

        Cross-validation takes time in proportion to the rows, and beyond this number its intervals
        hardly become narrower.
        """
        parts = -(-len(self) // most)
        return self.select(deal(self.classes, self.groups, parts, self.seed) == 0)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Return the embeddings, (n, dim) float32."""
        return self.data.X

    def __len__(self) -> int:
        """Return the number of labelled rows."""
        return len(self.classes)


def _groups_by(table: EmbeddingTable, name: str) -> NDArray[np.intp]:
    """Number the values of a column, (rows,), and each row without one after them."""
    if name not in table.schema.names or name == EMBEDDING:
        columns = ", ".join(column for column in table.schema.names if column != EMBEDDING)
        raise UsageError(
            f"{table.path} has no column {name!r} to group by; its columns are {columns}.",
            fix="Name one of them with --group.",
        )
    values = [None if value in {None, ""} else str(value) for value in table.column(name)]
    number = {value: place for place, value in enumerate(dict.fromkeys(values))}
    return np.array(
        [
            number[value] if value is not None else len(values) + row
            for row, value in enumerate(values)
        ],
        dtype=np.intp,
    )
