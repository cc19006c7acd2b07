"""Labels as strings: those of a table's column, and those of a file that names rows by id."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from featurize.errors import HeadError, UsageError
from featurize.table.layout import EMBEDDING
from featurize.table.reader import EmbeddingTable

if TYPE_CHECKING:
    import pyarrow as pa

Label: TypeAlias = str | list[str]
DELIMITERS = {".csv": ",", ".tsv": "\t"}
_MARKS = {
    ";": "save it with commas",
    "|": "save it with commas",
    "\t": "name it .tsv",
    ",": "name it .csv",
}
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class LabelFile:
    """The labels of a file by id, None where it states none; `unnamed` labels have no id."""

    path: Path
    by_id: dict[str, Label | None]
    unnamed: int

    @classmethod
    def read(cls, path: Path, name: str, *, lists: bool = False) -> LabelFile:
        """Read the columns `id` and `name` of a CSV, TSV or Parquet file.

        Raises UsageError for another kind of file and for missing columns, HeadError for a file
        that cannot be read, a row of CSV with too few or too many cells, and an id given twice.
        With `lists` a label may be a list, which stays one.
        """
        keys, labels = _columns(path, name, lists=lists)
        pairs = [(_text(key), _label(label)) for key, label in zip(keys, labels, strict=True)]
        times = Counter(key for key, _ in pairs if key is not None)
        if twice := next((key for key, count in times.items() if count > 1), None):
            raise HeadError(f"{path} has the id {twice!r} more than once.", fix="Keep one of them.")
        return cls(
            path=path,
            by_id={key: label for key, label in pairs if key is not None},
            unnamed=sum(key is None and label is not None for key, label in pairs),
        )

    def join(self, ids: Sequence[str]) -> tuple[list[Label | None], int]:
        """Return a label or None for each id, and how many labels belong to none of them.

        Raises HeadError where not one id is in the file.
        """
        strangers = self.by_id.keys() - set(ids)
        if ids and self.by_id and len(strangers) == len(self.by_id):
            raise HeadError(
                f"No id of {self.path} is an id of the table: the file has "
                f"{_examples(self.by_id)}; the table has {_examples(ids)}.",
                fix="Write the table's ids into the file's column `id`.",
            )
        lost = sum(self.by_id[key] is not None for key in strangers)
        return [self.by_id.get(key) for key in ids], lost + self.unnamed


def own_labels(table: EmbeddingTable, name: str, *, lists: bool = False) -> list[Label | None]:
    """Return the labels of a table's own column, None where a row has none.

    With `lists` a label may be a list, which stays one.
    """
    if name not in table.schema.names or name == EMBEDDING:
        columns = ", ".join(column for column in table.schema.names if column != EMBEDDING)
        raise UsageError(
            f"{table.path} has no label column {name!r}; its columns are {columns}.",
            fix="Name one of them with --label, or bring labels with --labels FILE.",
        )
    _require_plain(table.schema.field(name), table.path, lists=lists)
    values = table.select([name]).column(0).to_pylist()
    return [_label(value) for value in values]


def column_among(file: Path, names: Sequence[str]) -> str:
    """Return the first of several names that a file has a column of; without any, the first."""
    header = _header(file)
    return next((name for name in names if name in header), names[0])


def _header(file: Path) -> Sequence[str]:
    """Return the columns of a file, none where it cannot be read: reading it will say why."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if file.suffix.lower() == ".parquet":
            return list(pq.read_schema(file).names)
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return next(csv.reader(lines, delimiter=DELIMITERS.get(file.suffix.lower(), ",")), [])
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException):
        return []


def _columns(file: Path, name: str, *, lists: bool) -> tuple[Sequence[Any], Sequence[Any]]:
    """Read the ids and the labels of a file."""
    kind = file.suffix.lower()
    if kind != ".parquet" and kind not in DELIMITERS:
        raise UsageError(
            f"--labels {file}: a .csv, .tsv or .parquet file is expected.",
            fix="Save the labels as CSV, with a column `id` and a label column.",
        )
    if not file.is_file():
        raise UsageError(f"--labels {file}: there is no such file.")
    return _of_parquet(file, name, lists=lists) if kind == ".parquet" else _of_csv(file, name)


def _of_parquet(file: Path, name: str, *, lists: bool) -> tuple[Sequence[Any], Sequence[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(file)
        _require_columns(file, schema.names, name)
        _require_plain(schema.field("id"), file)
        _require_plain(schema.field(name), file, lists=lists)
        rows = pq.read_table(file, columns=["id", name])
    except (OSError, pa.ArrowException) as error:
        raise HeadError(f"{file} cannot be read as Parquet: {error}") from error
    return rows["id"].to_pylist(), rows[name].to_pylist()


def _of_csv(file: Path, name: str) -> tuple[Sequence[Any], Sequence[Any]]:
    keys, labels = [], []
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, delimiter=DELIMITERS[file.suffix.lower()], strict=True)
            header = next(reader, [])
            _require_columns(file, header, name)
            for row in filter(None, reader):
                _require_width(file, reader.line_num, row, header)
                keys.append(row[header.index("id")])
                labels.append(row[header.index(name)])
    except (UnicodeDecodeError, csv.Error) as error:
        raise HeadError(f"{file} cannot be read as UTF-8 CSV: {error}") from error
    return keys, labels


def _require_width(file: Path, line: int, row: list[str], header: list[str]) -> None:
    if len(row) != len(header):
        raise HeadError(
            f"{file}, line {line}: {len(header)} cells are expected, as in its header, got "
            f"{len(row)}.",
            fix="Mend the line; quote cells that hold the delimiter.",
        )


def _require_columns(file: Path, columns: Sequence[str], name: str) -> None:
    for wanted in ("id", name):
        if wanted not in columns:
            raise UsageError(
                f"{file} has no column {wanted!r}; its columns are {', '.join(columns)}.",
                fix=_delimiter_hint(file, columns)
                or "It needs a column `id` and a label column, which --label names.",
            )


def _delimiter_hint(file: Path, columns: Sequence[str]) -> str:
    """Say what to do about a header that was written with another delimiter, if it was."""
    if file.suffix.lower() not in DELIMITERS:
        return ""
    found = next((mark for mark in _MARKS if any(mark in column for column in columns)), None)
    return f"Its cells seem to lie between {found!r}: {_MARKS[found]}." if found else ""


def _require_plain(field: pa.Field, where: Path, *, lists: bool = False) -> None:
    import pyarrow as pa

    kinds = pa.types
    binary = kinds.is_binary(field.type) or kinds.is_large_binary(field.type)
    if lists and kinds.is_list(field.type) and kinds.is_string(field.type.value_type):
        return
    if kinds.is_nested(field.type) or binary:
        raise UsageError(
            f"Column {field.name!r} of {where} holds values of type {field.type}; a label or an id "
            f"is one text, number, truth value or date.",
            fix="Name another column, or write one label per row into a file for --labels.",
        )


def _text(value: Any) -> str | None:
    """Return a label or an id as a string; None for null, NaN and the empty string."""
    missing = value is None or value != value or value == ""  # only NaN differs from itself
    return None if missing else str(value)


def _label(value: Any) -> Label | None:
    """Return a list as it is, else what `_text` does."""
    return value if isinstance(value, list) else _text(value)


def _examples(ids: Sequence[str] | dict[str, Label | None]) -> str:
    return ", ".join(repr(key) for key in list(ids)[:_SHOWN])
