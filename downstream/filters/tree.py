"""Conditions as trees, whose strings are their normalised text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from downstream.filters.words import quoted_name, quoted_text

Literal: TypeAlias = str | Decimal | bool


class Operator(StrEnum):
    """How a column is compared with a value."""

    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


@dataclass(frozen=True, slots=True)
class Comparison:
    """`price < 10`."""

    column: str
    operator: Operator
    literal: Literal

    @property
    def literals(self) -> tuple[Literal, ...]:
        """Return what the column is compared with."""
        return (self.literal,)

    def __str__(self) -> str:
        return f"{quoted_name(self.column)} {self.operator} {_literal(self.literal)}"


@dataclass(frozen=True, slots=True)
class Membership:
    """`label IN ('refund', 'delivery')`; the literals are of one Python type."""

    column: str
    literals: tuple[Literal, ...]

    def __str__(self) -> str:
        return self.text()

    def text(self, negation: str = "") -> str:
        """Return the text, of its opposite with the negation `NOT `."""
        literals = ", ".join(map(_literal, self.literals))
        return f"{quoted_name(self.column)} {negation}IN ({literals})"


@dataclass(frozen=True, slots=True)
class Like:
    r"""`text LIKE 'a%_'`; in the pattern `\` stands before a `%`, `_` or `\` that is meant."""

    column: str
    pattern: str

    @property
    def literals(self) -> tuple[Literal, ...]:
        """Return what the column is compared with."""
        return (self.pattern,)

    def __str__(self) -> str:
        return self.text()

    def text(self, negation: str = "") -> str:
        """Return the text, of its opposite with the negation `NOT `."""
        return f"{quoted_name(self.column)} {negation}LIKE {quoted_text(self.pattern)}"


@dataclass(frozen=True, slots=True)
class IsNull:
    """`label IS NULL`."""

    column: str

    @property
    def literals(self) -> tuple[Literal, ...]:
        """Return what the column is compared with: nothing."""
        return ()

    def __str__(self) -> str:
        return self.text()

    def text(self, negation: str = "") -> str:
        """Return the text, of its opposite with the negation `NOT `."""
        return f"{quoted_name(self.column)} IS {negation}NULL"


Predicate: TypeAlias = Comparison | Membership | Like | IsNull


@dataclass(frozen=True, slots=True)
class Not:
    """A condition that does not hold; made by `negated`, so that no Not stands in a Not."""

    condition: Condition

    def __str__(self) -> str:
        match self.condition:
            case Membership() | Like() | IsNull():
                return self.condition.text("NOT ")
            case Comparison():
                return f"NOT {self.condition}"
        return f"NOT ({self.condition})"


@dataclass(frozen=True, slots=True)
class And:
    """Two or more conditions that hold together, none of them an And."""

    conditions: tuple[Condition, ...]

    def __str__(self) -> str:
        return " AND ".join(f"({c})" if isinstance(c, Or) else str(c) for c in self.conditions)


@dataclass(frozen=True, slots=True)
class Or:
    """Two or more conditions of which one holds, none of them an Or."""

    conditions: tuple[Condition, ...]

    def __str__(self) -> str:
        return " OR ".join(map(str, self.conditions))


Condition: TypeAlias = Predicate | Not | And | Or


def negated(condition: Condition) -> Condition:
    """Return the opposite of a condition."""
    return condition.condition if isinstance(condition, Not) else Not(condition)


def joined(kind: type[And] | type[Or], conditions: list[Condition]) -> Condition:
    """Join conditions by AND or OR, however many, into one level of the tree."""
    if len(conditions) == 1:
        return conditions[0]
    flat: list[Condition] = []
    for condition in conditions:
        flat.extend(condition.conditions if isinstance(condition, kind) else [condition])
    return kind(tuple(flat))


def predicates(condition: Condition) -> Iterator[Predicate]:
    """Yield the comparisons of columns with values, in the order of the text."""
    match condition:
        case Not():
            yield from predicates(condition.condition)
        case And() | Or():
            for part in condition.conditions:
                yield from predicates(part)
        case _:
            yield condition


def depth(condition: Condition) -> int:
    """Return how many calls within each other evaluate a condition, at most."""
    match condition:
        case Not():
            return 1 + depth(condition.condition)
        case And() | Or():
            parts = condition.conditions
            return 2 * (len(parts) - 1).bit_length() + max(map(depth, parts))
    return 0


def _literal(value: Literal) -> str:
    return quoted_text(value) if isinstance(value, str) else str(value).upper()
