"""`report`: what the vectors of a table are worth for its labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.cli.learn import LabelOption, LabelsOption, TableArgument
from featurize.cli.wordings import INCOMPLETE
from featurize.types import Json
from featurize.wording import counted, printable


def register(app: typer.Typer) -> None:
    """Add the command that reports on a transfer."""
    command(app, "report", report)


def report(  # noqa: PLR0913 - each is an option of the command
    console: Console,
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="The .html file; an older report is replaced.")],
    label: LabelOption = None,
    labels: LabelsOption = None,
    source: Annotated[
        Path | None,
        typer.Option(
            help="What the table was made from: images are shown and compared as raw pixels.",
            metavar="DIR",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Column whose equal values are never split between folds.", metavar="C"),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Column of your own split into training and test rows, which is searched for "
            "leaks; `split` if left out and there.",
            metavar="C",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides every draw.", metavar="N", min=0)] = 0,
) -> Outcome:
    """Say what the vectors of a table are worth for its labels, as one page of HTML."""
    from downstream import Study, TransferReport

    TransferReport.free_place(out)
    study = Study.open(
        table,
        label=label,
        labels_file=labels,
        source=source,
        group=group,
        split=split,
        seed=seed,
    )
    made = TransferReport.of(study, console)
    made.save(out)
    facts = made.to_json()
    return Outcome({"report": str(out), **facts}, _told(facts, out))


def _told(facts: Json, out: Path) -> str:
    """Return the verdict, the scores, and what to do next, for a terminal."""
    from downstream.report import evidence

    lines = [
        f"{facts['verdict']}: {evidence(facts['transfer'])}",
        f"On {counted(facts['rows'], 'row')} of {len(facts['classes']):,} classes: "
        f"{_measures(facts['scores'])}",
        "",
        "What to do next:",
        *(f"{place}. {told}" for place, told in enumerate(facts["advice"], 1)),
        "",
        f"{out}: the whole report",
    ]
    if facts["incomplete"]:
        lines.append(INCOMPLETE)
    return printable("\n".join(lines), keep_lines=True)


def _measures(scores: Json) -> str:
    """Return the scores with their intervals."""
    if "skipped" in scores:
        return str(scores["skipped"])
    names = {"accuracy": "accuracy", "macro_f1": "macro F1"}
    told = ", ".join(
        f"{name} {scores[key]['mean']:.1%} ({scores[key]['low']:.1%} to {scores[key]['high']:.1%})"
        for key, name in names.items()
    )
    return f"{told} at 95 %, in {scores['folds']} folds dealt {scores['repeats']} times"
