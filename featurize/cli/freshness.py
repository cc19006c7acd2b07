"""What a person should know of an index that is asked: how far its table has moved on, and more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from featurize.cli.console import Console
from featurize.errors import IndexFileError
from featurize.types import Json
from featurize.wording import counted

if TYPE_CHECKING:
    from downstream import VectorIndex


def heed(console: Console, path: Path, index: VectorIndex, strict: bool) -> list[str]:
    """Warn of an index its table moved on from, and return the warning; refuse it if `strict`."""
    drift, table = index.drift(), index.origin["table"]
    if strict and index.unknown is not None:
        raise IndexFileError(
            f"Nothing tells whether the index is up to its table: {index.unknown}",
            fix="Bring the table back, or leave out --strict.",
        )
    if index.unknown is not None and Path(table).exists():
        console.say(f"Nothing tells whether the index is up to its table: {index.unknown}")
    if not drift:
        return []
    counts = {
        "not in the index": len(drift.missing),
        "of the index gone": len(drift.removed),
        "with other columns": len(drift.changed),
    }
    told = ", ".join(f"{counted(count, 'row')} {what}" for what, count in counts.items() if count)
    told = f"The table has moved on: {told}."
    fix = f"Bring the index up to it: featurize index {table} --out {path} --update"
    if strict:
        raise IndexFileError(told, fix=f"{fix}; or leave out --strict.")
    console.say(f"{told} {fix}")
    return [told]


def freshness(index: VectorIndex) -> Json:
    """Return how far the table has moved on."""
    return {"stale": index.staleness(), "changed": len(index.drift().changed)}


def limits(options: Json) -> list[str]:
    """Say which rows were searched, and which scores count."""
    told = []
    if options["where"] is not None:
        told.append(f"Only rows for which this holds: {options['where']}")
    if options["min_score"] is not None:
        told.append(f"Only scores of at least {options['min_score']}.")
    return told


def tell_uncast(console: Console, index: VectorIndex, where: str | None) -> None:
    """Say how many values a filter could not compare."""
    if where is not None:
        for column, count in index.uncast(where).items():
            values = counted(count, "value")
            console.say(f"Not selected, as no number can be read: {values} of `{column}`.")
