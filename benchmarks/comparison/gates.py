"""What must hold: each floor and aim beside the figure, reached or missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from comparison.contestant import Role
from comparison.rounds import Result, Standings
from comparison.tables import table

_BF16_FLAGS = ("avx512_bf16", "amx_bf16")


@dataclass(frozen=True, slots=True)
class Asked:
    """What must be reached, and what should be."""

    floor: float
    aim: float | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure of whole runs and with their start taken off, and what is asked of it, if anything.

    A start is what a run on a single input takes: opening the encoder and the table.
    """

    what: str
    whole: float
    started: float | None
    asked: Asked | None

    @property
    def row(self) -> list[str]:
        """Return the gate as a row, the verdicts last."""
        asked = self.asked
        return [
            self.what,
            f"{self.whole:.2f}",
            "" if self.started is None else f"{self.started:.2f}",
            "" if asked is None else f"{asked.floor:g}",
            "" if asked is None or asked.aim is None else f"{asked.aim:g}",
            verdict(self.whole, asked),
            "" if self.started is None else verdict(self.started, asked),
        ]


def verdict(figure: float, asked: Asked | None) -> str:
    """Say what a figure reached."""
    if asked is None:
        return "not judged: this CPU has no bf16"
    if figure < asked.floor:
        return "**floor missed**"
    if asked.aim is None:
        return "reached"
    return "aim reached" if figure >= asked.aim else "floor reached, aim missed"


def lines(gates: Sequence[Gate]) -> list[str]:
    """Return the table of all gates."""
    head = ["what must hold", "whole run", "start taken off", "floor", "aim"]
    return table([*head, "whole run", "start taken off"], [gate.row for gate in gates])


def speed(standings: Standings, name: str, asked: dict[str, Asked]) -> Iterator[Gate]:
    """Judge ours by the rate of the reference; `asked` by precision, nothing of int8."""
    reference = standings.reference
    for result in standings.of(Role.OURS):
        if result.entrant.variant == "int8":
            continue
        started = without_start(result, standings)
        yield Gate(
            f"{name}, {result.entrant.variant}: times {reference.entrant.name}",
            median(result.ratios(reference)),
            None if started is None else started / reference.rate,
            _asked(result, asked["bf16" if result.entrant.variant == "bf16" else "fp32"]),
        )


def share(
    standings: Standings, name: str, bounds: dict[str, float], asked: Asked
) -> Iterator[Gate]:
    """Judge ours by an upper bound of its rate, known by variant."""
    for result in standings.of(Role.OURS):
        bound = bounds.get(result.entrant.variant)
        if bound is not None:
            started = without_start(result, standings)
            yield Gate(
                f"{name}, {result.entrant.variant}: of its bound, {bound:,.0f}/s",
                result.rate / bound,
                None if started is None else started / bound,
                _asked(result, asked),
            )


def without_start(result: Result, standings: Standings) -> float | None:
    """Return the rate of ours less the median time of a run on a single input."""
    start = standings.find(Role.START, result.entrant.variant)
    if start is None:
        return None
    seconds = median(result.seconds) - median(start.seconds)
    return (result.count - start.count) / seconds if seconds > 0 else None


def has_bf16() -> bool:
    """Say whether the processor computes bf16 itself."""
    info = Path("/proc/cpuinfo")
    return info.exists() and any(flag in info.read_text() for flag in _BF16_FLAGS)


def _asked(result: Result, asked: Asked) -> Asked | None:
    return asked if result.entrant.variant != "bf16" or has_bf16() else None
