"""How numbers are put into sentences."""


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: `1 row`, `1,234 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
