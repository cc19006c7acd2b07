"""Parts of the page that show rows: suspects among the labels, duplicates, and their pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from downstream.page.markup import in_words, paragraph, percent, safe, table
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
            f"{row['score']:.3f}",
        ]
        for row in found
    ]
    many = facts["noise"]["found"]
    shown = "" if many == len(found) else f" The first {len(found):,} are shown."
    told = f"{told} {counted(many, 'row')} to look at, the surest first.{shown}"
    return paragraph(told) + table("Labels that are probably wrong", columns, rows)


def duplicates(facts: Json, pictures: Pictures) -> str:
    """Return rows that say the same, and what they do to scores where a split parts them."""
    found = facts["duplicates"]
    told = (
        f"{counted(found['exact_groups'], 'group')} of equal contents and "
        f"{counted(found['near_groups'], 'group')} of nearly equal ones, "
        f"{counted(found['rows'], 'row')} in all.{_conflicts(found['conflicts'])}"
    )
    leaks = [_leak("Where rows are dealt out one by one", "dealt", found["leak"])]
    if found["split"]:
        learned = safe(found["split"]["train"])
        start = f"In the split of the table, which learns from {learned}"
        leaks.append(_leak(start, "tested", found["split"]))
    shown = "".join(_twins(pair, pictures) for pair in found["examples"])
    listed = f'<ul class="examples">{shown}</ul>' if shown else ""
    return paragraph(told) + "".join(map(paragraph, leaks)) + listed


def _conflicts(found: Json) -> str:
    """Say how many groups of twins bear several labels."""
    if not found["groups"]:
        return ""
    return f" {counted(found['groups'], 'group')} of them, {counted(found['rows'], 'row')}, " + (
        "bears several labels." if found["groups"] == 1 else "bear several labels."
    )


def _leak(start: str, done: str, leak: Json) -> str:
    """Say how many rows have a twin on the other side of a split, and what that is worth."""
    if not leak["rows"]:
        return f"{start}, no row has a twin on the other side: nothing leaks."
    told = (
        f"{start}, <strong>{counted(leak['rows'], 'row')}</strong> ({percent(leak['share'])} of "
        f"those {done}) have a twin on the other side: a leak."
    )
    if leak["score"] is None:
        return told
    return (
        f"{told} Accuracy is then {in_words(leak['score'])}, and without it "
        f"{in_words(leak['score_without'])}."
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
        f'<div class="twin">{picture(key, pictures)}{_said({"text": text})}'
        f'<p class="note">{safe(key)} · {safe(label)}</p></div>'
        for key, label, text in zip(pair["ids"], pair["labels"], texts, strict=True)
    )
    alike = paragraph(f"cosine {pair['similarity']:.4f}", "note")
    return f"<li>{items}{alike}</li>"
