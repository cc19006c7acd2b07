"""`gc` and `forget`: what leaves a table without its source having changed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.errors import UsageError
from featurize.wording import counted

TableArgument = Annotated[Path, typer.Argument(help="The embedding table.", show_default=False)]
WaitFlag = Annotated[
    bool, typer.Option("--wait", help="Wait while another process writes to the table.")
]


def register(app: typer.Typer) -> None:
    """Add the commands that maintain tables."""
    command(app, "gc", gc)
    command(app, "forget", forget)


def gc(_console: Console, table: TableArgument, wait: WaitFlag = False) -> Outcome:
    """Remove what a table no longer needs: unfinished files and old log entries.

    Rows, version and counts stay as they are.
    """
    from featurize.table.garbage import collect_garbage

    collected = collect_garbage(table, wait=wait)
    removed = collected.removed
    text = (
        f"{table}: version {collected.version}, {counted(collected.bytes, 'byte')} freed: removed "
        f"{counted(removed['staged'], 'unfinished file')}, {removed['unnamed']:,} that no commit "
        f"names and {removed['log']:,} of the log"
    )
    return Outcome(asdict(collected), text)


def forget(
    console: Console,
    table: TableArgument,
    id: Annotated[
        list[str] | None,
        typer.Option("--id", help="What to forget; several as --id A B.", metavar="ID..."),
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(hidden=True, metavar="ID")] = None,
    keep_out: Annotated[
        bool, typer.Option("--keep-out", help="Leave these ids out of all later runs.")
    ] = False,
    wait: WaitFlag = False,
) -> Outcome:
    """Remove rows and rejects so that no file of the table still holds them.

    The source stays as it is: without --keep-out the next run brings back what it holds.

    Indexes made before are refused from then on.
    """
    from featurize.table.forget import forget as forget_ids

    if not id:
        raise UsageError("forget expects --id ID...", fix="Name what to forget: --id a b.")
    done = forget_ids(table, [*id, *(more or ())], keep_out=keep_out, wait=wait)
    text = (
        f"{table}: version {done.version}, {counted(done.rows, 'row')} and "
        f"{counted(done.rejects, 'reject')} forgotten, {counted(done.kept_out, 'id')} kept out of "
        "later runs"
    )
    if not keep_out:
        console.say(
            "The next run of embed adds them again if its source holds them: see --keep-out."
        )
    return Outcome(asdict(done), text)
