"""JSON Lines files: one object a line, whose keys may differ from line to line.

Columns are the keys in order of first appearance. A first pass finds them and their types, so that
the second can give typed columns in flat memory.
"""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.errors import InputRejected, NoInput, SourceError
from featurize.sources.jsontypes import ColumnType, kind_of
from featurize.sources.lines import binary_lines
from featurize.sources.records import Problems, Records, naming_damage, open_binary
from featurize.sources.source import BATCH_BYTES, BATCH_ROWS
from featurize.types import Json, RejectReason

if TYPE_CHECKING:
    import pyarrow as pa


_LOOKED_AT = 4096


def _refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(f"{name} is no JSON value")


def _without_repeats(pairs: list[tuple[str, object]]) -> Json:
    """Refuse an object with a key twice, of which Python would keep the last in silence."""
    value = dict(pairs)
    if len(value) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise ValueError(f"the key {counts.most_common(1)[0][0]!r:.80} occurs twice")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_without_repeats)


class JsonlFile:
    """A JSON Lines file, possibly .gz.

    Raises SourceError for a file without one readable object.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._types: dict[str, ColumnType] = {}
        self._refuse_array()
        for value, _ in self._objects():
            if not isinstance(value, InputRejected):
                for name, item in value.items():
                    self._types.setdefault(name, ColumnType()).see(item)
        self.names = list(self._types)
        if not self.names:
            raise NoInput(f"No input found: no line of {path.name} is a JSON object with a value.")

    def _refuse_array(self) -> None:
        """Refuse a file of one JSON array, most of whose lines would each be a bad one."""
        with naming_damage(self.path.name, lambda: 0), open_binary(self.path) as file:
            start = file.read(_LOOKED_AT).removeprefix(codecs.BOM_UTF8).lstrip()
        if start.startswith(b"["):
            raise SourceError(
                f"{self.path.name} holds a JSON array; one object per line is expected.",
                fix="Write each object on a line of its own, as jq -c '.[]' does.",
            )

    def types(self) -> dict[str, pa.DataType]:
        """Return the type of every column."""
        return {name: found.arrow() for name, found in self._types.items()}

    def records(self, *, text: str, id: str | None = None) -> Iterator[Records]:
        """Yield all records; raise SourceError where the file is damaged.

        A value of the column `text` which is no string makes its record a bad one, as does a value
        of the column `id` which is neither a string nor an integer.
        """
        objects: list[Json] = []
        problems: Problems = {}
        size = 0
        for value, length in self._objects():
            if isinstance(value, InputRejected):
                problems[len(objects)] = value
                value = {}
            else:
                _check_parts(value, text, id, (problems, len(objects)))
            objects.append(value)
            size += length
            if len(objects) >= BATCH_ROWS or size >= BATCH_BYTES:
                yield self._columns(objects, problems, {text, id})
                objects, problems, size = [], {}, 0
        if objects:
            yield self._columns(objects, problems, {text, id})

    def _columns(
        self, objects: list[Json], problems: Problems, strings: set[str | None]
    ) -> Records:
        """Turn objects into typed columns."""
        import pyarrow as pa

        columns = {
            name: pa.array([item.get(name) for item in objects], pa.string())
            if name in strings
            else found.array([item.get(name) for item in objects])
            for name, found in self._types.items()
        }
        return Records(columns, len(objects), problems)

    def _objects(self) -> Iterator[tuple[Json | InputRejected, int]]:
        """Yield every line that is not blank as an object or as what is wrong with it."""
        self._read = 0
        with naming_damage(self.path.name, lambda: self._read), open_binary(self.path) as file:
            for number, line in enumerate(binary_lines(file), 1):
                if isinstance(line, InputRejected):
                    self._read += 1
                    yield line, 0
                    continue
                if number == 1:
                    line = line.removeprefix(codecs.BOM_UTF8)
                if not line.isspace() and line:
                    self._read += 1
                    yield parse_object(line, f"line {number}"), len(line)


def parse_object(data: bytes, where: str) -> Json | InputRejected:
    """Return the object that JSON holds, or what is wrong with it."""
    try:
        value = _DECODER.decode(data.decode())
        if not isinstance(value, dict):
            found = kind_of(value)
            return InputRejected(
                RejectReason.BAD_ROW, f"{where}: expected an object, found {found}"
            )
        if b"\\u" in data:
            # An escaped half of a character is valid JSON, and no text.
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError as error:
        reason = error.reason if isinstance(error, UnicodeDecodeError) else "half a character"
        return InputRejected(RejectReason.BAD_UTF8, f"{where} is not UTF-8: {reason}")
    except RecursionError:
        return InputRejected(RejectReason.BAD_ROW, f"{where}: nested too deeply")
    except ValueError as error:
        return InputRejected(RejectReason.BAD_ROW, f"{where}: {error}")
    return value


def _check_parts(value: Json, text: str, id: str | None, found: tuple[Problems, int]) -> None:
    """Make the text and the id strings, or null with a problem where they cannot be."""
    problems, position = found
    content = value.get(text)
    if content is not None and not isinstance(content, str):
        problems[position] = _wrong_type(text, content, "a string")
        value[text] = None
    if id is None or isinstance(value.get(id), str | None):
        return
    if isinstance(value[id], int) and not isinstance(value[id], bool):
        value[id] = str(value[id])
        return
    problems[position] = _wrong_type(id, value[id], "a string or an integer")
    value[id] = None


def _wrong_type(name: str, value: object, expected: str) -> InputRejected:
    """Return the reject of a record with a value of another type."""
    return InputRejected(
        RejectReason.BAD_ROW, f"column {name!r}: expected {expected}, found {kind_of(value)}"
    )
