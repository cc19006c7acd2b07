"""`models`: the encoders at hand, and what each costs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.wording import size

if TYPE_CHECKING:
    from featurize.inventory import Entry


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "models", models)


def models(
    console: Console,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help="Measure how many inputs a second those that are ready encode here, unless that "
            "was done before.",
        ),
    ] = False,
) -> Outcome:
    """List the encoders at hand: built in or cached, their size, licence and measured rate."""
    from featurize.inventory import list_encoders

    entries = list_encoders(measure=measure, say=console.say)
    return Outcome({"models": [asdict(entry) for entry in entries]}, _as_text(entries))


def _as_text(entries: list[Entry]) -> str:
    return "\n".join(line for entry in entries for line in _lines(entry))


def _lines(entry: Entry) -> list[str]:
    origin = "built in" if entry.built_in else "cached"
    lines = [f"{entry.name}: {origin}, {entry.state}"]
    if entry.modality is not None:
        lines.append(f"  {_facts(entry)}")
    if entry.path is not None:
        lines.append(f"  {size(entry.bytes)} in {entry.path}")
    if entry.problem is not None:
        lines.append(f"  {entry.problem}")
    if entry.state == "damaged":
        lines.append(f"  Remove {entry.path}; the next use exports it again.")
    if entry.precisions:
        lines.append(f"  precisions at hand: {', '.join(entry.precisions)}")
    return [*lines, *_rates(entry)]


def _facts(entry: Entry) -> str:
    facts = [
        f"{_taken(entry)}, {entry.dim} dimensions",
        f"up to {entry.max_length} tokens" if entry.max_length else "",
        f"licence of the weights {entry.license or 'not stated'}",
        f"fingerprint {entry.fingerprint[:12]}" if entry.fingerprint else "",
    ]
    return ", ".join(filter(None, facts))


def _taken(entry: Entry) -> str:
    return f"{entry.modality}s".replace("+", "s and ")


def _rates(entry: Entry) -> list[str]:
    return [
        f"  measured here: {rate.per_second:,.0f} {_taken(entry).partition(' ')[0]}/s"
        f"{f' of {rate.cost} tokens' if entry.max_length else ''}, {rate.precision} on "
        f"{rate.device} with {rate.library}"
        for rate in entry.rates
    ]
