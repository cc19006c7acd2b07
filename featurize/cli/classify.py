"""`classify`: labels by their names alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.cli.learn import TableArgument
from featurize.cli.wordings import measures, remarks
from featurize.errors import UsageError
from featurize.types import Json
from featurize.wording import counted, printable

if TYPE_CHECKING:
    from downstream import ZeroShot
    from featurize.table import EmbeddingTable


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "classify", classify)


def classify(  # noqa: PLR0913 - a command's options are its parameters
    _console: Console,
    table: TableArgument,
    labels: Annotated[
        str | None,
        typer.Option(
            help="The labels, with commas between them; one that has a comma in double quotes.",
            metavar="A,B,...",
        ),
    ] = None,
    labels_file: Annotated[
        Path | None,
        typer.Option(help="Text file with a label a line, or `label: description`."),
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option(
            help="Sentence with {} for the label, such as 'This message is about {}.'; may be "
            "repeated: their vectors are averaged.",
            metavar="TEXT",
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(help="Make probabilities flatter, over the default, or sharper.", metavar="T"),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Column with the true label, to measure the result.", metavar="C"),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Encoder of the labels, if not the recorded one.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    out: Annotated[
        Path | None,
        typer.Option(help="The .parquet file for the predictions; older ones are replaced."),
    ] = None,
) -> Outcome:
    """Classify the rows of a table by the names of the labels alone, with no example of any."""
    from downstream.zeroshot import ZeroShot, classify_table
    from featurize import open_table

    names, opened = _names(labels, labels_file), open_table(table)
    zero = ZeroShot(names, template, temperature, encoder, device).fit(opened)
    measured = _measured(zero, opened, label)  # first: what it refuses has then written nothing
    counts = classify_table(zero, opened, out)
    data = {
        "predictions": None if out is None else str(out),
        "rows": sum(counts.values()),
        "counts": counts,
        "classes": zero.class_names,
        "templates": zero.templates_,
        "temperature": zero.temperature_,
        "encoder": opened.card.name,
        "fingerprint": opened.fingerprint,
        "incomplete": not opened.complete,
        **measured,
    }
    return Outcome(data, "\n".join(_told(data)), essential=out is None)


def _told(data: Json) -> Iterator[str]:
    """Say how many rows each class got, the most first, and how good that is."""
    rows, classes = counted(data["rows"], "prediction"), data["classes"]
    where = f"{data['predictions']}: " if data["predictions"] else ""
    yield f"{where}{rows} over {len(classes):,} classes"
    counts = sorted(data["counts"].items(), key=lambda item: -item[1])
    yield from (f"  {count:>7,}  {printable(name)}" for name, count in counts)
    if "metrics" in data:
        yield f"On {counted(data['labelled'], 'labelled row')}: {measures(data['metrics'])}"
    yield from remarks(data)


def _measured(zero: ZeroShot, table: EmbeddingTable, label: str | None) -> Json:
    """Measure on the labels of a column, if one was named."""
    from downstream.zeroshot import measure_labels

    if label is None:
        return {}
    figures = measure_labels(zero, table, label)
    kept = ("label", "metrics", "per_class", "unmatched")
    return {"labelled": figures["rows"], **{name: figures[name] for name in kept}}


def _names(labels: str | None, file: Path | None) -> Mapping[str, str] | Sequence[str]:
    from downstream.zeroshot import read_names, split_names

    if labels is not None and file is None:
        return split_names(labels)
    if file is not None and labels is None:
        return read_names(file)
    raise UsageError(
        "classify expects either --labels or --labels-file.",
        fix="For a few labels: --labels 'refund,delivery'.",
    )
