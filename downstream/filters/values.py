"""How the values of a column meet the literals of a filter, by the type of the column."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

from downstream.filters.tree import Literal, Operator

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

_COMPARE: dict[Operator, Callable[[Any, Any], Any]] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
}
_EXACT = Context(prec=400)  # digits: more than those of any number a filter may hold
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_PLAIN = r"^[+-]?[0-9]{1,20}(\.[0-9]{1,18})?$"  # what decimal128(38, 18) holds


class Values(Protocol):
    """The values of a column; what comes of a null is null."""

    def compare(self, operator: Operator, literal: Any) -> pc.Expression:
        """Return how the values compare with a literal."""

    def among(self, literals: Sequence[Any]) -> pc.Expression:
        """Return which values are among the literals."""


@dataclass(frozen=True, slots=True)
class Same:
    """Values that are compared with a literal as `scalar` makes it one of their type."""

    column: pc.Expression
    scalar: Callable[[Literal], pa.Scalar]

    def compare(self, operator: Operator, literal: Literal) -> pc.Expression:
        """Compare as Arrow does."""
        return _COMPARE[operator](self.column, self.scalar(literal))

    def among(self, literals: Sequence[Literal]) -> pc.Expression:
        """Look the values up."""
        return _among(self.column, [self.scalar(literal) for literal in literals])


@dataclass(frozen=True, slots=True)
class Floats:
    """Binary numbers; a literal becomes the `nearest` of their type, as in `0.1` for 0.1."""

    column: pc.Expression
    nearest: Callable[[Decimal], float]

    def compare(self, operator: Operator, literal: Decimal) -> pc.Expression:
        """Compare as IEEE 754 does: NaN differs from every number and is not less or greater."""
        return _COMPARE[operator](self.column, self.nearest(literal))

    def among(self, literals: Sequence[Decimal]) -> pc.Expression:
        """Look the values up, 0.0 with either sign, between which lookup tells a difference."""
        import pyarrow as pa

        numbers = {self.nearest(literal) for literal in literals}
        signed = [*numbers, *(-number for number in numbers if number == 0)]
        return _among(self.column, [pa.scalar(number, pa.float64()) for number in signed])


@dataclass(frozen=True, slots=True)
class Steps:
    """Integers or decimals: the whole multiples of 10**-scale, of `low` to `high` such steps.

    A literal that lies between two steps or beyond the last is moved to a step that gives the same
    answer for every value, so that comparisons are exact for all literals.
    """

    column: pc.Expression
    type: pa.DataType
    scale: int
    low: int
    high: int

    def compare(self, operator: Operator, literal: Decimal) -> pc.Expression:
        """Compare exactly."""
        steps = self._steps(literal)
        # x < 2.5 and x >= 2.5 part the steps in front of 3, x <= 2.5 and x > 2.5 behind 2.
        upward = operator in (Operator.LT, Operator.GE)
        step = math.ceil(steps) if upward else math.floor(steps)
        if operator in (Operator.EQ, Operator.NE) and not self._holds(steps):
            return self._always(operator is Operator.NE)
        if not self.low <= step <= self.high:
            below = step > self.high
            return self._always((operator in (Operator.LT, Operator.LE)) == below)
        return _COMPARE[operator](self.column, self._scalar(step))

    def among(self, literals: Sequence[Decimal]) -> pc.Expression:
        """Look the values up among the literals that are steps."""
        steps = filter(self._holds, map(self._steps, literals))
        found = [self._scalar(int(step)) for step in steps]
        return _among(self.column, found) if found else self._always(False)

    def _steps(self, literal: Decimal) -> Fraction:
        return Fraction(literal) * Fraction(10) ** self.scale

    def _holds(self, steps: Fraction) -> bool:
        return steps.denominator == 1 and self.low <= steps <= self.high

    def _scalar(self, step: int) -> pa.Scalar:
        import pyarrow as pa

        integer = pa.types.is_integer(self.type)
        value = step if integer else Decimal(step).scaleb(-self.scale, context=_EXACT)
        return pa.scalar(value, self.type)

    def _always(self, truth: bool) -> pc.Expression:
        return self.column == self.column if truth else self.column != self.column


@dataclass(frozen=True, slots=True)
class NumbersInText:
    """Texts that state numbers, as CSV columns do; the others count as null.

    Up to 20 digits before and 18 behind the point are compared exactly, others as float64.
    """

    column: pc.Expression
    nearest: Callable[[Decimal], float]

    def compare(self, operator: Operator, literal: Decimal) -> pc.Expression:
        """Compare the numbers."""
        return self._either(lambda values: values.compare(operator, literal))

    def among(self, literals: Sequence[Decimal]) -> pc.Expression:
        """Look the numbers up."""
        return self._either(lambda values: values.among(literals))

    def _either(self, ask: Callable[[Values], pc.Expression]) -> pc.Expression:
        import pyarrow as pa
        import pyarrow.compute as pc

        text, exactly = pc.ascii_trim_whitespace(self.column), pa.decimal128(38, 18)
        plain = pc.match_substring_regex(text, _PLAIN)
        exact = Steps(_where(plain, text).cast(exactly), exactly, 18, -(10**38) + 1, 10**38 - 1)
        rough = _where(states_number(self.column), text).cast(pa.float64())
        return pc.if_else(plain, ask(exact), ask(Floats(rough, self.nearest)))


def states_number(column: pc.Expression) -> pc.Expression:
    """Return whether texts state a number, ASCII spaces around it aside."""
    import pyarrow.compute as pc

    return pc.match_substring_regex(pc.ascii_trim_whitespace(column), _NUMBER)


def _among(column: pc.Expression, scalars: Sequence[pa.Scalar]) -> pc.Expression:
    import pyarrow as pa

    return _where(column.is_valid(), column.isin(pa.array(scalars)))


def _where(condition: pc.Expression, values: pc.Expression) -> pc.Expression:
    """Return the values where the condition holds, else null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(condition, values, pa.scalar(None))
