"""Parts of the page on the classes: how well each is told, which are confused, how many rows."""

from __future__ import annotations

from itertools import starmap

from downstream.page.markup import (
    bar,
    between,
    number,
    paragraph,
    percent,
    safe,
    table,
    whiskers,
)
from downstream.report.page.rows import Pictures, example
from featurize.types import Json
from featurize.wording import counted

_MOST_IN_MATRIX = 30
_DARK = 0.7  # share of a cell on which the colour of the page is easier to read than its ink


def per_class(facts: Json) -> str:
    """Return precision, recall and F1 of every class, the worst first."""
    classes = facts["scores"]["per_class"]
    worst = sorted(classes.items(), key=lambda item: item[1]["f1"]["mean"] or 0.0)
    columns = {
        "Class": "words",
        "F1": "number",
        "<span class='unseen'>F1 drawn from 0 to 1</span>": "chart",
        "Precision": "number",
        "Recall": "number",
        "Rows": "number",
    }
    rows = [
        [
            safe(name),
            between(found["f1"]),
            whiskers(found["f1"]),
            between(found["precision"]),
            between(found["recall"]),
            number(found["support"]),
        ]
        for name, found in worst
    ]
    unmeasured = ", ".join(safe(name) for name in facts["classes"] if name not in classes)
    told = paragraph("The classes that are told worst come first.")
    if unmeasured:
        told += paragraph(f"Not measured, since their rows cannot be held out: {unmeasured}.")
    return told + table("Scores of each class", columns, rows)


def confusion(facts: Json, pictures: Pictures) -> str:
    """Return which classes are taken for which, with rows of which that is true."""
    found = facts["confusion"]
    few = len(facts["classes"]) <= _MOST_IN_MATRIX
    head = _matrix(found["names"], found["matrix"]) if few else ""
    pairs = "".join(_pair(pair, pictures) for pair in found["most"])
    none = paragraph("No row was taken for another class.")
    return head + (f'<div class="pairs">{pairs}</div>' if pairs else none)


def balance(facts: Json) -> str:
    """Return how many rows each class has."""
    found = facts["balance"]
    counts = sorted(found["classes"].items(), key=lambda item: -item[1])
    most = counts[0][1]
    told = (
        f"The largest class, {safe(found['largest'])}, has {number(found['ratio'])} times as many "
        f"rows as the smallest, {safe(found['smallest'])}."
    )
    columns = {"Class": "words", "Rows": "number", "Share of the largest": "chart"}
    rows = [[safe(name), number(count), bar(count / most)] for name, count in counts]
    return paragraph(told) + table("Rows of each class", columns, rows)


def _matrix(names: list[str], matrix: list[list[float]]) -> str:
    """Return the confusions as a table whose cells are as dark as their share of the row."""
    head = "".join(f'<th scope="col"><span>{safe(name)}</span></th>' for name in names)
    body = "".join(
        f'<tr><th scope="row">{safe(name)}</th>{"".join(starmap(_cell, _shares(counts)))}</tr>'
        for name, counts in zip(names, matrix, strict=True)
    )
    return (
        paragraph(
            "One line for each true class, one column for each predicted one; the stronger the "
            "colour, the larger the share of the line.",
            "note",
        )
        + '<div class="scroll" role="region" aria-label="Confusion matrix" tabindex="0">'
        f'<table class="matrix"><thead><tr><th>true \\ predicted</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _shares(counts: list[float]) -> list[tuple[float, float]]:
    total = sum(counts) or 1
    return [(count, count / total) for count in counts]


def _cell(count: float, share: float) -> str:
    dark = ' class="dark"' if share > _DARK else ""
    return f'<td{dark} style="--share:{100 * share:.0f}%">{number(count) if count else ""}</td>'


def _pair(pair: Json, pictures: Pictures) -> str:
    """Return one pair of classes with rows of the one that were taken for the other."""
    shown = "".join(example(row, pictures) for row in pair["examples"])
    told = f"{counted(pair['rows'], 'row')}, {percent(pair['share'])} of the class"
    return (
        f'<div class="pair"><h3>{safe(pair["truth"])} <span aria-hidden="true">→</span>'
        f'<span class="unseen"> taken for </span> {safe(pair["predicted"])}</h3>'
        f'{paragraph(told, "note")}<ul class="examples">{shown}</ul></div>'
    )
