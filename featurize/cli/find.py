"""`search`: the rows of a table nearest to a query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.errors import IndexFileError, UsageError
from featurize.wording import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from downstream import Hit, Searcher

_SNIPPET = 90


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "search", search)


def search(  # noqa: PLR0913 - a command's options are its parameters
    console: Console,
    index: Annotated[Path, typer.Argument(help="The search index.", show_default=False)],
    query: Annotated[str | None, typer.Argument(help="A text to search for.")] = None,
    image: Annotated[Path | None, typer.Option(help="An image to search for.")] = None,
    id: Annotated[str | None, typer.Option(help="Search for rows like this one.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many hits.")] = 10,
    strict: Annotated[bool, typer.Option(help="Refuse an index its table moved on from.")] = False,
    encoder: Annotated[
        str | None, typer.Option(help="Encoder of the query, if not the recorded one.")
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help="Put this before the query, not the prompt that goes with the table."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> Outcome:
    """Find the rows nearest to a text, an image or another row."""
    from downstream import Searcher, VectorIndex

    if sum(value is not None for value in (query, image, id)) != 1:
        raise UsageError(
            "search expects exactly one of QUERY, --image FILE and --id ID.",
            fix="For a text: featurize search INDEX 'the text'.",
        )
    opened = VectorIndex.open(index)
    stale = opened.staleness()
    _heed(console, stale, strict)
    searcher = Searcher(opened, encoder=encoder, device=device, prompt=prompt)
    if query is not None and searcher.prompt is not None and searcher.prompt.text:
        console.say(f"Before the query stands {searcher.prompt.text!r}.")
    hits = _hits(searcher, query, image, id, k)
    data = {
        "hits": [[{"id": hit.id, "score": hit.score, "columns": hit.columns} for hit in hits]],
        "stale": stale,
    }
    return Outcome(data, _as_table(hits), essential=True)


def _hits(
    searcher: Searcher, query: str | None, image: Path | None, row: str | None, k: int
) -> list[Hit]:
    if query is not None:
        return searcher.text(query, k)
    if image is not None:
        return searcher.image(image, k)
    return searcher.id(str(row), k)


def _heed(console: Console, stale: dict[str, int], strict: bool) -> None:
    """Warn of an index its table moved on from; refuse it where `strict`."""
    if not any(stale.values()):
        return
    told = (
        f"The table has moved on: {stale['missing']:,} of its rows are not in the index, "
        f"{stale['removed']:,} of the index's rows are gone."
    )
    if strict:
        raise IndexFileError(told, fix="Build the index again, or leave out --strict.")
    console.say(told)


def _as_table(hits: list[Hit]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("score", justify="right")
    table.add_column("id")
    table.add_column("label")
    with_text = any("text" in hit.columns for hit in hits)
    with_modality = any("modality" in hit.columns for hit in hits)
    if with_modality:
        table.add_column("modality")
    table.add_column("text" if with_text else "source", overflow="fold")
    for hit in hits:
        shown = hit.columns.get("text" if with_text else "source") or ""
        if with_modality and not shown:
            shown = hit.columns["source"]
        snippet = " ".join(str(shown).split())
        if len(snippet) > _SNIPPET:
            snippet = snippet[: _SNIPPET - 1] + "…"
        label = hit.columns.get("label")
        table.add_row(
            f"{hit.score:.3f}",
            Text(printable(hit.id)),
            Text("" if label is None else printable(str(label))),
            *([str(hit.columns["modality"])] if with_modality else []),
            Text(printable(snippet)),
        )
    return Group(table) if hits else "no hits"
