"""CSV and TSV files, record by record: one damaged record costs that record alone."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.errors import InputRejected, NoInput, SourceError, UsageError
from featurize.sources.lines import RecordLines, RecordTooLong
from featurize.sources.records import Problems, Records, naming_damage, open_binary
from featurize.sources.source import BATCH_BYTES, BATCH_ROWS
from featurize.types import RejectReason

if TYPE_CHECKING:
    import pyarrow as pa

# The module's own bound on a field would fail whole files; lines and records have bounds of ours.
csv.field_size_limit((1 << 31) - 1)
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(slots=True)
class _Rows:
    """The records that will form the next batch."""

    values: list[list[str] | None] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: Problems = field(default_factory=dict)
    size: int = 0

    def add(self, row: list[str] | InputRejected, line: int, size: int) -> None:
        """Append a record, or what is wrong with it."""
        if isinstance(row, InputRejected):
            self.problems[len(self.values)] = row
            self.values.append(None)
        else:
            self.values.append(row)
        self.lines.append(line)
        self.size += size

    def undecoded(self) -> int:
        """Return how many of the records are not in the encoding of the file."""
        return sum(found.reason is RejectReason.BAD_UTF8 for found in self.problems.values())

    def full(self) -> bool:
        """Tell whether the batch has reached a bound."""
        return len(self.values) >= BATCH_ROWS or self.size >= BATCH_BYTES


class DelimitedFile:
    """A CSV or TSV file, possibly .gz, with a header.

    Every value is the exact string of the file; a column without a name is called `column_N`, N
    its place from 1. `notes` are sentences for the user, complete once `records` is exhausted.
    Raises UsageError for an unknown encoding or delimiter, SourceError for a file without a
    readable header.
    """

    def __init__(self, path: Path, *, encoding: str, delimiter: str) -> None:
        _check_options(encoding, delimiter)
        self.path = path
        # A byte order mark belongs to no column name.
        self._codec = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
        self._encoding = encoding
        self._delimiter = delimiter
        self._read = 0
        self.notes: list[str] = []
        self.names = self._named(self._header())

    def types(self) -> dict[str, pa.DataType]:
        """Return the type of every column."""
        import pyarrow as pa

        return dict.fromkeys(self.names, pa.string())

    def records(self) -> Iterator[Records]:
        """Yield all records after the header; raise SourceError where the file is damaged."""
        self._read = undecoded = 0
        batch = _Rows()
        for row, lines in self._rows(skip_header=True):
            self._read += 1
            batch.add(self._checked(row, lines), lines.first, lines.size)
            if batch.full():
                yield self._columns(batch)
                undecoded += batch.undecoded()
                batch = _Rows()
        if batch.values:
            yield self._columns(batch)
            undecoded += batch.undecoded()
        if 2 * undecoded > self._read:
            self.notes.append(
                f"{undecoded} of {self._read} records of {self.path.name} are not "
                f"{self._encoding}: if the file has another encoding, name it: --encoding cp1252."
            )

    def _header(self) -> list[str]:
        """Read the names of the columns."""
        row = next((row for row, _ in self._rows(skip_header=False)), None)
        if row is None:
            raise NoInput(f"No input found: {self.path.name} is empty.")
        if isinstance(row, InputRejected):
            raise SourceError(
                f"{self.path.name} has no readable header: {row.detail}.",
                fix="If another delimiter splits its fields, name it: --delimiter ';'",
            )
        start = "".join(row)
        if not start.isascii() and _bad_byte(start) is not None:
            utf16 = start.startswith(("\udcff\udcfe", "\udcfe\udcff"))
            raise SourceError(
                f"The header of {self.path.name} is not {self._encoding}"
                + (", it begins as UTF-16 does." if utf16 else "."),
                fix=f"Name the encoding of the file: --encoding {'utf-16' if utf16 else 'cp1252'}",
            )
        return row

    def _named(self, header: list[str]) -> list[str]:
        """Give each column without a name one, as the index of a data frame has none."""
        names = [name or f"column_{place}" for place, name in enumerate(header, 1)]
        self.notes += [
            f"Column {place} of {self.path.name} has no name and is called column_{place}."
            for place, name in enumerate(header, 1)
            if not name
        ]
        return names

    def other_delimiter(self) -> str | None:
        """Return the delimiter that the only column of the header seems to be joined by."""
        if len(self.names) > 1:
            return None
        others = (mark for mark in _DELIMITERS if mark != self._delimiter)
        return next((mark for mark in others if mark in self.names[0]), None)

    def _rows(
        self, *, skip_header: bool
    ) -> Iterator[tuple[list[str] | InputRejected, RecordLines]]:
        """Yield every record that is not blank, with the lines as they stand after it."""
        with naming_damage(self.path.name, lambda: self._read), open_binary(self.path) as binary:
            text = io.TextIOWrapper(
                binary, encoding=self._codec, errors="surrogateescape", newline=""
            )
            lines = RecordLines(text)
            rows = _parsed(lines, self._delimiter)
            if skip_header:
                next(rows, None)
            for row in rows:
                yield row, lines

    def _checked(
        self, row: list[str] | InputRejected, lines: RecordLines
    ) -> list[str] | InputRejected:
        """Refuse a record with more or fewer fields than the header."""
        if isinstance(row, InputRejected) or len(row) == len(self.names):
            return row
        where = f"line {lines.first}"
        if lines.number > lines.first:
            where = f"lines {lines.first} to {lines.number}"
        return InputRejected(
            RejectReason.BAD_ROW, f"expected {len(self.names)} fields, found {len(row)} ({where})"
        )

    def _columns(self, batch: _Rows) -> Records:
        """Turn rows into columns."""
        import pyarrow as pa

        missing = (None,) * len(self.names)
        columns: dict[str, pa.Array] = {}
        values = zip(*(row or missing for row in batch.values), strict=True)
        for name, column in zip(self.names, values, strict=True):
            try:
                columns[name] = pa.array(column, pa.string())
            except UnicodeEncodeError:
                columns[name] = pa.array(self._decoded(name, column, batch), pa.string())
        return Records(columns, len(batch.values), batch.problems)

    def _decoded(
        self, name: str, column: tuple[str | None, ...], batch: _Rows
    ) -> Iterator[str | None]:
        """Yield the values of a column, with a problem and null for those that did not decode."""
        for position, value in enumerate(column):
            bad = None if value is None else _bad_byte(value)
            if bad is None:
                yield value
                continue
            problem = InputRejected(
                RejectReason.BAD_UTF8,
                f"column {name!r}: byte 0x{bad:02x} is not {self._encoding} "
                f"(line {batch.lines[position]})",
            )
            batch.problems.setdefault(position, problem)
            yield None


def _parsed(lines: RecordLines, delimiter: str) -> Iterator[list[str] | InputRejected]:
    """Yield the fields of every record that is not blank, or what is wrong with it.

    A record that cannot be parsed over several lines may have swallowed good ones behind a stray
    quote: only its first line is given up, and parsing goes on at the second.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.start_record()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except InputRejected as problem:
            yield problem
        except (csv.Error, RecordTooLong) as error:
            lines.give_up_first()
            yield _unparsed(error, lines.first)
        else:
            if fields:
                yield fields


def _unparsed(error: Exception, line: int) -> InputRejected:
    """Say why a record could not be parsed."""
    if isinstance(error, RecordTooLong) or "unexpected end of data" in str(error):
        return InputRejected(RejectReason.BAD_ROW, f"a quote opened at line {line} never closed")
    return InputRejected(RejectReason.BAD_ROW, f"line {line}: {error}")


def _bad_byte(text: str) -> int | None:
    """Return the first byte that was not decoded, or None where all were."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return ord(text[error.start]) & 0xFF
    return None


def _check_options(encoding: str, delimiter: str) -> None:
    """Raise UsageError for an encoding or a delimiter that cannot be used."""
    try:
        "a".encode(encoding)
    except LookupError:
        raise UsageError(
            f"--encoding {encoding} is no known text encoding.",
            fix="Use a name such as utf-8, cp1252 or utf-16.",
        ) from None
    try:
        csv.reader((), delimiter=delimiter, strict=True)
    except (TypeError, ValueError) as error:
        raise UsageError(f"--delimiter {delimiter!r} cannot be used: {error}.") from None
