"""The columns a filter names: found in a schema, and made comparable with its literals."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from downstream.filters.tree import Literal
from downstream.filters.values import Floats, NumbersInText, Same, Steps, Values
from downstream.filters.words import quoted_name, quoted_text, read_number
from featurize.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

_FLOATS: dict[str, type[np.floating[Any]]] = {
    "halffloat": np.float16,
    "float": np.float32,
    "double": np.float64,
}


def find_column(schema: pa.Schema, name: str) -> pa.Field:
    """Return the field of a column; raise UsageError unless there is exactly one."""
    places = schema.get_all_field_indices(name)
    if len(places) == 1:
        return schema.field(places[0])
    if places:
        raise UsageError(
            f"The filter names {quoted_name(name)}, which {len(places)} columns are called.",
            fix="Rename them, so that each has a name of its own.",
        )
    known = {known.casefold(): known for known in reversed(schema.names)}
    near = difflib.get_close_matches(name.casefold(), known, n=1)
    raise UsageError(
        f"The filter names {quoted_name(name)}, which is no column; the columns are "
        f"{', '.join(map(quoted_name, schema.names)) or 'none'}.",
        fix=f"{quoted_name(known[near[0]])} is the nearest." if near else "Name one of them.",
    )


def plain_column(field: pa.Field) -> tuple[pc.Expression, pa.DataType]:
    """Return a column without its encoding as a dictionary or view, and its type then."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column, kind = pc.field(field.name), field.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_string_view(kind):
        column, kind = column.cast(pa.string()), pa.string()
    return column, kind


def holds_text(kind: pa.DataType) -> bool:
    """Return whether the values of a type are texts."""
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def comparable(field: pa.Field, literals: Sequence[Literal]) -> tuple[Values, Sequence[Literal]]:
    """Return the values of a column, and literals as they are compared with them.

    The literals are of one Python type. Raises UsageError where column or literal do not fit.
    """
    import pyarrow as pa

    column, kind = plain_column(field)
    types, literal = pa.types, type(literals[0])
    if types.is_null(kind):
        return Same(column.cast(pa.bool_()), lambda _: pa.scalar(True)), literals
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return _numbers(field, column, kind), [_number(field, value) for value in literals]
    if holds_text(kind) and literal is Decimal:
        return NumbersInText(column, partial(_nearest, field, np.float64)), literals
    if holds_text(kind):
        return Same(
            column, _only(str, field, "a text in single quotes, or a number", kind)
        ), literals
    if types.is_boolean(kind):
        return Same(column, _only(bool, field, "TRUE or FALSE", kind)), literals
    if types.is_date(kind) or types.is_timestamp(kind):
        return Same(column, partial(_moment, field, kind)), literals
    raise no_comparison(field)


def no_comparison(field: pa.Field, with_what: str = "values") -> UsageError:
    """Return the error that the values of a column are of a type that is not compared."""
    return UsageError(
        f"{quoted_name(field.name)} holds {field.type}, which is not compared with {with_what}.",
        fix=f"Ask for {quoted_name(field.name)} IS NULL, or filter by another column.",
    )


def _numbers(field: pa.Field, column: pc.Expression, kind: pa.DataType) -> Values:
    import pyarrow as pa

    if pa.types.is_floating(kind):
        nearest = partial(_nearest, field, _FLOATS[str(kind)])
        return Floats(column.cast(pa.float64()), nearest)
    if pa.types.is_decimal(kind):
        if kind.bit_width < 128:  # these are not looked up
            wide = pa.decimal128(kind.precision, kind.scale)
            column, kind = column.cast(wide), wide
        high = 10**kind.precision - 1
        return Steps(column, kind, kind.scale, -high, high)
    signed = pa.types.is_signed_integer(kind)
    high = 2 ** (kind.bit_width - signed) - 1
    return Steps(column, kind, 0, -high - 1 if signed else 0, high)


def _number(field: pa.Field, literal: Literal) -> Decimal:
    number = read_number(literal) if isinstance(literal, str) else literal
    if isinstance(number, Decimal):
        return number
    raise _misfit(field, literal, "a number such as 10 or -1.5")


def _nearest(field: pa.Field, kind: type[np.floating[Any]], literal: Decimal) -> float:
    with np.errstate(over="ignore"):
        number = float(kind(float(literal)))
    if math.isinf(number):
        raise _misfit(field, literal, f"a number up to {np.finfo(kind).max:.2g}")
    return number


def _only(
    expected: type, field: pa.Field, described: str, kind: pa.DataType
) -> Callable[[Literal], pa.Scalar]:
    import pyarrow as pa

    def scalar(literal: Literal) -> pa.Scalar:
        if type(literal) is not expected:
            raise _misfit(field, literal, described)
        return pa.scalar(literal, kind)

    return scalar


def _moment(field: pa.Field, kind: pa.DataType, literal: Literal) -> pa.Scalar:
    """Return a date or time; one without a zone is in that of its column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    zone = None if pa.types.is_date(kind) else kind.tz
    example = "'2026-05-31'" if pa.types.is_date(kind) else "'2026-05-31 14:30:00'"
    if isinstance(literal, str):
        for local in (False, True) if zone else (False,):
            read_as = pa.timestamp(kind.unit) if local else kind
            try:
                read = pa.scalar(literal.strip()).cast(read_as)
                return pc.assume_timezone(read, zone) if local else read
            except pa.ArrowInvalid:
                continue
    raise _misfit(field, literal, f"a date or time such as {example}")


def _misfit(field: pa.Field, literal: Literal, expected: str) -> UsageError:
    shown = quoted_text(literal) if isinstance(literal, str) else str(literal).upper()
    return UsageError(
        f"{quoted_name(field.name)} holds {field.type}, which is not compared with {shown}.",
        fix=f"Compare it with {expected}.",
    )
