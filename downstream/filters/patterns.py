r"""The patterns of LIKE: `%` any text, `_` any character, `\` before a `%`, `_` or `\` meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow.compute as pc

PATTERN = 1_000  # characters
WILDCARDS = 20  # times %: each may cost a pass over a text
_PIECES = re.compile(r"\\.?|%+|[^\\%]", re.DOTALL)
_ESCAPED = {r"\%", r"\_", r"\\"}
_WILD = {"%": ".*", "_": "."}


def read_pattern(text: str) -> str | None:
    """Return a pattern without `%%`; None where a backslash escapes nothing."""
    pieces = _PIECES.findall(text)
    if any(piece[0] == "\\" and piece not in _ESCAPED for piece in pieces):
        return None
    return "".join("%" if piece[0] == "%" else piece for piece in pieces)


def matches(column: pc.Expression, pattern: str) -> pc.Expression:
    """Return whether the texts of a column match a pattern as a whole, in linear time."""
    import pyarrow.compute as pc

    if r"\\" not in pattern:
        return pc.match_like(column, pattern)
    # Arrow 26 looks for both backslashes of an escaped one where a pattern is a prefix or suffix.
    regex = "".join(_WILD.get(piece, re.escape(piece[-1])) for piece in _PIECES.findall(pattern))
    return pc.match_substring_regex(column, rf"(?s)\A{regex}\z")
