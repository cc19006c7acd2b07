"""The part of a text in which the words of a query occur."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from featurize.wording import printable

Span: TypeAlias = tuple[int, int]
"""Start and end of a part of a text."""

_READ = 20_000  # characters, which is more than encoders see of a text
_WORD = re.compile(r"[\w\u0300-\u036f]+")  # accents that stand alone belong to their letter
_BEFORE = 3  # of the room beside the matches, one part in so many goes before the first
_SNAP = 20  # characters at most that a cut moves to fall between words


@dataclass(frozen=True, slots=True)
class Snippet:
    """A part of a text on one line, printable, and where in it words of the query stand."""

    text: str
    matches: tuple[Span, ...] = ()

    def pieces(self) -> Iterator[tuple[str, bool]]:
        """Yield the text in pieces, each with whether it is a match."""
        done = 0
        for start, end in self.matches:
            yield self.text[done:start], False
            yield self.text[start:end], True
            done = end
        yield self.text[done:], False


def snippet(text: str, query: str, length: int) -> Snippet:
    """Return the part of a text, of `length` characters at most, with most words of a query.

    Words match as a whole, whatever their case and accents. Of parts with equally many of the
    query's words, that is taken where they stand closest together, then the first; without any,
    the start of the text. What is left out at either end becomes an ellipsis. White space becomes
    single spaces, control characters their escapes.
    """
    line = printable(" ".join(text[:_READ].split()))
    whole = len(text) <= _READ
    matches = _matches(line, query)
    if whole and len(line) <= length:
        return Snippet(line, tuple(matches))
    start, end = _window(line, matches, length - 4)  # but for an ellipsis and a space at each end
    front, back = "… " if start else "", " …" if end < len(line) or not whole else ""
    shift = len(front) - start
    kept = [(a + shift, b + shift) for a, b in matches if start <= a and b <= end]
    return Snippet(f"{front}{line[start:end]}{back}", tuple(kept))


def _matches(line: str, query: str) -> list[Span]:
    wanted = {_folded(word) for word in _WORD.findall(printable(query))}
    if not wanted:
        return []
    return [found.span() for found in _WORD.finditer(line) if _folded(found[0]) in wanted]


def _folded(word: str) -> str:
    """Return a word without case and accents."""
    if word.isascii():
        return word.lower()
    parts = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char)).casefold()


def _window(line: str, matches: list[Span], length: int) -> Span:
    """Return the part of a line to show, whose ends fall between words where that is near."""
    first, last = _densest(line, matches, length) if matches else (0, 0)
    start = max(0, first - max(0, length - (last - first)) // _BEFORE) if last > length else 0
    start = min(start, max(0, len(line) - length))
    if start:
        space = line.find(" ", start - 1, min(first, start + _SNAP))
        start = start if space < 0 else space + 1
    end = min(len(line), start + length)
    if end < len(line):
        space = line.rfind(" ", max(last, end - _SNAP), end + 1)
        end = end if space < 0 else space
    return start, end


def _densest(line: str, matches: list[Span], length: int) -> Span:
    """Return from where to where most words of the query stand, the nearest to each other."""
    words = [_folded(line[start:end]) for start, end in matches]
    best, found, inside = (0, 0), matches[0], Counter[str]()
    left = 0
    for right, (_, end) in enumerate(matches):
        inside[words[right]] += 1
        while left < right and (inside[words[left]] > 1 or end - matches[left][0] > length):
            inside[words[left]] -= 1
            left += 1
        start = matches[left][0]
        score = (len(+inside), start - end)
        if score > best or not right:
            best, found = score, (start, end)
    return found
