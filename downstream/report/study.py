"""What every section of a transfer report reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from downstream.datasets import Dataset, Table, load_dataset, open_table
from downstream.heads.split import deal
from downstream.page.images import existing_source
from featurize.errors import UsageError
from featurize.table.layout import EMBEDDING
from featurize.table.reader import EmbeddingTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT = "text"
CONTENT = "content_sha256"
SPLIT = "split"
MAX_ROWS = 20_000
FEWEST = 5


@dataclass(frozen=True, slots=True)
class Study:
    """The labelled rows of a table, ready to be measured.

    `names` are the k classes, ascending; `classes` (n,) number them, row by row. Rows of one of the
    `groups` (n,) are never split. `contents` (n,) are SHA-256 of what was embedded, `texts` (n,)
    the texts themselves, None for images and for tables that keep none. `source` is the folder or
    file that the table was made from, where the user has named it. `seed` decides every draw.
    `total` is the number of labelled rows that the table has, of which these may be a sample.
    `split` (n,) says to which side of the user's own split each row belongs, None where it says
    nothing; it is None as a whole where there is no such split.
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
    split: NDArray[np.object_] | None = None

    @classmethod
    def open(  # noqa: PLR0913 - each is a choice of its own
        cls,
        table: Table,
        *,
        label: str | None = None,
        labels_file: str | Path | None = None,
        source: str | Path | None = None,
        group: str | None = None,
        split: str | None = None,
        seed: int = 0,
    ) -> Self:
        """Read the labelled rows of a table; raise HeadError where they cannot be learned from.

        Groups are the rows of one document or of equal content, or, where `group` names a column,
        the rows that have one value there; a row without a value is a group of its own. `split`
        names the column of the user's own split into training and test rows, such as `source` for
        a table made of train.csv and test.csv; without it, a column `split` is taken if there.
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
            source=None if source is None else existing_source(source),
            seed=seed,
            total=len(data),
            split=_split(table, split, data.rows),
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
            split=None if self.split is None else self.split[rows],
        )

    def bounded(self, most: int = MAX_ROWS) -> Self:
        """Return about `most` rows, whole groups drawn with the classes in proportion.

        Of each class 5 groups come first, so that a rare one can be held out: that may be 4 groups
        a class beyond `most`. Cross-validation takes time in proportion to the rows, and beyond
        this number its intervals hardly become narrower.
        """
        place = deal(self.classes, self.groups, len(self), self.seed)  # class after class
        _, row, member = np.unique(self.groups, return_index=True, return_inverse=True)
        dealt = self.classes[row][member]  # as what each group was dealt
        first = np.full(len(self.names), len(self))
        np.minimum.at(first, dealt, place)
        rank = place - first[dealt]
        drawn = (rank % -(-len(self) // most) == 0) | (rank < FEWEST)
        return self.select(np.isin(self.groups, self.groups[drawn]))

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Return the embeddings, (n, dim) float32."""
        return self.data.X

    def __len__(self) -> int:
        """Return the number of labelled rows."""
        return len(self.classes)


def _groups_by(table: EmbeddingTable, name: str) -> NDArray[np.intp]:
    """Number the values of a column, (rows,), and each row without one after them."""
    values = _values(table, name, "--group")
    number = {value: place for place, value in enumerate(dict.fromkeys(values))}
    return np.array(
        [
            number[value] if value is not None else len(values) + row
            for row, value in enumerate(values)
        ],
        dtype=np.intp,
    )


def _split(
    table: EmbeddingTable, name: str | None, rows: NDArray[np.intp]
) -> NDArray[np.object_] | None:
    """Return the sides of the user's split for some rows, None where the table has no split."""
    if name is None and SPLIT not in table.schema.names:
        return None
    sides = np.array(_values(table, name or SPLIT, "--split"), dtype=object)[rows]
    named = set(sides) - {None}
    if len(named) > 1:
        return sides
    if name is None:
        return None
    raise UsageError(
        f"The labelled rows of {table.path} have {len(named)} value in column {name!r}; a split "
        "has two or more, such as train and test.",
        fix="Name the column that tells them apart with --split.",
    )


def _values(table: EmbeddingTable, name: str, option: str) -> list[str | None]:
    """Return the values of a column as strings, None for null, NaN and the empty string."""
    import pyarrow as pa

    if name not in table.schema.names or name == EMBEDDING:
        columns = ", ".join(column for column in table.schema.names if column != EMBEDDING)
        raise UsageError(
            f"{table.path} has no column {name!r} for {option}; its columns are {columns}.",
            fix=f"Name one of them with {option}.",
        )
    kind = table.schema.field(name).type
    if pa.types.is_nested(kind):
        raise UsageError(
            f"Column {name!r} of {table.path} holds values of type {kind}; for {option} a value is "
            "one text, number, truth value or date.",
            fix="Name another column.",
        )
    found = table.column(name).tolist()
    return [None if it is None or it != it or it == "" else str(it) for it in found]  # NaN != NaN
