"""The contact sheet as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from downstream.page import PageKind
from downstream.page.images import existing_source
from downstream.page.markup import paragraph, plain, safe
from downstream.sheet.cards import answer
from downstream.sheet.pictures import Pictures, is_image
from downstream.sheet.query import Query
from featurize.errors import IndexFileError
from featurize.wording import counted

if TYPE_CHECKING:
    from downstream.index import Hit

MOST_QUERIES = 50
_SHEET = PageKind("search results", "search", "--html", __package__, IndexFileError)
_SCORES = "The score is the cosine of the two vectors: 1 for the same, higher is nearer."


def free_sheet(path: str | Path, source: str | Path | None = None) -> Path:
    """Return where a sheet may be written; raise as `write_sheet` does."""
    if source is not None:
        existing_source(source)
    return _SHEET.free_place(path)


def write_sheet(
    path: str | Path,
    queries: Sequence[Query],
    hits: Sequence[Sequence[Hit]],
    *,
    source: str | Path | None = None,
    title: str = "search",
    remarks: Sequence[str] = (),
) -> None:
    """Write one page with the `hits` of each query, as a whole or not at all.

    Images are shown from the files below `source`, the folder that the table was made of, as far
    as they are still what was embedded. Beyond 50 queries, 100 hits of each and 32 MiB of pictures
    the rest is counted; `remarks` are sentences about all of it. The page needs no other file and
    no network, and runs nothing. Raises UsageError for a name that does not end in .html, a place
    inside a table and a source that is not there; IndexFileError where a file is in the way that is
    no earlier sheet.
    """
    place = free_sheet(path, source)
    pictures = Pictures(source)
    shown = list(zip(queries, hits, strict=True))[:MOST_QUERIES]
    parts = []
    for number, (query, found) in enumerate(shown, 1):
        parts.append(answer(number, query, found, pictures))
    body = (
        f"{_head(title, hits)}<main>{_remarks(hits, source, remarks)}{_links(queries)}"
        f'<div class="answers">{"".join(parts)}</div></main>'
    )
    _SHEET.write(place, _SHEET.html(plain(title), body))


def _head(title: str, hits: Sequence[Sequence[Hit]]) -> str:
    count = sum(map(len, hits))
    queries = f"{len(hits):,} {'query' if len(hits) == 1 else 'queries'}"
    return (
        f'<header><p class="kind">Search results</p><h1>{safe(title)}</h1><ul class="about">'
        f"<li>{queries}</li><li>{counted(count, 'hit')}</li><li>{_SCORES}</li></ul></header>"
    )


def _remarks(
    hits: Sequence[Sequence[Hit]], source: str | Path | None, remarks: Sequence[str]
) -> str:
    """Say what the page does not show."""
    told = [plain(sentence) for sentence in remarks]
    if source is None and any(is_image(hit.columns) for found in hits for hit in found):
        told.append("Images are shown where --source names the folder they were embedded from.")
    more = len(hits) - MOST_QUERIES
    if more > 0:
        left = counted(sum(map(len, hits[MOST_QUERIES:])), "hit")
        told.append(f"The first {MOST_QUERIES} queries are shown; {more:,} more, with {left}, not.")
    return "".join(paragraph(sentence, "note") for sentence in told)


def _links(queries: Sequence[Query]) -> str:
    """Return links to the queries, nothing for a single one."""
    if len(queries) < 2:
        return ""
    items = "".join(
        f'<li><a href="#query-{number}">{safe(query.title)}</a></li>'
        for number, query in enumerate(queries[:MOST_QUERIES], 1)
    )
    return f'<nav aria-label="Queries"><ul>{items}</ul></nav>'
