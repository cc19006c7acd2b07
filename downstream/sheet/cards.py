"""Parts of a sheet: a query, and each of its hits as a card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from downstream.page.markup import details, marked, paragraph, plain, safe
from downstream.sheet.pictures import Picture, Pictures, is_image
from downstream.sheet.query import Query, QueryKind
from downstream.snippets import snippet
from featurize.types import Json
from featurize.wording import counted

if TYPE_CHECKING:
    from downstream.index import Hit

MOST_HITS = 100
_TEXT = 320  # characters
_MOST_COLUMNS = 40
_SHOWN = frozenset({"text", "label"})
_KINDS = {
    QueryKind.TEXT: "Text",
    QueryKind.IMAGE: "Image",
    QueryKind.ROW: "Rows like",
    QueryKind.VECTOR: "Vector",
}


def answer(number: int, query: Query, hits: Sequence[Hit], pictures: Pictures) -> str:
    """Return a query with its hits, the nearest first."""
    name = f"query-{number}"
    shown = "".join(
        _card(rank, hit, query, pictures) for rank, hit in enumerate(hits[:MOST_HITS], 1)
    )
    kind = "pictures" if any(is_image(hit.columns) for hit in hits) else "texts"
    found = f'<ol class="hits {kind}" role="list">{shown}</ol>' if hits else paragraph("No hits.")
    more = len(hits) - MOST_HITS
    left = paragraph(f"{counted(more, 'more hit')} not shown.", "note") if more > 0 else ""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title"><div class="query">'
        f'{_asked_picture(query, pictures)}<div><p class="kind">{_KINDS[query.kind]}</p>'
        f'<h2 id="{name}-title">{safe(query.title)}</h2>{_asked_text(query)}</div></div>'
        f"{found}{left}</section>"
    )


def _asked_picture(query: Query, pictures: Pictures) -> str:
    """Return the picture of what was asked, nothing where it is no image."""
    if query.kind is QueryKind.IMAGE:
        return _picture(pictures.of_file(query.name), "the image that was asked for")
    if is_image(query.columns):
        return _picture(pictures.of_row(query.columns), "image of the row that was asked for")
    return ""


def _asked_text(query: Query) -> str:
    text = query.columns.get("text")
    return "" if text is None else paragraph(safe(snippet(str(text), "", _TEXT).text))


def _card(rank: int, hit: Hit, query: Query, pictures: Pictures) -> str:
    """Return one hit as an item of a list."""
    label = hit.columns.get("label")
    named = "" if label is None else f' <span class="label">{safe(label)}</span>'
    return (
        f'<li>{_content(hit, query, pictures)}<p class="facts"><span class="rank">{rank}</span> '
        f'<span class="unseen">score </span><b>{hit.score:.3f}</b>{named}</p>'
        f'<p class="note">{safe(hit.id)}</p>{_columns(rank, hit.columns)}</li>'
    )


def _content(hit: Hit, query: Query, pictures: Pictures) -> str:
    """Return the picture or the text of a row, nothing where the table keeps neither."""
    if is_image(hit.columns):
        return _picture(pictures.of_row(hit.columns), f"image {plain(hit.id)}")
    text = hit.columns.get("text")
    if text is None:
        return ""
    return paragraph(marked(snippet(str(text), query.words, _TEXT).pieces()), "text")


def _picture(picture: Picture, alt: str) -> str:
    if picture.address:
        return f'<img src="{picture.address}" alt="{alt}">'
    return f'<p class="lacking">No picture: {safe(picture.lacking)}.</p>'


def _columns(rank: int, columns: Json) -> str:
    """Return what else is known of a row, folded."""
    others = [
        (name, value) for name, value in columns.items() if name not in _SHOWN and value is not None
    ]
    if not others:
        return ""
    items = "".join(
        f"<div><dt>{safe(name)}</dt><dd>{safe(value)}</dd></div>"
        for name, value in others[:_MOST_COLUMNS]
    )
    more = len(others) - _MOST_COLUMNS
    left = paragraph(f"{counted(more, 'more column')} not shown.", "note") if more > 0 else ""
    told = f'Columns<span class="unseen"> of hit {rank}</span>'
    return details(told, f"<dl>{items}</dl>{left}")
