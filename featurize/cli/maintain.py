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
    bool,
    typer.Option(
        "--wait", help="Wait while another process writes to the table, instead of failing."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands that maintain tables."""
    command(app, "gc", gc)
    command(app, "forget", forget)


def gc(console: Console, table: TableArgument, wait: WaitFlag = False) -> Outcome:
    """Remove what a table no longer needs: unfinished files and old log entries.

    Rows, version and counts stay as they are.
    """
    from featurize.table.garbage import collect_garbage

    collected = collect_garbage(table, wait=wait, say=console.say)
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
        typer.Option(
            "--id",
            help="The ids to forget, as in the column id; several as --id A B.",
            metavar="ID...",
        ),
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(hidden=True, metavar="ID")] = None,
    keep_out: Annotated[
        bool,
        typer.Option("--keep-out", help="Leave these ids out of all later runs of embed, too."),
    ] = False,
    wait: WaitFlag = False,
) -> Outcome:
    """Remove the rows and rejects of some ids, so that no file of the table still holds them.

    Example: featurize forget runs/tickets --id m001 m002

    The id of a long text takes all its chunks; that of a chunk takes it alone, until its text
    changes.

    The source is not touched: the next run adds again what it still holds.

    With --keep-out it does not: the table keeps a salted hash of each id.

    Search indexes made before are refused from then on: make them anew.
    """
    from featurize.table.forget import forget as forget_ids

    if not id:
        raise UsageError(
            "forget expects the ids to forget, got none.",
            fix=f"Name them: featurize forget {table} --id ID1 ID2. See `featurize forget --help`.",
        )
    done = forget_ids(table, [*id, *(more or ())], keep_out=keep_out, wait=wait, say=console.say)
    text = (
        f"{table}: version {done.version}, {counted(done.rows, 'row')} and "
        f"{counted(done.rejects, 'reject')} forgotten, {counted(done.kept_out, 'id')} kept out "
        "of later runs"
    )
    if not keep_out:
        console.say(
            "The next run of embed adds again what its source holds of them; not with --keep-out."
        )
    return Outcome(asdict(done), text)
