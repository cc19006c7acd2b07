"""A row as a report shows it."""

from __future__ import annotations

from downstream.report.study import Study
from featurize.types import Json

MAX_TEXT = 300


def shown(study: Study, row: int) -> Json:
    """Return the id of a row and, where the table keeps it, the beginning of its text."""
    found: Json = {"id": str(study.data.ids[row])}
    if study.texts is not None and study.texts[row] is not None:
        text = str(study.texts[row])
        found["text"] = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
    return found
