"""Pieces of HTML, and the only place where texts from the data become part of it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

from featurize.types import Json
from featurize.wording import printable

NOTHING = "&ndash;"
_LONGEST = 400
_BREAKS = re.compile(r"(?<=\w)([_/])(?=\w)")
_BREAK = r"\1<wbr>"  # names of many words have no other place for a line to end
_MOST_ROWS = 300


def plain(value: object) -> str:
    """Return a text of the data escaped, cut where long, its controls spelled out."""
    text = str(value)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
    return _escaped(text)


def safe(value: object) -> str:
    """Return a text of the data as an element that cannot turn the direction of its neighbours."""
    return _apart(plain(value))


def marked(pieces: Iterable[tuple[str, bool]]) -> str:
    """Return a text of the data, as `safe` does, from pieces of which some are marked."""
    shown = (f"<mark>{plain(text)}</mark>" if mark else plain(text) for text, mark in pieces)
    return _apart("".join(shown))


def percent(value: float | None) -> str:
    """Return a share as people say it: `93.2 %`."""
    return NOTHING if value is None else f"{100 * value:.1f}&nbsp;%"


def number(value: float | None) -> str:
    """Return a figure with as many digits as say something."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 100 else f"{value:.3g}"


def between(interval: Json, *, share: bool = True) -> str:
    """Return a figure with its 95 % interval."""
    if interval["mean"] is None:
        return NOTHING
    scale, form = (100, ".1f") if share else (1, ".3g")
    low, high = (format(scale * interval[end], form) for end in ("low", "high"))
    mean = percent(interval["mean"]) if share else number(interval["mean"])
    return f'{mean} <span class="range">{low}&nbsp;to&nbsp;{high}</span>'


def in_words(interval: Json, *, share: bool = True) -> str:
    """Return a figure with its 95 % interval as a part of a sentence."""
    told = between(interval, share=share)
    return told.replace('<span class="range">', "(").replace("</span>", ")")


def prose(text: str) -> str:
    """Return a sentence of ours with texts of the data in it, `code` as such, however long."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _apart(_escaped(text)))


def whiskers(interval: Json) -> str:
    """Return a share of 1 and its interval as a small picture, for those who see it."""
    if interval["mean"] is None:
        return ""
    low, high = max(0.0, interval["low"]), min(1.0, interval["high"])
    return (
        '<span class="whiskers" aria-hidden="true">'
        f'<i style="left:{low:.1%};width:{max(0.0, high - low):.1%}"></i>'
        f'<b style="left:{interval["mean"]:.1%}"></b></span>'
    )


def bar(share: float) -> str:
    """Return a share of 1 as a bar."""
    return f'<span class="bar" aria-hidden="true"><i style="width:{share:.1%}"></i></span>'


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of HTML; nothing for none."""
    return (f'<p class="{kind}">{text}</p>' if kind else f"<p>{text}</p>") if text else ""


def figure(plot: str, caption: str) -> str:
    """Return a plot above what it shows."""
    return f"<figure>{plot}<figcaption>{caption}</figcaption></figure>"


def details(summary: str, body: str) -> str:
    """Return what unfolds on demand."""
    return f"<details><summary>{summary}</summary>{body}</details>"


def table(name: str, columns: dict[str, str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table of HTML cells in a box of its own, in which it scrolls.

    `columns` are the headings with the kind of their cells: `words`, `number` or `chart`. The first
    cell of a row is its heading. Rows beyond a stated limit are counted instead.
    """
    kinds = list(columns.values())
    head = "".join(
        f'<th scope="col" class="{kind}">{title}</th>' for title, kind in columns.items()
    )
    lines = [_row(row, kinds) for row in rows]
    more = len(lines) - _MOST_ROWS
    left = paragraph(f"{more:,} more rows are in the JSON.", "note") if more > 0 else ""
    return (
        f'<div class="scroll" role="region" aria-label="{name}" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines[:_MOST_ROWS])}</tbody>"
        f"</table></div>{left}"
    )


def _escaped(text: str) -> str:
    return html.escape(printable(text, keep_lines=True))


def _apart(escaped: str) -> str:
    return f"<bdi>{_BREAKS.sub(_BREAK, escaped)}</bdi>"


def _row(cells: Sequence[Any], kinds: Sequence[str]) -> str:
    first, *others = cells
    rest = "".join(
        f'<td class="{kind}">{cell}</td>' for cell, kind in zip(others, kinds[1:], strict=True)
    )
    return f'<tr><th scope="row" class="{kinds[0]}">{first}</th>{rest}</tr>'
