"""`export`: models to encoder bundles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.config import Precision, choose
from featurize.errors import UsageError
from featurize.types import Json
from featurize.wording import least_cosine

if TYPE_CHECKING:
    from featurize.bundle import Bundle
    from featurize.export.precision import Lower


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "export", export)


def export(  # noqa: PLR0913 - a command's options are its parameters
    console: Console,
    model: Annotated[
        str,
        typer.Argument(
            help="minilm, efficientnet-lite0, a model of sentence-transformers, transformers or "
            "timm, an ONNX file, or with --precision a bundle."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder of the bundle.")],
    max_length: Annotated[
        int | None, typer.Option(help="Read at most this many tokens of a text.")
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(
            help="What an ONNX file does not say itself, as JSON; else FILE.json beside FILE.onnx."
        ),
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(
            help="Export this branch, tag or commit of a model on the Hugging Face Hub.",
            metavar="REV",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="Add a graph that computes in this number format, and say what it loses.",
            metavar="fp16|int8",
        ),
    ] = None,
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="Add it even where it loses more than it should."),
    ] = False,
) -> Outcome:
    """Export a model to an encoder bundle and check it against the original.

    With --precision, the bundle computes in it anywhere, without the package onnx.
    """
    from featurize.export import export as export_model
    from featurize.export import is_bundle, locate, lower_bundle

    lower = _lower(precision, accept_loss)
    if lower is not None and is_bundle(model):
        _require_left_out(max_length=max_length, card=card, revision=revision)
        bundle = lower_bundle(model, out, lower)
    else:
        found = locate(model, card, revision)
        bundle = export_model(found, out, max_length=max_length, lower=lower)
    for sentence in bundle.export.get("assumed", ()):
        console.say(sentence)
    return Outcome(_data(bundle, out), "\n".join(_lines(bundle, lower)))


def _data(bundle: Bundle, out: Path) -> Json:
    return {
        "bundle": str(out),
        **bundle.card.to_json(),
        "dim": bundle.card.dim,
        "parity": bundle.export.get("parity", {}),
        "precisions": bundle.export.get("precisions", {}),
        "files": bundle.files,
    }


def _lower(precision: str | None, accept_loss: bool) -> Lower | None:
    """Return the precision that was asked for, if one was."""
    from featurize.export import Lower

    if precision is not None:
        return Lower(choose(Precision, precision, "--precision"), accept_loss)
    if accept_loss:
        raise UsageError("--accept-loss goes with --precision fp16 or int8.")
    return None


def _require_left_out(**options: object) -> None:
    """Raise UsageError for an option that a bundle has settled."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(
                f"--{name.replace('_', '-')} is settled when a bundle is made.",
                fix="Export the model itself with it, not the bundle.",
            )


def _lines(bundle: Bundle, lower: Lower | None) -> Iterator[str]:
    """Say what was made and how near it is to the original."""
    card, parity = bundle.card, bundle.export.get("parity", {})
    yield f"{bundle.path}: {card.name}, {card.dim} dimensions, fingerprint {card.fingerprint[:12]}"
    if "inputs" in parity:
        yield (
            f"Checked against the original on {parity['inputs']} inputs: "
            f"largest difference {parity['max_abs_diff']:.1e}."
        )
    if lower is not None:
        stated = bundle.export["precisions"][lower.precision]
        least, mean = (least_cosine(stated[name]) for name in ("min_cosine", "mean_cosine"))
        yield (
            f"In {lower.precision}, vectors have a cosine of {least} or more to fp32 ({mean} on "
            f"average) and keep {stated['neighbours_kept']:.0%} of their 10 nearest neighbours."
        )
        if stated["accepted_loss"]:
            yield "That is less than is expected of it, which was accepted."
