"""`neighbors` and `duplicates`: which rows of a table are near to each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.cli.hits import groups_table
from featurize.cli.wordings import INCOMPLETE
from featurize.types import Json
from featurize.wording import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from downstream.neighbors import Duplicates

_GROUPS = 20  # in the answer
_IDS = 100  # of each of them
_BLOCKS, _ROWS = 10, 5  # on the terminal

TableArgument = Annotated[Path, typer.Argument(help="The embedding table.", show_default=False)]
RecallOption = Annotated[
    float,
    typer.Option(
        help="The share of the ten nearest rows that an index must find; 1 compares all rows.",
        metavar="R",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "neighbors", neighbors)
    command(app, "duplicates", duplicates)


def neighbors(
    console: Console,
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="The .parquet file to write.", metavar="FILE")],
    k: Annotated[int, typer.Option("-k", help="How many neighbours of each row.")] = 10,
    recall: RecallOption = 0.95,
    min_score: Annotated[
        float | None, typer.Option(help="Leave out neighbours whose cosine is lower.", metavar="S")
    ] = None,
) -> Outcome:
    """Write the nearest other rows of every row of a table."""
    from downstream.neighbors import neighbors as find

    found = find(table, out, k, recall=recall, min_score=min_score, reporter=console)
    data = {"neighbors": str(out), "table": str(table), **found}
    return Outcome(data, "\n".join(_neighbors_in_words(data)))


def duplicates(
    console: Console,
    table: TableArgument,
    threshold: Annotated[
        float, typer.Option(help="The least cosine of two rows that are linked.", metavar="S")
    ] = 0.95,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the rows in groups, and which of each to keep, to this .parquet file.",
            metavar="FILE",
        ),
    ] = None,
    recall: RecallOption = 0.95,
) -> Outcome:
    """Find groups of rows that are equal or nearly so."""
    from downstream.neighbors import DUPLICATES
    from downstream.neighbors import duplicates as find

    place = None if out is None else DUPLICATES.free_place(out)
    scratch = None if place is None else place.parent
    found = find(table, threshold, recall=recall, scratch=scratch, reporter=console)
    if out is not None:
        found.write(out)
    data = _described(table, out, found)
    return Outcome(data, _as_text(data, found))


def _neighbors_in_words(data: Json) -> list[str]:
    recall = data["recall"]
    told = "all of them found" if recall["reached"] == 1 else f"recall {recall['reached']:.4f}"
    lines = [
        f"{data['neighbors']}: {counted(data['hits'], 'line')} with the {data['k']:,} nearest "
        f"other rows of {counted(data['rows'], 'row')} of {data['table']}",
        f"{data['kind']} search, {told} (asked: {recall['target']})",
    ]
    return [*lines, INCOMPLETE] if data["incomplete"] else lines


def _described(table: Path, out: Path | None, found: Duplicates) -> Json:
    return {
        "duplicates": found.counts,
        "threshold": found.made["threshold"],
        "kind": found.made["kind"],
        "recall": found.made["recall"],
        "table": str(table),
        "version": found.made["version"],
        "rows": len(found.rows),
        "incomplete": found.made["incomplete"],
        "out": None if out is None else str(out),
        "groups": [
            {"rows": int(size), "keep": found.ids(number, 1)[0], "ids": found.ids(number, _IDS)}
            for number, size in enumerate(found.sizes[:_GROUPS])
        ],
    }


def _as_text(data: Json, found: Duplicates) -> RenderableType:
    groups = [found.hits(number, _ROWS) for number in range(min(_BLOCKS, len(found)))]
    return groups_table(groups, found.sizes[:_BLOCKS].tolist(), list(_duplicates_in_words(data)))


def _duplicates_in_words(data: Json) -> list[str]:
    counts, least = data["duplicates"], data["threshold"]
    lines = [
        f"{data['table']}: {counted(counts['groups'], 'group')} of rows linked by a cosine of "
        f"{least} or more; {counts['redundant']:,} of {counted(data['rows'], 'row')} repeat others"
    ]
    if data["kind"] != "flat":
        lines.append(_reached(data))
    if data["out"] is not None:
        lines.append(f"{data['out']}: the {counted(counts['rows'], 'row')} of all groups")
    if data["incomplete"]:
        lines.append(INCOMPLETE)
    if counts["groups"] > _BLOCKS:
        lines.append(f"The biggest {_BLOCKS}, the row to keep first:")
    elif counts["groups"]:
        lines.append("The row to keep comes first; scores are cosines with it:")
    return lines


def _reached(data: Json) -> str:
    """Say how many of the links an index has found."""
    recall, kind = data["recall"], data["kind"]
    rows = f"{counted(recall['rows'], 'row')} drawn at random"
    if recall["reached"] is None:
        return f"Found with {kind} search; how many were missed is not known: {rows} have none."
    return (
        f"Found with {kind} search: of {counted(recall['pairs'], 'such pair')} of {rows}, "
        f"{recall['reached']:.2%} are in one group; --recall 1 finds all."
    )
