"""A filter's tree to an Arrow expression over the columns of a schema."""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

from downstream.filters.columns import (
    comparable,
    find_column,
    holds_text,
    no_comparison,
    plain_column,
)
from downstream.filters.patterns import matches
from downstream.filters.tree import (
    And,
    Comparison,
    Condition,
    IsNull,
    Like,
    Membership,
    Not,
    Or,
    predicates,
)
from downstream.filters.values import states_number

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

_CHAIN = 4  # expressions joined one by one


def build(condition: Condition, schema: pa.Schema) -> pc.Expression:
    """Return whether a condition holds for a row: true, false, or null where nulls leave it open.

    Raises UsageError for columns the schema lacks and for types that cannot be compared.
    """
    import pyarrow.compute as pc

    match condition:
        case And():
            return _joined(operator.and_, [build(part, schema) for part in condition.conditions])
        case Or():
            return _joined(operator.or_, [build(part, schema) for part in condition.conditions])
        case Not():
            return ~build(condition.condition, schema)
        case IsNull():
            return pc.field(find_column(schema, condition.column).name).is_null()
        case Like():
            return _like(find_column(schema, condition.column), condition.pattern)
    values, literals = comparable(find_column(schema, condition.column), condition.literals)
    if isinstance(condition, Membership):
        return values.among(literals)
    return values.compare(condition.operator, literals[0])


def not_numbers(condition: Condition, schema: pa.Schema) -> dict[str, pc.Expression]:
    """Return, by columns of text that are compared with numbers, where a text states none."""
    found = {}
    for predicate in predicates(condition):
        if isinstance(predicate, Comparison | Membership) and _numeric(predicate):
            column, kind = plain_column(find_column(schema, predicate.column))
            if holds_text(kind):
                found[predicate.column] = ~states_number(column)
    return found


def _like(field: pa.Field, pattern: str) -> pc.Expression:
    import pyarrow as pa

    column, kind = plain_column(field)
    if pa.types.is_null(kind):
        return column.cast(pa.bool_())
    if not holds_text(kind):
        raise no_comparison(field, "a pattern")
    return matches(column, pattern)


def _numeric(predicate: Comparison | Membership) -> bool:
    return isinstance(predicate.literals[0], Decimal)


def _joined(join: Callable[[Any, Any], Any], parts: list[pc.Expression]) -> pc.Expression:
    """Join expressions by a tree of `tree.depth`, because Arrow walks it by recursion.

    Arrow makes one long chain of expressions that are joined alike; `coalesce` of one value, which
    is that value, stands between them and prevents it.
    """
    import pyarrow.compute as pc

    while len(parts) > _CHAIN:
        chains = [parts[start : start + _CHAIN] for start in range(0, len(parts), _CHAIN)]
        parts = [pc.coalesce(reduce(join, chain)) for chain in chains]
    return reduce(join, parts)
