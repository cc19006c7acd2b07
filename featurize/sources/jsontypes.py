"""Gives a column of JSON values one Arrow type, without changing any value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pyarrow as pa

_INT64 = range(-(2**63), 2**63)
_EXACT_IN_FLOAT = range(-(2**53), 2**53 + 1)


class ColumnType:
    """The narrowest type of the values seen so far.

    int64 for integers that fit, float64 for numbers it holds exactly, bool and string; for all
    else, mixtures above all, a string with each value's JSON text.
    """

    def __init__(self) -> None:
        self._kinds: set[str] = set()

    def see(self, value: object) -> None:
        """Take a value into account; null says nothing."""
        if value is not None:
            self._kinds.add(_width_of(value))

    def arrow(self) -> pa.DataType:
        """Return the Arrow type."""
        import pyarrow as pa

        if self._kinds and self._kinds <= {"int", "wide int"}:
            return pa.int64()
        if self._kinds and self._kinds <= {"int", "float"}:
            return pa.float64()
        return pa.bool_() if self._kinds == {"bool"} else pa.string()

    def array(self, values: Sequence[object]) -> pa.Array:
        """Return values of this column as an array; raise ArrowException for any other value."""
        import pyarrow as pa

        kind = self.arrow()
        if kind == pa.float64():
            values = [None if value is None else float(cast(float, value)) for value in values]
        elif kind == pa.string() and not self._kinds <= {"str"}:
            values = [None if value is None else _json_text(value) for value in values]
        return pa.array(values, kind)


def kind_of(value: object) -> str:
    """Name the JSON type of a value as a person would."""
    if isinstance(value, bool):
        return "a boolean"
    names = {str: "a string", int: "a number", float: "a number", list: "an array"}
    return "null" if value is None else names.get(type(value), "an object")


def _width_of(value: object) -> str:
    """Name the kind of a value, integers by how many bits they need."""
    if isinstance(value, bool | float | str):
        return type(value).__name__
    if not isinstance(value, int) or value not in _INT64:
        return "json"
    return "int" if value in _EXACT_IN_FLOAT else "wide int"


def _json_text(value: object) -> str:
    """Return a value as JSON text."""
    return json.dumps(value, ensure_ascii=False)
