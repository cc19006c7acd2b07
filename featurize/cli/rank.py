"""`rank`: encoders compared on the user's own labels."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.cli.heartbeat import heartbeat
from featurize.config import Job, LabelFrom
from featurize.types import Json, Modality, RunSummary
from featurize.wording import counted, printable, size

if TYPE_CHECKING:
    from rich.console import RenderableType

_NOUNS = {"logme": "LogME", "knn_accuracy": "k-NN accuracy"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "rank", rank)


def rank(  # noqa: PLR0913 - a command's options are its parameters
    console: Console,
    source: Annotated[Path, typer.Argument(help="What `embed` takes.", show_default=False)],
    encoders: Annotated[
        list[str],
        typer.Option(
            help="The encoders to compare, as `embed --encoder` takes them: all words up to the "
            "next option, or with commas between them.",
            metavar="A B C",
        ),
    ],
    label: Annotated[
        str | None,
        typer.Option(help="Column with the label, where it is not named label.", metavar="C"),
    ] = None,
    label_from: Annotated[
        LabelFrom | None,
        typer.Option(help="Label files by the folder they lie in, or by the top folder."),
    ] = None,
    text_column: Annotated[
        str | None,
        typer.Option(help="Column with the text, where it is not named text.", metavar="C"),
    ] = None,
    image_column: Annotated[
        str | None,
        typer.Option(help="Column with image paths or bytes, if not image.", metavar="C"),
    ] = None,
    modality: Annotated[
        Modality | None,
        typer.Option(help="Take the texts or the images of a source that holds both."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps a table for each encoder, and goes on with those."),
    ] = None,
    allow_delete: Annotated[
        bool, typer.Option("--allow-delete", help="Let more than 20 % of a kept table's rows go.")
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option(help="Draw so many inputs, classes in proportion.", metavar="N", min=1),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides what is drawn, and the folds.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> Outcome:
    """Compare encoders on your own labels: accuracy on the same folds, and what each costs."""
    from downstream.ranking import rank_encoders, tables_in

    names = [name.strip() for words in encoders for name in words.split(",") if name.strip()]
    with tables_in(out) as folder:
        job = Job(
            source,
            out=folder,
            label_column=label,
            label_from=label_from,
            text_column=text_column,
            image_column=image_column,
            modality=modality,
            device=device,
            allow_delete=allow_delete,
        )
        embed = partial(_embed, console)
        data = rank_encoders(job, names, sample=sample, seed=seed, embed=embed)
    data = {**data, "out": None if out is None else str(out)}
    return Outcome(data, _as_text(data))


def _embed(console: Console, job: Job) -> RunSummary:
    from featurize import api

    console.say(f"Embedding with {job.encoder} ...")
    return api.run(job, console, heartbeat(job.stuck_after))


def _as_text(data: Json) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    head = (
        f"{counted(data['rows'], 'labelled input')} of {len(data['classes']):,} classes, the same "
        f"{data['folds']} folds for all, dealt {data['repeats']} times"
    )
    failed = [
        f"{name} failed: {error['message']} {error['fix']}"
        for name, error in data["failed"].items()
    ]
    told = [*failed, *_baselines(data["baselines"]), *_agreements(data["predicted"]), data["why"]]
    return Group(
        Text(printable(head)),
        _as_table(data["encoders"]),
        *(Text(printable(line)) for line in told),
    )


def _as_table(encoders: list[Json]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("encoder", overflow="fold", min_width=12)
    for name in ("accuracy, 95 %", "to the best", "LogME", "k-NN", "dim", "s/1,000", "model"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in encoders:
        accuracy, seconds = entry["accuracy"], entry["seconds_per_1000"]
        table.add_row(
            Text(printable(_short(entry["encoder"], encoders))),
            f"{accuracy['mean']:.3f} ({accuracy['low']:.3f}-{accuracy['high']:.3f})",
            _gap(entry),
            f"{entry['logme']:.3f}",
            f"{entry['knn_accuracy']['mean']:.3f}",
            f"{entry['dim']:,}",
            "" if seconds is None else f"{seconds:.2g}",
            size(entry["model_bytes"]),
        )
    return table


def _short(name: str, encoders: list[Json]) -> str:
    """Return the last part of a path or an id, where no other encoder has the same."""
    ends = [Path(entry["encoder"]).name for entry in encoders]
    return Path(name).name if ends.count(Path(name).name) == 1 else name


def _gap(entry: Json) -> str:
    if entry["p_value"] is None:
        return ""
    chance = "p < 0.001" if entry["p_value"] < 0.001 else f"p = {entry['p_value']:.3f}"
    return f"{entry['difference']['mean']:+.3f}, {chance}"


def _baselines(baselines: Json) -> list[str]:
    known = {name: each["accuracy"] for name, each in baselines.items() if "accuracy" in each}
    told = [f"{name} {accuracy['mean']:.3f}" for name, accuracy in known.items()]
    return [f"Accuracy without an encoder: {', '.join(told)}"] if told else []


def _agreements(predicted: Json) -> list[str]:
    known = {name: predicted[name]["kendall"] for name in _NOUNS}
    told = [f"{_NOUNS[name]} {tau:+.2f}" for name, tau in known.items() if tau is not None]
    if not told:
        return []
    return [
        f"Order told without training (Kendall's tau): {', '.join(told)}. {predicted['remark']}"
    ]
