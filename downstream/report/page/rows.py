"""Parts of the page that show rows: suspects among the labels, duplicates, and their pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from downstream.report.page.markup import in_words, number, paragraph, percent, safe, table
from featurize.types import Json
from featurize.wording import counted

Pictures: TypeAlias = Mapping[str, str]
"""Pictures by the id of their row, as `data:` addresses."""


_MOST_SUSPECTS = 100


def example(row: Json, pictures: Pictures) -> str:
    """Return one row as an item of a list: its picture or text, its id, the head's confidence."""
    sure = row.get("confidence")
    sureness = "" if sure is None else f" · {percent(sure)} sure"
    text = f"<p>{safe(row['text'])}</p>" if row.get("text") is not None else ""
    return (
        f'<li>{picture(row["id"], pictures)}{text}<p class="note">{safe(row["id"])}{sureness}</p>'
        "</li>"
    )


def picture(key: str, pictures: Pictures) -> str:
    """Return the picture of a row, or nothing where there is none."""
    return f'<img src="{pictures[key]}" alt="image of the row">' if key in pictures else ""


def suspects(facts: Json, pictures: Pictures) -> str:
    """Return the rows whose labels are probably wrong, the surest first."""
    found, share = facts["noise"]["suspects"][:_MOST_SUSPECTS], facts["noise"]["share"]
    told = f"About {in_words(share)} of the labels may be wrong, by how sure the head is of others."
    if not found:
        return paragraph(f"{told} No row stands out.")
    columns = {"Row": "words", "Label": "words", "Rather": "words", "Score": "number"}
    rows = [
        [
            _shown(row, pictures),
            safe(row["label"]),
            safe(row["proposed"]),
            number(row["score"]),
        ]
        for row in found
    ]
    many = facts["noise"]["found"]
    shown = "" if many == len(found) else f" The first {len(found):,} are shown."
    told = f"{told} {counted(many, 'row')} to look at, the surest first.{shown}"
    return paragraph(told) + table("Labels that are probably wrong", columns, rows)


def duplicates(facts: Json, pictures: Pictures) -> str:
    """Return rows that say the same, and whether any of them helped to score another."""
    found = facts["duplicates"]
    leak = found["leak"]
    told = (
        f"{counted(found['exact_groups'], 'group')} of equal contents and "
        f"{counted(found['near_groups'], 'group')} of nearly equal ones, "
        f"{counted(found['rows'], 'row')} in all."
    )
    leaked = "None of them lies on both sides of a fold."
    if leak and leak.get("rows"):
        without = leak["score_without"]
        score = "" if without is None else f" Without them, accuracy is {in_words(without)}."
        lies = "has a twin" if leak["rows"] == 1 else "have a twin"
        leaked = (
            f"{counted(leak['rows'], 'row')} {lies} on the other side of a fold: a leak.{score}"
        )
    shown = "".join(_twins(pair, pictures) for pair in found["examples"])
    return (
        paragraph(told)
        + paragraph(leaked)
        + (f'<ul class="examples">{shown}</ul>' if shown else "")
    )


def _shown(row: Json, pictures: Pictures) -> str:
    """Return what a row holds, and its id."""
    note = f'<span class="note">{safe(row["id"])}</span>'
    return f"{picture(row['id'], pictures)}{_said(row)}{note}"


def _said(row: Json) -> str:
    return f"<p>{safe(row['text'])}</p>" if row.get("text") is not None else ""


def _twins(pair: Json, pictures: Pictures) -> str:
    """Return two rows that are equal or nearly so."""
    texts = pair.get("texts") or [None] * len(pair["ids"])
    items = "".join(
        f"{picture(key, pictures)}{_said({'text': text})}<p class='note'>{safe(key)}</p>"
        for key, text in zip(pair["ids"], texts, strict=True)
    )
    alike = pair.get("similarity")
    told = "" if alike is None else paragraph(f"cosine {number(alike)}", "note")
    return f"<li>{items}{told}</li>"
