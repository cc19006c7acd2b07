"""Small pictures of rows, from the files that a table was made of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from downstream.page.images import image_of, thumbnail
from downstream.report.study import Study
from featurize.errors import InputRejected
from featurize.types import Json, Modality

MOST = 80
SIDE = 192  # pixels


def shown_ids(facts: Json) -> list[str]:
    """Return the ids of the rows that a page shows, in the order of their importance."""
    pairs = facts.get("confusion", {}).get("most", [])
    found = [row["id"] for pair in pairs for row in pair["examples"]]
    found += [row["id"] for row in facts.get("noise", {}).get("suspects", [])]
    found += [
        key for pair in facts.get("duplicates", {}).get("examples", []) for key in pair["ids"]
    ]
    return list(dict.fromkeys(found))


def pictures(study: Study, ids: Iterable[str]) -> dict[str, str]:
    """Return small JPEG pictures of rows by their ids, as `data:` addresses.

    A row has none where the study names no source, where its file is not there or no image, and
    where its content is not the one that was embedded: SHA-256 is compared before anything is
    decoded. There are `MOST` at most, of `SIDE` pixels on their longer side.
    """
    if study.source is None or Modality.IMAGE not in study.data.encoder.modalities:
        return {}
    contents = dict(zip(study.data.ids, study.contents, strict=True))
    found: dict[str, str] = {}
    for key in ids:
        if key not in contents or len(found) == MOST:
            continue
        with contextlib.suppress(InputRejected):
            found[key] = thumbnail(image_of(study.source, key, contents[key]), SIDE)
    return found
