"""How numbers are put into sentences, and texts of strangers into ours."""

import math
import unicodedata

_STEERING = {"Cc", "Cs", "Zl", "Zp"}
_BIDIRECTIONAL = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: `1 row`, `1,234 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def duration(seconds: float) -> str:
    """Return a time as people say it: `12 s`, `3 min`, `5 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Return a number of bytes as people say it: `512 B`, `12 MB`, `1.6 GB`."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.{0 if count >= 10 * factor else 1}f} {unit}"
    return f"{count} B"


def least_cosine(cosine: float) -> str:
    """Return a figure that a cosine reaches, never rounded up: `0.99964`; `0.99999` at most."""
    return f"{min(0.99999, math.floor(cosine * 1e5) / 1e5):.5f}"


def printable(text: str, *, keep_lines: bool = False) -> str:
    """Return a text from the data without characters that steer a terminal.

    Control characters and bidirectional overrides appear as their escapes; line breaks and tabs
    stay where `keep_lines`.
    """
    kept = "\n\t" if keep_lines else ""

    def shown(char: str) -> str:
        steers = char in _BIDIRECTIONAL or unicodedata.category(char) in _STEERING
        return char if char in kept or not steers else char.encode("unicode_escape").decode()

    return text if text.isprintable() else "".join(shown(char) for char in text)
