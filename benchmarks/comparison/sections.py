"""What stands in RESULTS.md: how it was measured, the tables, what must hold, who was missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from comparison import gates, tables
from comparison.contestant import CORES, Role
from comparison.gates import Asked, Gate
from comparison.inputs import Workload
from comparison.rounds import Standings

_LOOP = Asked(0.92)
_BOUND = Asked(0.90)
_TEXT = {
    "short": {"fp32": Asked(2.8, 3.2), "bf16": Asked(4.6, 5.5)},
    "medium": {"fp32": Asked(2.6, 3.2), "bf16": Asked(4.6, 5.5)},
    "long": {"fp32": Asked(2.5, 2.9), "bf16": Asked(4.6, 5.5)},
}
_IMAGES = {"fp32": Asked(8, 10), "bf16": Asked(13, 15)}


def text_tables(
    workload: Workload, standings: Standings, tokens: float, operations: float
) -> list[str]:
    """Return the tables of one length of text; `tokens` and `operations` are those of one text."""
    limits = {gemm.entrant.variant: gemm.rate for gemm in standings.of(Role.GEMM)}
    shares = {}
    for result in standings.of(Role.PEER, Role.OURS, Role.COMMAND, Role.LOOP):
        variant = result.entrant.variant
        limit = limits.get("bf16" if variant == "bf16" else "fp32")
        if limit and variant != "int8":
            shares[result.entrant.name] = result.rate * operations / limit
    measured = ", ".join(f"{value / 1e9:,.0f} GFLOP/s in {name}" for name, value in limits.items())
    remarks = f"{_starts(standings)} {_most(standings, limits, shares)}"
    return [
        f"### {workload.name.capitalize()}: {workload.count:,} texts of {tokens:.0f} tokens",
        "",
        f"{workload.remark}. The limit is a large matrix product on all cores: {measured}; a text "
        f"takes {operations / 1e9:.2f} GFLOP. {remarks}",
        "",
        *tables.rates(standings, "texts", shares),
        "",
    ]


def text_gates(workload: Workload, standings: Standings) -> list[Gate]:
    """Judge ours on one length of text."""
    loops = {loop.entrant.variant: loop.rate for loop in standings.of(Role.LOOP)}
    return [
        *gates.speed(standings, workload.name, _TEXT[workload.name]),
        *gates.share(standings, workload.name, loops, _LOOP),
    ]


def image_tables(workload: Workload, standings: Standings) -> list[str]:
    """Return the table of the images."""
    measured = " ".join(
        f"D1, decoding and resizing on one core: {decode.rate:,.0f} images/s."
        for decode in standings.of(Role.DECODE)
    )
    reference = standings.reference
    most = ", ".join(
        f"{bound / reference.rate:.1f} times in {variant}"
        for variant, bound in _shared_core_bounds(standings).items()
    )
    measured += (
        f" A run that shared the cores without loss would be, beside the first: {most} as fast."
    )
    return [
        f"### {workload.count:,} images",
        "",
        f"{workload.remark}. {measured} {_starts(standings)}",
        "",
        *tables.rates(standings, "images", {}),
        "",
    ]


def image_gates(workload: Workload, standings: Standings) -> list[Gate]:
    """Judge ours on images; decoding and the model share the cores, 2 / (1/D1 + 2/M) for two."""
    return [
        *gates.speed(standings, workload.name, _IMAGES),
        *gates.share(standings, workload.name, _shared_core_bounds(standings), _BOUND),
    ]


def _shared_core_bounds(standings: Standings) -> dict[str, float]:
    return {
        model.entrant.variant: CORES / (1 / decode.rate + CORES / model.rate)
        for decode in standings.of(Role.DECODE)
        for model in standings.of(Role.LOOP)
    }


def _most(standings: Standings, limits: dict[str, float], shares: dict[str, float]) -> str:
    """Say how many times as fast as the reference anything could be, at the hardware limit."""
    reference = standings.reference.entrant.name
    if reference not in shares:
        return ""
    most = ", ".join(
        f"{limit / limits['fp32'] / shares[reference]:.1f} times in {variant}"
        for variant, limit in limits.items()
    )
    return f"What reached the limit would be, beside {reference}: {most} as fast."


def how(rounds: int, given: str) -> list[str]:
    """Say how it was measured."""
    return [
        f"Medians of {rounds} rounds on {CORES} cores; in every round each works once, in a "
        "rotating order, while all others are stopped. Ratios are taken within a round. "
        f"{given} Ours go from files on disk to a committed table, the encoder opened in "
        "every run; `start taken off` leaves out what a run on a single input takes. Cosines are "
        "to the vectors of the first line; peak memory is that of the process.",
        "",
    ]


def closing(
    judged: Sequence[Gate], standings: Iterable[Standings], absent: dict[str, str]
) -> list[str]:
    """Return what must hold, the versions of everyone, and who did not take part."""
    versions: dict[str, dict[str, str]] = {}
    for one in standings:
        absent = {**absent, **one.absent}
        for result in one.results:
            versions.setdefault(result.entrant.environment or "ours", {}).update(result.versions)
    named = "; ".join(
        f"{environment}: " + ", ".join(f"{name} {version}" for name, version in found.items())
        for environment, found in versions.items()
    )
    return [
        "### What must hold",
        "",
        *gates.lines(judged),
        "",
        f"Versions, by environment: {named}.",
        "",
        *(["Did not take part:", ""] if absent else []),
        *(f"- {name}: {reason.rstrip('.')}." for name, reason in absent.items()),
    ]


def _starts(standings: Standings) -> str:
    """Say what a run on a single input takes."""
    found = [
        f"{median(result.seconds):.2f} s ({result.entrant.variant})"
        for result in standings.of(Role.START)
    ]
    return f"A run on a single input takes {', '.join(found)}." if found else ""
