"""`search`: the rows of a table nearest to a query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.cli.hits import hits_table
from featurize.errors import IndexFileError, UsageError

if TYPE_CHECKING:
    from downstream import Hit, Searcher, VectorIndex
    from downstream.sheet import Query

HtmlOption = Annotated[
    Path | None,
    typer.Option(
        help="Write the hits to this .html file too; an older one is replaced.", metavar="FILE"
    ),
]
SourceOption = Annotated[
    Path | None,
    typer.Option(
        help="What the table was made from: images are shown in the --html file.", metavar="DIR"
    ),
]


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
    html: HtmlOption = None,
    source: SourceOption = None,
) -> Outcome:
    """Find the rows nearest to a text, an image or another row."""
    from downstream import Searcher, VectorIndex
    from downstream.sheet import write_sheet

    if sum(value is not None for value in (query, image, id)) != 1:
        raise UsageError(
            "search expects exactly one of QUERY, --image FILE and --id ID.",
            fix="For a text: featurize search INDEX 'the text'.",
        )
    _check_sheet(html, source)
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
    asked = _asked(opened, query, image, id)
    if html is not None:
        title = index.resolve().name
        write_sheet(html, [asked], [hits], source=source, title=title, reporter=console)
        console.say(f"{html}: the hits as a page")
        data["html"] = str(html)
    return Outcome(data, hits_table([asked], [hits]), essential=True)


def _check_sheet(html: Path | None, source: Path | None) -> None:
    """Refuse a place or a source of the sheet before anything is searched for."""
    from downstream.sheet import free_sheet

    if html is not None:
        free_sheet(html, source)
    elif source is not None:
        raise UsageError(
            "--source goes with --html FILE, in which the images are shown.",
            fix="Give --html FILE too, or leave out --source.",
        )


def _asked(index: VectorIndex, query: str | None, image: Path | None, row: str | None) -> Query:
    """Return what was asked, as those need it who show the hits."""
    from downstream.sheet import Query, QueryKind

    if query is not None:
        return Query(QueryKind.TEXT, query)
    if image is not None:
        return Query(QueryKind.IMAGE, str(image))
    nearest = index.search([index.vector(str(row))], k=10)[0]  # itself first, but for its equals
    own = next((hit.columns for hit in nearest if hit.id == row), {})
    return Query(QueryKind.ROW, str(row), own)


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
