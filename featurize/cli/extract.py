"""`embed` and `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.cli.heartbeat import heartbeat
from featurize.config import Job
from featurize.types import Json, RunSummary
from featurize.wording import counted

EXIT_REJECTS = 3
_ROWS_WITH_A_RATE = 100


def register(app: typer.Typer) -> None:
    """Add the commands that make tables and bundles."""
    command(app, "embed", embed)
    command(app, "export", export)


def embed(
    console: Console,
    job: Job,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would be done, and write nothing.")
    ] = False,
) -> Outcome:
    """Embed a folder or table of raw text or images into an embedding table.

    Columns named text (or image), id and label are found by themselves.

    Without an id, rows are numbered.

    A file's label is the folder it lies in, where all files lie one level deep.
    """
    from featurize import api

    if plan:
        planned = api.plan(job, console)
        return Outcome(planned, _plan_text(planned))
    summary = api.run(job, console, heartbeat(job.stuck_after))
    code = EXIT_REJECTS if summary.rejected and job.max_rejects is None else 0
    return Outcome(api.summary_json(summary), _summary_text(summary), code)


def export(
    _console: Console,
    model: Annotated[
        str, typer.Argument(help="minilm, efficientnet-lite0, or a sentence-transformers model.")
    ],
    out: Annotated[Path, typer.Option(help="The folder of the bundle.")],
    max_length: Annotated[
        int | None, typer.Option(help="Read at most this many tokens of a text.")
    ] = None,
) -> Outcome:
    """Export a model to an encoder bundle and check it against the original."""
    from featurize.export import export as export_model

    bundle = export_model(model, out, max_length=max_length)
    card = bundle.card
    parity = bundle.export["parity"]
    data = {
        "bundle": str(out),
        **card.to_json(),
        "dim": card.dim,
        "parity": parity,
        "files": bundle.files,
    }
    text = (
        f"{out}: {card.name}, {card.dim} dimensions, fingerprint {card.fingerprint[:12]}\n"
        f"Checked against the original on {parity['inputs']} inputs: "
        f"largest difference {parity['max_abs_diff']:.1e}."
    )
    return Outcome(data, text)


def _summary_text(summary: RunSummary) -> str:
    lines = [
        f"{summary.table}: version {summary.version}, {counted(summary.rows, 'row')} of "
        f"{counted(summary.inputs, 'input')} in {summary.seconds:.1f} s{_rate(summary)}",
        f"encoder {summary.encoder} ({summary.fingerprint[:12]}), {summary.precision} on "
        f"{summary.device} with {summary.runtime}",
    ]
    if summary.embedded != summary.rows or summary.deleted:
        lines.append(
            f"{summary.embedded:,} embedded, {summary.updated:,} updated, "
            f"{summary.unchanged:,} unchanged, {summary.deleted:,} deleted"
        )
    if summary.truncated:
        lines.append(
            f"truncated {counted(summary.truncated, 'text')}: column `truncated` says which"
        )
    if summary.rejected:
        reasons = _by_kind(summary.reasons)
        lines.append(f"rejected {reasons}: `featurize inspect {summary.table}` lists them")
        if summary.reasons.get("bad_utf8", 0) > summary.inputs / 2:
            lines.append("most inputs are not UTF-8: convert the files, or name their --encoding")
    if summary.ignored:
        lines.append(f"ignored {_by_kind(summary.ignored_kinds)}")
    return "\n".join(lines)


def _rate(summary: RunSummary) -> str:
    """Return the rate of a run that was long enough to have one."""
    if summary.rows < _ROWS_WITH_A_RATE or not summary.seconds:
        return ""
    return f" ({summary.rows / summary.seconds:,.0f}/s)"


def _plan_text(planned: Json) -> str:
    return "\n".join(
        [
            *planned["notes"],
            f"For {planned['table']} the source holds "
            f"{counted(planned['inputs'], planned['modality'])} "
            f"({counted(planned['bytes'], 'byte')}), to be encoded with {planned['encoder']} "
            f"where they are new or changed; {planned['rejected']:,} of them would be "
            f"rejected unread, {counted(planned['ignored'], 'file')} ignored.",
            f"Own columns: {', '.join(planned['columns']) or 'none'}. Nothing was written.",
        ]
    )


def _by_kind(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name or 'without suffix'}" for name, count in counts.items())
