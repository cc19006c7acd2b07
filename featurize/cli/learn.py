"""`train`, `evaluate` and `predict`: heads on embedding tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.types import Json
from featurize.wording import counted, printable

if TYPE_CHECKING:
    from downstream import Head
    from featurize.table import EmbeddingTable

TableArgument = Annotated[Path, typer.Argument(help="The embedding table.", show_default=False)]
HeadArgument = Annotated[Path, typer.Argument(help="The trained head.", show_default=False)]
LabelOption = Annotated[
    str | None, typer.Option(help="Column with the label; `label` if left out.", metavar="C")
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        help="CSV, TSV or Parquet file with a column `id` and the label column, read instead of "
        "the table's own labels."
    ),
]
INCOMPLETE = (
    "The table is incomplete: the run that fills it is under way, or was stopped before its end."
)
_SEEN = "These rows include those it was trained on: on others it will do worse."
_WORST_SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add the commands that learn from tables."""
    command(app, "train", train)
    command(app, "evaluate", evaluate)
    command(app, "predict", predict)


def train(
    _console: Console,
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="The folder of the head.")],
    label: LabelOption = None,
    labels: LabelsOption = None,
    model: Annotated[str, typer.Option(help="The method: logistic.")] = "logistic",
) -> Outcome:
    """Train a classifier head on a table and measure it on a hold-out."""
    from downstream import train as train_head

    head = train_head(table, model=model, label=label, labels_file=labels)
    head.save(out)
    data = {"head": str(out), **head.describe()}
    metrics, classes = data["metrics"], data["classes"]
    lines = [
        f"{out}: {data['model']} over {len(classes):,} classes of {data['label']!r}, "
        f"trained on {counted(data['rows'], 'row')}",
        f"On {metrics['rows_test']:,} of them held out: {_measures(metrics)}",
    ]
    if count := metrics["classes_unmeasured"]:
        lines.append(f"{count:,} of the classes had no row held out: they are not measured.")
    return Outcome(data, "\n".join([*lines, *_lookalikes(classes), *_remarks(data)]))


def evaluate(
    console: Console,
    head: HeadArgument,
    table: TableArgument,
    label: Annotated[
        str | None,
        typer.Option(
            help="Column with the label; if left out, the one the head was trained on, with "
            "--labels `label`.",
            metavar="C",
        ),
    ] = None,
    labels: LabelsOption = None,
) -> Outcome:
    """Measure a head on labelled rows of a table."""
    from downstream import Head
    from downstream import evaluate as measure
    from featurize import open_table

    loaded, opened = Head.load(head), open_table(table)
    _tell_differences(console, loaded, opened)
    data = measure(loaded, opened, label=label, labels_file=labels)
    worst = sorted(data["per_class"].items(), key=lambda item: item[1]["f1"])[:_WORST_SHOWN]
    listed = ", ".join(f"{printable(name)} {figures['f1']:.2f}" for name, figures in worst)
    lines = [
        f"{head} on {counted(data['rows'], 'row')}: {_measures(data['metrics'])}",
        f"Lowest F1: {listed}",
    ]
    if count := data["metrics"]["unknown_label_rows"]:
        have = "has" if count == 1 else "have"
        lines.append(
            f"{counted(count, 'row')} {have} labels the head never saw: they count as errors."
        )
    if data["seen_in_training"]:
        lines.append(_SEEN)
    return Outcome(data, "\n".join([*lines, *_remarks(data)]))


def predict(
    console: Console,
    head: HeadArgument,
    table: TableArgument,
    out: Annotated[
        Path, typer.Option(help="The .parquet file with the predictions; older ones are replaced.")
    ],
) -> Outcome:
    """Predict a class with probabilities for every row of a table."""
    from downstream import Head, predict_table
    from featurize import open_table

    loaded, opened = Head.load(head), open_table(table)
    _tell_differences(console, loaded, opened)
    rows = predict_table(loaded, opened, out)
    data = {
        "predictions": str(out),
        "rows": rows,
        "classes": loaded.class_names,
        "incomplete": not opened.complete,
    }
    told = f"{out}: {counted(rows, 'prediction')} over {len(loaded.class_names)} classes"
    return Outcome(data, "\n".join([told, *_remarks(data)]))


def _tell_differences(console: Console, head: Head, table: EmbeddingTable) -> None:
    """Say on stderr where the table's vectors were made otherwise than those of the training."""
    from downstream.heads import differences

    if told := differences(head, table):
        console.say(told)


def _measures(metrics: Json) -> str:
    names = {"accuracy": "accuracy", "macro_f1": "macro F1", "log_loss": "log loss"}
    known = {name: metrics[name] for name in names if metrics[name] is not None}
    told = [f"{names[name]} {value:.3f}" for name, value in known.items()]
    if "accuracy" in known:
        told[0] += f" ({metrics['majority_accuracy']:.3f} by naming the most frequent class)"
    return ", ".join(told) or "nothing to measure"


def _remarks(data: Json) -> list[str]:
    """Say which labels and rows did not meet, and that the table is incomplete."""
    unmatched = data.get("unmatched", {}).items()
    counts = [f"{count:,} {key.replace('_', ' ')}" for key, count in unmatched if count]
    told = [", ".join(counts)] if counts else []
    return [*told, INCOMPLETE] if data["incomplete"] else told


def _lookalikes(classes: Iterable[str]) -> list[str]:
    """Name classes that differ by nothing but the white space around them."""
    alike = defaultdict(list)
    for name in classes:
        alike[name.strip()].append(repr(name))
    groups = [" and ".join(names) for names in alike.values() if len(names) > 1]
    return [f"Classes that differ only by white space: {'; '.join(groups)}."] if groups else []
