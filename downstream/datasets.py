"""An embedding table, with labels, as arrays."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.bundle import EncoderCard
from featurize.errors import HeadError, UsageError
from featurize.table.layout import EMBEDDING
from featurize.table.reader import EmbeddingTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL = "label"
MIN_ROWS = 5


@dataclass(frozen=True, slots=True)
class Dataset:
    """The labelled rows of a table.

    `X` (n, dim) float32, `y` (n,) of str, `ids` (n,) of str. `groups` (n,) are numbers: rows of one
    group are chunks of one document or hold equal contents, and must not be split. `unmatched`
    counts `labels_without_row` and `rows_without_label`.
    """

    X: NDArray[np.float32]
    y: NDArray[np.object_]
    ids: NDArray[np.object_]
    groups: NDArray[np.intp]
    label: str
    unmatched: dict[str, int]
    encoder: EncoderCard
    version: int

    def __len__(self) -> int:
        """Return the number of labelled rows."""
        return len(self.y)

    def require_trainable(self) -> None:
        """Raise HeadError unless there are at least 5 rows and 2 classes."""
        if len(self) < MIN_ROWS:
            raise HeadError(
                f"{len(self)} rows have a label in {self.label!r}; training needs at least "
                f"{MIN_ROWS}.",
                fix="Label more rows.",
            )
        if len(set(self.y)) < 2:
            raise HeadError(
                f"All {len(self)} labels in {self.label!r} are {self.y[0]!r}; training needs at "
                f"least two classes.",
                fix="Name another column with --label, or bring labels with --labels FILE.",
            )


def load_dataset(
    table: EmbeddingTable, *, label: str | None = None, labels_file: str | Path | None = None
) -> Dataset:
    """Read the rows of a table that have a label.

    Labels come from the column `label` (default `label`) of the table, or of a CSV, TSV or Parquet
    file that also has a column `id`. They become strings: values of a CSV file as they stand,
    others through `str`. Nulls, NaN and empty strings are no labels. Raises UsageError where a
    column is missing, HeadError where there is no label at all or an id occurs twice in the file.
    """
    name = label or LABEL
    where = table.path if labels_file is None else Path(labels_file)
    if labels_file is None:
        labels, strangers = _own_labels(table, name), 0
    else:
        labels, strangers = _joined_labels(table, Path(labels_file), name)
    labelled = np.array([value is not None for value in labels], dtype=bool)
    if not labelled.any():
        raise HeadError(
            f"None of the {len(table)} rows has a label in column {name!r} of {where}.",
            fix="Name the column with --label, or bring labels with --labels FILE.",
        )
    return Dataset(
        X=table.to_numpy()[labelled],
        y=np.array(labels, dtype=object)[labelled],
        ids=table.ids[labelled],
        groups=_groups(table)[labelled],
        label=name,
        unmatched={
            "labels_without_row": strangers,
            "rows_without_label": int((~labelled).sum()),
        },
        encoder=table.card,
        version=table.version,
    )


def _own_labels(table: EmbeddingTable, name: str) -> list[str | None]:
    if name not in table.schema.names or name == EMBEDDING:
        columns = ", ".join(column for column in table.schema.names if column != EMBEDDING)
        raise UsageError(
            f"{table.path} has no label column {name!r}; its columns are {columns}.",
            fix="Name one of them with --label, or bring labels with --labels FILE.",
        )
    return [_text(value) for value in table.column(name)]


def _joined_labels(table: EmbeddingTable, file: Path, name: str) -> tuple[list[str | None], int]:
    """Return a label or None for each row, and how many labels belong to no row."""
    found: dict[str, str | None] = {}
    for key, value in _read_pairs(file, name):
        if str(key) in found:
            raise HeadError(
                f"{file} has the id {str(key)!r} more than once.", fix="Keep one of them."
            )
        found[str(key)] = _text(value)
    named = {key for key, value in found.items() if value is not None}
    return [found.get(key) for key in table.ids], len(named.difference(table.ids))


def _read_pairs(file: Path, name: str) -> Iterable[tuple[Any, Any]]:
    """Read ids and labels from a CSV, TSV or Parquet file."""
    if not file.is_file():
        raise UsageError(f"--labels {file}: there is no such file.")
    if file.suffix.lower() == ".parquet":
        return _parquet_pairs(file, name)
    return _csv_pairs(file, name)


def _parquet_pairs(file: Path, name: str) -> Iterable[tuple[Any, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        _require_columns(file, pq.read_schema(file).names, name)
        rows = pq.read_table(file, columns=["id", name])
    except (OSError, pa.ArrowException) as error:
        raise HeadError(f"{file} cannot be read as Parquet: {error}") from error
    return zip(rows["id"].to_pylist(), rows[name].to_pylist(), strict=True)


def _csv_pairs(file: Path, name: str) -> Iterable[tuple[Any, Any]]:
    delimiter = "\t" if file.suffix.lower() == ".tsv" else ","
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, delimiter=delimiter, strict=True)
            _require_columns(file, reader.fieldnames or (), name)
            return [(row["id"], row[name]) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise HeadError(f"{file} cannot be read as UTF-8 CSV: {error}") from error


def _require_columns(file: Path, columns: Iterable[str], name: str) -> None:
    present = list(columns)
    for wanted in ("id", name):
        if wanted not in present:
            raise UsageError(
                f"{file} has no column {wanted!r}; its columns are {', '.join(present)}.",
                fix="It needs a column `id` and a label column, which --label names.",
            )


def _text(value: Any) -> str | None:
    """Return a label as a string; None for null, NaN and the empty string."""
    missing = value is None or value != value or value == ""  # only NaN differs from itself
    return None if missing else str(value)


def _groups(table: EmbeddingTable) -> NDArray[np.intp]:
    """Number the groups of rows that share a document or a content, also through other rows."""
    contents = _codes(table.column("content_sha256"))
    if "parent_id" not in table.schema.names:
        return contents
    pairs = zip(table.column("parent_id"), table.ids, strict=True)
    documents = _codes(np.array([parent or own for parent, own in pairs], dtype=object))
    group = np.arange(len(table))
    while True:  # until no row finds a lower number in its document or among its equals
        before = group
        for codes in (documents, contents):
            lowest = np.full(len(table), len(table))
            np.minimum.at(lowest, codes, group)
            group = lowest[codes]
        if (group == before).all():
            return group


def _codes(values: NDArray[np.object_]) -> NDArray[np.intp]:
    return np.unique(values, return_inverse=True)[1].astype(np.intp)
