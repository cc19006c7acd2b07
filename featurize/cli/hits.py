"""Hits as people read them: a table that fits the terminal, and whole lines for a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurize.wording import counted, printable

if TYPE_CHECKING:
    from rich.console import Console as Terminal
    from rich.console import RenderableType
    from rich.text import Text

    from downstream import Hit
    from downstream.sheet import Query
    from downstream.snippets import Snippet

MOST_BLOCKS = 20
_SNIPPET = 160  # characters
_PIPED = 120
_GAP = "  "


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its title, what it says of each hit, and its width in cells."""

    title: str
    cells: list[str]
    width: int

    @classmethod
    def of(cls, title: str, cells: list[str], most: int | None = None) -> _Column:
        """Make a column as wide as its widest cell, at `most` so wide."""
        from rich.cells import cell_len

        widest = max(map(cell_len, [title, *cells]))
        return cls(title, cells, widest if most is None else min(widest, max(most, len(title))))

    def fitted(self) -> Iterator[str]:
        """Yield title and cells at the width of the column."""
        from rich.cells import set_cell_size

        for cell in (self.title, *self.cells):
            yield set_cell_size(_shortened(cell, self.width), self.width)


def hits_table(queries: Sequence[Query], hits: Sequence[Sequence[Hit]]) -> RenderableType:
    """Return the hits of each query as a block; queries beyond 20 are counted.

    On a terminal a block is as wide as that at most: ids and labels are shortened in their middle,
    snippets take two lines or so. Elsewhere a hit is one line with its whole id and label.
    """
    from downstream.snippets import snippet

    screen = _screen()
    lines: list[Text] = []
    for number, (query, found) in enumerate(zip(queries[:MOST_BLOCKS], hits, strict=False), 1):
        if len(queries) > 1:
            said = f"{query.kind}: {snippet(query.title, '', _SNIPPET).text}"
            lines += _heading(number, said, screen)
        lines += _block(found, query.words, screen)
    return _laid_out([*lines, *_rest(hits[MOST_BLOCKS:])], screen)


def groups_table(
    groups: Sequence[Sequence[Hit]], sizes: Sequence[int], above: Sequence[str]
) -> RenderableType:
    """Return the first rows of each group as a block, below some sentences.

    `sizes` are those of the groups, of which all rows or some are given.
    """
    from rich.text import Text

    screen, lines = _screen(), [Text(printable(sentence)) for sentence in above]
    for number, (rows, size) in enumerate(zip(groups, sizes, strict=True), 1):
        lines += _heading(number, counted(size, "row"), screen)
        lines += _block(rows, "", screen)
        if size > len(rows):
            lines.append(Text(f"and {size - len(rows):,} more"))
    return _laid_out(lines, screen)


def _screen() -> Terminal | None:
    """Return the terminal, if there is one."""
    from rich.console import Console as Terminal

    terminal = Terminal()
    return terminal if terminal.is_terminal else None


def _laid_out(lines: Sequence[Text], screen: Terminal | None) -> RenderableType:
    from rich.console import Group

    return Group(*lines) if screen else "\n".join(line.plain.rstrip() for line in lines)


def _heading(number: int, said: str, screen: Terminal | None) -> list[Text]:
    """Return the line above one of several blocks."""
    from rich.text import Text

    line = f"{number}. {said}"
    above = [Text("")] if number > 1 else []
    return [*above, Text(_shortened(line, screen.width) if screen else line, style="underline")]


def _rest(hits: Sequence[Sequence[Hit]]) -> list[Text]:
    from rich.text import Text

    if not hits:
        return []
    more = f"{len(hits):,} more {'query' if len(hits) == 1 else 'queries'}"
    return [Text(""), Text(f"{more} with {counted(sum(map(len, hits)), 'hit')} not shown")]


def _block(hits: Sequence[Hit], words: str, screen: Terminal | None) -> list[Text]:
    """Return the lines of hits, whose texts are shown where these words occur."""
    from rich.text import Text

    if not hits:
        return [Text("no hits")]
    columns, room = _columns(hits, words, screen.width if screen else None)
    length = _PIPED if screen is None else min(_SNIPPET, 2 * room)
    rows = [_GAP.join(row) for row in zip(*(column.fitted() for column in columns), strict=True)]
    lines = [Text(f"{rows[0]}{_GAP}{_title(hits)}", style="bold", no_wrap=True)]
    for row, hit in zip(rows[1:], hits, strict=True):
        said = _highlighted(_said(hit, words, length))
        parts = said.wrap(screen, max(1, room)) if screen else [said]
        for place, part in enumerate(parts or [Text("")]):
            part.rstrip()
            before = " " * _width(row) if place else row
            lines.append(Text.assemble(before, _GAP, part, no_wrap=True))
    return lines


def _columns(hits: Sequence[Hit], words: str, width: int | None) -> tuple[list[_Column], int]:
    """Return the columns before the snippet, and the room that is left for that."""
    scores = [f"{hit.score:.3f}" for hit in hits]
    score = _Column("score", scores, max(5, *map(len, scores)))
    ids = [printable(hit.id) for hit in hits]
    labels = [_value(hit, "label") for hit in hits]
    kinds = [_value(hit, "modality") for hit in hits]
    modality = [_Column.of("modality", kinds)] if any(kinds) else []
    if width is None:
        label = [_Column.of("label", labels)] if any(labels) else []
        return [score, _Column.of("id", ids), *label, *modality], 0
    fixed = sum(column.width + len(_GAP) for column in (score, *modality))
    room = width - fixed - len(_GAP) * (2 if any(labels) else 1)
    snippets = max(len(_said(hit, words, _SNIPPET).text) for hit in hits)
    names = room - min(snippets, room // 2)  # what ids and labels share
    id = _Column.of("id", ids)
    label = [_Column.of("label", labels, max(names * 2 // 5, names - id.width))] * any(labels)
    id = _Column.of("id", ids, names - sum(column.width for column in label))
    columns = [score, id, *label, *modality]
    return columns, width - sum(column.width + len(_GAP) for column in columns)


def _title(hits: Sequence[Hit]) -> str:
    if any(_value(hit, "text") for hit in hits):
        return "text"
    return "image" if any(_value(hit, "width") for hit in hits) else "source"


def _said(hit: Hit, words: str, length: int) -> Snippet:
    """Return what a hit holds: the part of its text that fits the words; source and size else."""
    from downstream.snippets import snippet

    if text := hit.columns.get("text"):
        return snippet(str(text), words, length)
    source, size = _value(hit, "source"), ""
    if hit.columns.get("width") is not None:
        size = f"{_value(hit, 'width')} x {_value(hit, 'height')}"
    source = "" if source == printable(hit.id) else source  # which stands there already
    return snippet(" ".join(filter(None, [size, source])), "", length)


def _value(hit: Hit, column: str) -> str:
    value = hit.columns.get(column)
    return "" if value is None else printable(str(value))


def _highlighted(found: Snippet) -> Text:
    from rich.text import Text

    return Text.assemble(*((piece, "bold" if match else "") for piece, match in found.pieces()))


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _shortened(text: str, width: int) -> str:
    """Return a text of at most `width` cells, its middle left out where it is longer.

    Two thirds are of its end, where the ids of a table differ.
    """
    if _width(text) <= width:
        return text
    front = (width - 1) // 3
    return f"{_first(text, front)}…{_first(text[::-1], width - 1 - front)[::-1]}"


def _first(text: str, width: int) -> str:
    """Return as much of the start of a text as goes into `width` cells."""
    used = 0
    for place, char in enumerate(text):
        used += _width(char)
        if used > width:
            return text[:place]
    return text
