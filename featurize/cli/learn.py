"""`train`, `evaluate` and `predict`: heads on embedding tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.types import Json

TableArgument = Annotated[Path, typer.Argument(help="The embedding table.", show_default=False)]
HeadArgument = Annotated[Path, typer.Argument(help="The trained head.", show_default=False)]
LabelOption = Annotated[
    str | None, typer.Option(help="Column with the label.  [default: label]", metavar="C")
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(help="CSV or Parquet file with labels by id, instead of the table's own."),
]
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
    from featurize import open_table

    head = train_head(open_table(table), model=model, label=label, labels_file=labels)
    head.save(out)
    data = {"head": str(out), **head.describe()}
    metrics = data["metrics"]
    text = (
        f"{out}: {data['model']} over {len(data['classes'])} classes of {data['label']!r}, "
        f"trained on {data['rows']:,} rows\n"
        f"On {metrics['rows_test']:,} of them held out: {_measures(metrics)}{_unmatched(data)}"
    )
    return Outcome(data, text)


def evaluate(
    _console: Console,
    head: HeadArgument,
    table: TableArgument,
    label: LabelOption = None,
    labels: LabelsOption = None,
) -> Outcome:
    """Measure a head on labelled rows of a table."""
    from downstream import Head
    from downstream import evaluate as measure
    from featurize import open_table

    data = measure(Head.load(head), open_table(table), label=label, labels_file=labels)
    worst = sorted(data["per_class"].items(), key=lambda item: item[1]["f1"])[:_WORST_SHOWN]
    listed = ", ".join(f"{name} {figures['f1']:.2f}" for name, figures in worst)
    text = (
        f"{head} on {data['rows']:,} rows: {_measures(data['metrics'])}{_unmatched(data)}\n"
        f"Lowest F1: {listed}"
    )
    return Outcome(data, text)


def predict(
    _console: Console,
    head: HeadArgument,
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="The Parquet file with the predictions.")],
) -> Outcome:
    """Predict a class with probabilities for every row of a table."""
    from downstream import Head, predict_table
    from featurize import open_table

    loaded = Head.load(head)
    rows = predict_table(loaded, open_table(table), out)
    data = {"predictions": str(out), "rows": rows, "classes": loaded.class_names}
    return Outcome(data, f"{out}: {rows:,} predictions over {len(loaded.class_names)} classes")


def _measures(metrics: Json) -> str:
    names = {"accuracy": "accuracy", "macro_f1": "macro F1", "log_loss": "log loss"}
    known = [(text, metrics[name]) for name, text in names.items() if metrics[name] is not None]
    return ", ".join(f"{text} {value:.3f}" for text, value in known) or "nothing to measure"


def _unmatched(data: Json) -> str:
    """Say which labels and rows did not meet; nothing where all did."""
    counts = {key: count for key, count in data["unmatched"].items() if count}
    if not counts:
        return ""
    return "\n" + ", ".join(f"{count:,} {key.replace('_', ' ')}" for key, count in counts.items())
