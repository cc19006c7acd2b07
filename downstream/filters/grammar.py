"""A filter's text to its tree, by recursive descent over the grammar of the package."""

from __future__ import annotations

from downstream.filters.patterns import PATTERN, WILDCARDS, read_pattern
from downstream.filters.tree import (
    And,
    Comparison,
    Condition,
    IsNull,
    Like,
    Literal,
    Membership,
    Operator,
    Or,
    depth,
    joined,
    negated,
)
from downstream.filters.words import (
    Kind,
    Word,
    mistake,
    quoted_name,
    quoted_text,
    read_number,
    read_words,
)
from featurize.errors import UsageError

DEPTH = 100  # of parentheses in parentheses
CALLS = 300  # within each other, of a kilobyte each, on a stack of 512 where they are least
LISTED = 10_000  # values in one IN
_EXAMPLE = "label = 'refund' AND price < 10"
_SIGNS = {operator.value: operator for operator in Operator} | {"<>": Operator.NE}
_AFTER_COLUMN = "a comparison (=, !=, <, <=, >, >=, IN, LIKE, BETWEEN, IS NULL)"


def parse(text: str) -> Condition:
    """Return the tree of a text; raise UsageError that points at what is not understood."""
    _require_utf8(text)
    condition = _Parser(text).whole()
    if depth(condition) > CALLS:
        raise UsageError(
            "The filter has too many AND and OR within each other.",
            fix="Take conditions out of parentheses, or join several by IN.",
        )
    return condition


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.words = read_words(text)
        self.place = 0
        self.depth = 0

    @property
    def word(self) -> Word:
        return self.words[self.place]

    def whole(self) -> Condition:
        condition = self.either()
        if self.word.kind is not Kind.END:
            raise self.wrong("AND, OR or the end", self.advice_after_condition())
        return condition

    def either(self) -> Condition:
        conditions = [self.both()]
        while self.taken("OR"):
            conditions.append(self.both())
        return joined(Or, conditions)

    def both(self) -> Condition:
        conditions = [self.maybe_not()]
        while self.taken("AND"):
            conditions.append(self.maybe_not())
        return joined(And, conditions)

    def maybe_not(self) -> Condition:
        opposite = False
        while self.taken("NOT"):
            opposite = not opposite
        condition = self.group() if self.taken("(") else self.predicate()
        return negated(condition) if opposite else condition

    def group(self) -> Condition:
        self.depth += 1
        if self.depth > DEPTH:
            raise self.wrong(f"at most {DEPTH} parentheses within each other", "Leave some out.")
        condition = self.either()
        self.require(")", "AND, OR or )", self.advice_after_condition())
        self.depth -= 1
        return condition

    def predicate(self) -> Condition:
        column = self.column()
        if self.taken("IS"):
            opposite = self.taken("NOT")
            self.require("NULL", "NULL", f"Write {quoted_name(column)} IS NULL, or = for a value.")
            return negated(IsNull(column)) if opposite else IsNull(column)
        opposite = self.taken("NOT")
        condition = self.comparison(column, opposite=opposite)
        return negated(condition) if opposite else condition

    def column(self) -> str:
        if self.word.kind is Kind.NAME:
            self.place += 1
            return self.words[self.place - 1].value
        fix = f"Write a filter like: {_EXAMPLE}."
        if self.word.kind in (Kind.TEXT, Kind.NUMBER) or self.word.value in ("TRUE", "FALSE"):
            fix = "Put the column first: price < 10; a name with odd characters in double quotes."
        elif self.word.kind is Kind.KEYWORD:
            fix = f'A column of this name is written in double quotes: "{self.shown()}".'
        raise self.wrong("the name of a column", fix)

    def comparison(self, column: str, *, opposite: bool) -> Condition:
        if self.taken("IN"):
            return Membership(column, self.listed())
        if self.taken("LIKE"):
            return Like(column, self.pattern())
        if self.taken("BETWEEN"):
            low = self.literal(column)
            self.require("AND", "AND", "Write both ends: price BETWEEN 10 AND 20.")
            ends = (low, self.literal(column, like=low))
            pairs = zip((Operator.GE, Operator.LE), ends, strict=True)
            return And(tuple(Comparison(column, operator, end) for operator, end in pairs))
        sign = None if opposite else next(filter(self.taken, _SIGNS), None)
        if sign is None:
            expected = "IN, LIKE or BETWEEN" if opposite else _AFTER_COLUMN
            raise self.wrong(expected, self.advice_after_column(column))
        return Comparison(column, _SIGNS[sign], self.literal(column))

    def listed(self) -> tuple[Literal, ...]:
        example = "Write the values in parentheses: label IN ('refund', 'delivery')."
        self.require("(", "(", example)
        literals = [self.literal("")]
        while self.taken(","):
            if len(literals) == LISTED:
                raise self.wrong(f"at most {LISTED:,} values", "Filter by another column.")
            literals.append(self.literal("", like=literals[0]))
        self.require(")", "a comma or )", example)
        return tuple(literals)

    def pattern(self) -> str:
        word, text = self.word, self.literal("")
        if not isinstance(text, str):
            raise mistake(self.text, word, "a pattern", "Write it in single quotes: 'a%'.")
        if (pattern := read_pattern(text)) is None:
            fix = r"Write % for any text, _ for any character, \%, \_ and \\ for themselves."
            raise mistake(self.text, word, r"a pattern with %, _ or \ after each \ ", fix)
        if len(pattern) > PATTERN or pattern.count("%") > WILDCARDS:
            expected = f"a pattern of at most {PATTERN:,} characters and {WILDCARDS} times %"
            raise mistake(self.text, word, expected, "Shorten it, or join two by AND.")
        return pattern

    def literal(self, column: str, like: Literal | None = None) -> Literal:
        word = self.word
        literal = self.value(column)
        if like is not None and type(literal) is not type(like):
            fix = "Write all of them as numbers, or all in single quotes."
            raise mistake(self.text, word, "a value of the same kind as the first", fix)
        self.place += 1
        return literal

    def value(self, column: str) -> Literal:
        word, expected = self.word, "a value"
        if word.kind is Kind.TEXT:
            return word.value
        if word.kind is Kind.KEYWORD and word.value in ("TRUE", "FALSE"):
            return word.value == "TRUE"
        if word.kind is Kind.NUMBER:
            expected = "a number of at most 308 digits before or behind the point"
            if (number := read_number(word.value)) is not None:
                return number
        raise self.wrong(expected, self.advice_for_value(column))

    def advice_for_value(self, column: str) -> str:
        if self.word.value == "NULL":
            return f"Write {quoted_name(column or 'label')} IS NULL: nothing equals NULL."
        if self.word.kind is Kind.NAME:
            value = quoted_text(self.word.value)
            return f"If a text is meant, write {value}; columns are not compared with each other."
        return "A value is a number (10, -1.5, 2e3), a text ('refund'), TRUE or FALSE."

    def advice_after_column(self, column: str) -> str:
        if self.word.kind is Kind.NAME:
            return f'A name of more than one word is written in double quotes: "{column} ...".'
        name = quoted_name(column)
        return f"Write a column with what it is compared with: {name} = 'refund', {name} = TRUE."

    def advice_after_condition(self) -> str:
        return f"Put text in single quotes, and AND or OR between conditions: {_EXAMPLE}."

    def taken(self, value: str) -> bool:
        """Step over a keyword or sign if it is the next word."""
        found = self.word.value == value and self.word.kind in (Kind.KEYWORD, Kind.SIGN)
        self.place += found
        return found

    def require(self, value: str, expected: str, fix: str) -> None:
        if not self.taken(value):
            raise self.wrong(expected, fix)

    def wrong(self, expected: str, fix: str) -> UsageError:
        return mistake(self.text, self.word, expected, fix)

    def shown(self) -> str:
        return self.text[self.word.start : self.word.end]


def _require_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The filter holds a byte at character {error.start + 1} that is no UTF-8.",
            fix="Run the command in a UTF-8 locale.",
        ) from error
