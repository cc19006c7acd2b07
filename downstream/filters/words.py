"""The words of a filter's text, and the error that points at one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from featurize.errors import UsageError
from featurize.wording import printable

CHARACTERS = 100_000  # of a filter
KEYWORDS = {"AND", "OR", "NOT", "IN", "LIKE", "IS", "NULL", "BETWEEN", "TRUE", "FALSE"}
_MAGNITUDE = 308  # numbers up to the greatest float64 are enough, and cheap to compute with
_EXPONENT = 8  # characters; Decimal refuses exponents of some twenty
_SHOWN = 30  # characters on either side of a mistake
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_BARE = r"[^\W\d]\w*"
_WORDS = re.compile(
    rf"""
    (?P<text>'[^']*(?:''[^']*)*') | (?P<name>"[^"]*(?:""[^"]*)*") | (?P<number>{_NUMBER})
    | (?P<bare>{_BARE}) | (?P<sign><>|!=|<=|>=|[=<>(),])
    """,
    re.VERBOSE,
)
_SPACE = re.compile(r"\s*")
_INSTEAD = {
    "==": "Write = for equality.",
    "&": "Write AND.",
    "|": "Write OR.",
    "!": "Write != or NOT.",
    "'": "Close the text with ', and write '' for a ' in it: label = 'it''s late'.",
    '"': 'Close the name of the column with ", and write "" for a " in it: "unit price" < 10.',
    **dict.fromkeys(
        "\u2018\u2019\u201c\u201d\u201e`\u00b4", "Put text in straight quotes: label = 'refund'."
    ),
}


class Kind(StrEnum):
    """What a word is."""

    TEXT = "text"
    NAME = "name"
    NUMBER = "number"
    KEYWORD = "keyword"
    SIGN = "sign"
    END = "end"


@dataclass(frozen=True, slots=True)
class Word:
    """A word: what it is, what it says without its quotes, where it begins and ends."""

    kind: Kind
    value: str
    start: int
    end: int


def read_words(text: str) -> list[Word]:
    """Split a text into words, the last of which is its end; raise UsageError where none begins."""
    if len(text) > CHARACTERS:
        raise UsageError(
            f"A filter of {len(text):,} characters is too long: at most {CHARACTERS:,} are read.",
            fix="Search without it and choose among the hits, or add a column to filter by.",
        )
    words, place = [], _after_space(text, 0)
    while place < len(text):
        if (found := _WORDS.match(text, place)) is None or text.startswith("==", place):
            raise _no_word(text, place)
        words.append(_word(found))
        place = _after_space(text, found.end())
    return [*words, Word(Kind.END, "", len(text), len(text))]


def read_number(text: str) -> Decimal | None:
    """Return the number that a text states exactly, spaces around it aside; None if it is none."""
    if not re.fullmatch(_NUMBER, text := text.strip()) or len(text) > CHARACTERS:
        return None
    if len(text.lower().partition("e")[2]) > _EXPONENT:
        return None
    number = Decimal(text)
    return (number or Decimal()) if abs(number.adjusted()) <= _MAGNITUDE or not number else None


def mistake(text: str, word: Word, expected: str, fix: str) -> UsageError:
    """Return the error that a word stands where something else was expected."""
    found = f"found {printable(text[word.start : word.end][:_SHOWN])}"
    lead, rest = text[max(0, word.start - _SHOWN) : word.start], text[word.start :][:_SHOWN]
    before = ("…" if word.start > _SHOWN else "") + printable(lead)
    after = printable(rest) + ("…" if len(text) > word.start + _SHOWN else "")
    return UsageError(
        f"The filter is not understood at character {word.start + 1}: expected {expected}, "
        f"{'but it ends' if word.kind is Kind.END else found}.\n"
        f"    {before}{after}\n    {' ' * len(before)}^",
        fix=fix,
    )


def quoted_text(text: str) -> str:
    """Return a text as it is written in a filter."""
    return "'" + text.replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """Return the name of a column as it is written in a filter, in quotes where it needs them."""
    bare = re.fullmatch(_BARE, name) and not _is_keyword(name)
    return name if bare else '"' + name.replace('"', '""') + '"'


def _word(found: re.Match[str]) -> Word:
    group, value = str(found.lastgroup), found.group()
    if group in ("text", "name"):
        quote = value[0]
        value = value[1:-1].replace(quote * 2, quote)
    kind = Kind.NAME if group == "bare" else Kind(group)
    if group == "bare" and _is_keyword(value):
        kind, value = Kind.KEYWORD, value.upper()
    return Word(kind, value, found.start(), found.end())


def _is_keyword(word: str) -> bool:
    return word.isascii() and word.upper() in KEYWORDS  # the capital of U+017F is S


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _no_word(text: str, place: int) -> UsageError:
    width = 2 if text.startswith("==", place) else 1
    word = Word(Kind.SIGN, text[place : place + width], place, place + width)
    example = "Write a filter like: label = 'refund' AND price < 10."
    return mistake(text, word, "a name, value or sign", _INSTEAD.get(word.value, example))
