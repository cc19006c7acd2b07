"""`train`, `evaluate` and `predict`: heads on embedding tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurize.cli import wordings
from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.wording import counted

if TYPE_CHECKING:
    from downstream.heads.kinds import AnyHead
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


def register(app: typer.Typer) -> None:
    """Add the commands that learn from tables."""
    command(app, "train", train)
    command(app, "evaluate", evaluate)
    command(app, "predict", predict)


def train(  # noqa: PLR0913  # a command's options are its parameters
    _console: Console,
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="The folder of the head.")],
    label: LabelOption = None,
    labels: LabelsOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="The method: logistic (the default), svm, ridge, centroid, knn or boosting; for "
            "numbers ridge (the default), knn or boosting; for multilabel one of the first four.",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="What a label is: one of the classes (the default), several of them "
            "(multilabel), or a number.",
            metavar="classes|multilabel|number",
        ),
    ] = None,
    class_weight: Annotated[
        str | None,
        typer.Option(help="`balanced`: rare classes count as much as frequent ones."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Columns of the table to learn from beside the vectors, such as price,region.",
            metavar="C,C",
        ),
    ] = None,
    separator: Annotated[
        str | None,
        typer.Option(help="What lies between the classes of a multilabel text, such as `;`."),
    ] = None,
    update: Annotated[
        Path | None,
        typer.Option(
            help="A head of this table: its labels, method and options are taken over, and the "
            "labels given here win over its own.",
            metavar="HEAD",
        ),
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(
            help="How probabilities are set right by rows held out: auto (the default), "
            "temperature, isotonic or none.",
            metavar="METHOD",
        ),
    ] = None,
    min_precision: Annotated[
        float | None,
        typer.Option(
            help="Share of answers that must be right, such as 0.95: rows that the head is not "
            "sure enough of are left unanswered.",
            metavar="P",
        ),
    ] = None,
    scope: Annotated[
        bool,
        typer.Option(
            "--scope", help="Keep rows of the training to tell what belongs to none of the classes."
        ),
    ] = False,
) -> Outcome:
    """Train a head on a table and measure it on a hold-out."""
    from downstream import train as train_head
    from downstream.heads import HEAD

    HEAD.require_free(out)
    head = train_head(
        table,
        model=model,
        label=label,
        labels_file=labels,
        task=task,
        class_weight=wordings.balanced(class_weight),
        columns=[name.strip() for name in (columns or "").split(",") if name.strip()],
        separator=separator,
        update=update,
        calibrate=calibrate,
        min_precision=min_precision,
        scope=scope,
    )
    head.save(out)
    data = {"head": str(out), **head.describe()}
    return Outcome(data, "\n".join([*wordings.trained(data), *wordings.remarks(data)]))


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
    from downstream import evaluate as measure
    from downstream import open_head
    from featurize import open_table

    loaded, opened = open_head(head), open_table(table)
    _tell_differences(console, loaded, opened)
    data = measure(loaded, opened, label=label, labels_file=labels)
    return Outcome(data, "\n".join([*wordings.evaluated(head, data), *wordings.remarks(data)]))


def predict(
    console: Console,
    head: HeadArgument,
    table: TableArgument,
    out: Annotated[
        Path, typer.Option(help="The .parquet file with the predictions; older ones are replaced.")
    ],
) -> Outcome:
    """Predict a class with probabilities, several, or a number, for every row of a table."""
    from downstream import Head, open_head, predict_table
    from featurize import open_table

    loaded, opened = open_head(head), open_table(table)
    _tell_differences(console, loaded, opened)
    rows = predict_table(loaded, opened, out)
    classes: list[str] | None = getattr(loaded, "class_names", None)
    data = {
        "predictions": str(out),
        "rows": rows,
        "classes": classes,
        "incomplete": not opened.complete,
    }
    line = f"{out}: {counted(rows, 'prediction')}"
    if classes is not None:
        line += f" over {len(classes)} classes"
    if isinstance(loaded, Head) and loaded.trust_.abstention is not None:
        data["unanswered"] = _unanswered(out)
        line += f", {data['unanswered']:,} left unanswered"
    return Outcome(data, "\n".join([line, *wordings.remarks(data)]))


def _tell_differences(console: Console, head: AnyHead, table: EmbeddingTable) -> None:
    """Say on stderr where the table's vectors were made otherwise than those of the training."""
    from downstream.heads import differences

    if line := differences(head, table):
        console.say(line)


def _unanswered(predictions: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_table(predictions, columns=["prediction"])["prediction"].null_count)
