"""`embed`: raw data to tables."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.cli.heartbeat import heartbeat
from featurize.config import Job
from featurize.types import Json, RunSummary
from featurize.wording import counted, duration, size

EXIT_REJECTS = 3
_ROWS_WITH_A_RATE = 100
_PLANNED = ("new", "changed", "updated", "unchanged", "deleted")


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "embed", embed)


def embed(
    console: Console,
    job: Job,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Read and compare, say what a run would do, and write nothing."
        ),
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
    rejects = f"{_rejects(summary)}: `featurize inspect {summary.table}` lists them"
    return Outcome(api.summary_json(summary), _summary_text(summary, job), code, why=rejects)


def _summary_text(summary: RunSummary, job: Job) -> str:
    holds = f"{counted(summary.rows, 'row')} of {counted(summary.inputs, 'input')}"
    took = f"in {summary.seconds:.1f} s{_rate(summary)}"
    if summary.commits:
        lines = [
            f"{summary.table}: version {summary.version}, {holds} {took}",
            f"encoder {summary.encoder} ({summary.fingerprint[:12]}), {summary.precision} on "
            f"{summary.device} with {summary.runtime}",
        ]
    else:
        lines = [f"{summary.table}: nothing changed; still version {summary.version}, {holds}"]
    if summary.commits and (summary.embedded != summary.rows or summary.deleted):
        lines.append(
            f"{summary.embedded:,} embedded, {summary.updated:,} updated, "
            f"{summary.unchanged:,} unchanged, {summary.deleted:,} deleted"
        )
    if summary.truncated:
        texts = counted(summary.truncated, "text")
        lines.append(f"truncated {texts}: column `truncated` says which")
    if summary.rejected:
        lines.append(f"{_rejects(summary)}: `featurize inspect {summary.table}` lists them")
        if summary.reasons.get("bad_utf8", 0) > summary.inputs / 2:
            lines.append(f"most inputs are not UTF-8: {_advice_on_encoding(job)}")
    if summary.ignored:
        lines.append(f"ignored {_by_kind(summary.ignored_kinds)}")
    return "\n".join(lines)


def _rejects(summary: RunSummary) -> str:
    return f"rejected {_by_kind(summary.reasons)}"


def _advice_on_encoding(job: Job) -> str:
    """Say how texts of another encoding are read: only delimited files have an option for it."""
    if re.search(r"\.(csv|tsv)(\.gz)?$", str(job.source), re.IGNORECASE):
        return "name the encoding of the file, as in --encoding latin-1"
    return "convert the files first, as in `iconv -f LATIN1 -t UTF-8 OLD > NEW`"


def _rate(summary: RunSummary) -> str:
    """Return the rate of a run that was long enough to have one."""
    if summary.rows < _ROWS_WITH_A_RATE or not summary.seconds:
        return ""
    return f" ({summary.rows / summary.seconds:,.0f}/s)"


def _plan_text(planned: Json) -> str:
    lines = [
        *planned["notes"],
        f"The source holds {counted(planned['inputs'], _noun(planned['modality']))}, "
        f"{counted(planned['bytes'], 'byte')}; "
        f"{counted(planned['ignored'], 'other file')} ignored. "
        f"Own columns: {', '.join(planned['columns']) or 'none'}.",
        f"{planned['table']}: {_planned_change(planned)}",
    ]
    if refusal := planned["refusal"]:
        lines += [f"The run would be stopped: {refusal['message']}", refusal["fix"]]
    if takes := planned["estimate"]:
        lines.append(
            f"That would take about {duration(takes['seconds'])}, {size(takes['memory_bytes'])} of "
            f"memory and {size(takes['disk_bytes'])} on the disk."
        )
    return "\n".join([*lines, "Nothing was written."])


def _noun(modality: str) -> str:
    return "input" if "+" in modality else modality


def _planned_change(planned: Json) -> str:
    """Say in a line what a run would do to the table, as far as that is known."""
    rejected = counted(planned["rejected"], "reject")
    rejects = f", {rejected} known so far" if planned["rejected"] else ""
    if not planned["version"]:
        return f"a new table, {planned['new']:,} to embed with {planned['encoder']}{rejects}"
    made = f"version {planned['version']}, {counted(planned['rows'], 'row')}"
    if planned["new"] is None:
        return f"{made}; it was not compared with the source"
    counts = [f"{planned[name]:,} {name}" for name in _PLANNED]
    if not any(planned[name] for name in ("new", "changed", "updated", "deleted")):
        return f"{made}; nothing to embed, all {planned['unchanged']:,} unchanged, {rejected}"
    return f"{made}; {', '.join(counts)}{rejects}"


def _by_kind(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name or 'without suffix'}" for name, count in counts.items())
