"""Results as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from comparison.contestant import Role
from comparison.rounds import Result, Standings

_SHOWN = (Role.PEER, Role.OURS, Role.COMMAND, Role.LOOP)


def rates(standings: Standings, unit: str, shares: dict[str, float]) -> list[str]:
    """Return the table of rates; `shares` are those of the hardware limit, by name, if known."""
    reference = standings.reference
    head = ["", f"{unit}/s", f"times {reference.entrant.name}", "least-most"]
    head += ["cosine, least", "mean", "peak MiB"]
    rows = [_row(result, reference) for result in standings.of(*_SHOWN)]
    if shares:
        head.append("of the limit")
        for row in rows:
            row.append(f"{shares[row[0]]:.0%}" if row[0] in shares else "")
    return table(head, rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table, its first column to the left and the others to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return ["| " + " | ".join(row) + " |" for row in (head, rule, *rows)]


def rate(value: float) -> str:
    """Write a rate with three digits or more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _row(result: Result, reference: Result) -> list[str]:
    ratios = result.ratios(reference)
    cosines = result.cosines(reference)
    return [
        result.entrant.name,
        rate(result.rate),
        f"{median(ratios):.2f}",
        f"{min(ratios):.2f}-{max(ratios):.2f}",
        *(["", ""] if cosines is None else [f"{cosines.min():.6f}", f"{cosines.mean():.6f}"]),
        f"{result.peak_bytes / 2**20:,.0f}",
    ]
