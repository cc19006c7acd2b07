"""`search`: the rows of a table nearest to a query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurize.cli.answers import Answers, ask
from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.cli.freshness import freshness, heed, limits, tell_uncast
from featurize.cli.hits import hits_table
from featurize.errors import UsageError
from featurize.types import Json
from featurize.wording import counted

if TYPE_CHECKING:
    from downstream import VectorIndex
    from downstream.index.listing import Found

HITS = 10
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
    vector: Annotated[
        Path | None,
        typer.Option(help="A .npy file with a vector, or one a row, of the same encoder."),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option(help="Search for each row of this table, of the same encoder."),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(
            "-k", help="How many hits: 10, or with --min-score all that reach it.", metavar="N"
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            help="Search only rows for which this holds, such as \"label = 'refund' AND "
            'price < 10".',
            metavar="EXPR",
        ),
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(help="The least cosine of a hit.", metavar="COSINE")
    ] = None,
    strict: Annotated[bool, typer.Option(help="Refuse an index its table moved on from.")] = False,
    encoder: Annotated[
        str | None, typer.Option(help="Encoder of the query, if not the recorded one.")
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help="Put this before the query, not the prompt that goes with the table."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the hits to this .parquet file and show none; older ones are replaced.",
            metavar="FILE",
        ),
    ] = None,
    html: HtmlOption = None,
    source: SourceOption = None,
) -> Outcome:
    """Find the rows nearest to a text, an image, another row, a vector, or each row of a table."""
    from downstream import Searcher, VectorIndex
    from downstream.index.listing import find_rows

    given = {"query": query, "image": image, "id": id, "vector": vector, "queries": queries}
    _require_one(given)
    _check_places(out, html, source)
    opened = VectorIndex.open(index)
    remarks = heed(console, index, opened, strict)
    tell_uncast(console, opened, where)
    searcher = Searcher(opened, encoder=encoder, device=device, prompt=prompt)
    if query is not None and searcher.prompt is not None and searcher.prompt.text:
        console.say(f"Before the query stands {searcher.prompt.text!r}.")
    options: Json = {"k": HITS if k is None and min_score is None else k, "where": where}
    options |= {"min_score": min_score}
    if queries is not None and out is not None and html is None:
        found = find_rows(opened, queries, **options)
        return _listed(opened, out, found, {"queries": str(queries), **options})
    answers = ask(searcher, given, options)
    page: Json = {}
    if html is not None:
        _write_sheet(console, (html, source), index, answers, [*remarks, *limits(options)])
        page = {"html": str(html)}
    if out is not None:
        listed = _listed(opened, out, answers.places(opened), options)
        return replace(listed, data=listed.data | page)
    data = {"hits": answers.to_json(), **freshness(opened), **page}
    return Outcome(data, hits_table(answers.queries, answers.hits), essential=True)


def _require_one(given: Json) -> None:
    if sum(value is not None for value in given.values()) != 1:
        raise UsageError(
            "search expects exactly one of QUERY, --image FILE, --id ID, --vector FILE and "
            "--queries TABLE.",
            fix="For a text: featurize search INDEX 'the text'.",
        )


def _check_places(out: Path | None, html: Path | None, source: Path | None) -> None:
    """Refuse a place of a file, or a source of the sheet, before anything is searched for."""
    from downstream.index.listing import free_hits_file
    from downstream.sheet import free_sheet

    if out is not None:
        free_hits_file(out, "search")
    if html is not None:
        free_sheet(html, source)
    elif source is not None:
        raise UsageError(
            "--source goes with --html FILE, in which the images are shown.",
            fix="Give --html FILE too, or leave out --source.",
        )


def _write_sheet(
    console: Console,
    place: tuple[Path, Path | None],
    index: Path,
    answers: Answers,
    remarks: list[str],
) -> None:
    from downstream.sheet import write_sheet

    (html, source), title = place, index.resolve().name
    write_sheet(
        html,
        answers.queries,
        answers.hits,
        source=source,
        title=title,
        remarks=remarks,
    )
    console.say(f"{html}: the hits as a page")


def _listed(index: VectorIndex, out: Path, found: Iterable[Found], asked: Json) -> Outcome:
    """Write hits to a file, of which the outcome tells instead of showing them."""
    from downstream.index.listing import write_hits

    rows = write_hits(out, "search", index, found, asked)
    data = {"out": str(out), "rows": rows, **freshness(index)}
    return Outcome(data, f"{out}: {counted(rows, 'hit')}")
