"""How messages put things: numbers with their nouns, in the plural where it is due."""

from __future__ import annotations


def count_of(count: int, noun: str) -> str:
    """Return a count with its noun: "1 row", "1,234 rows"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
