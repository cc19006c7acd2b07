"""How links are looked for: among all pairs, or among the neighbours that an index finds."""

from __future__ import annotations

import numpy as np

from downstream.index.choice import AUTO, FLAT, Aim, build
from downstream.index.graphs.base import sample
from downstream.index.retriever import DEPTHS, Retriever
from downstream.neighbors.links import COLUMNS, ROWS, Links
from featurize.types import Json, Progress, Reporter

_MOST_WORK = 4.5e12  # products that are summed or compared in about a minute
_COMPARING = 50  # products that take as long as one look at a cosine


def link(links: Links, aim: Aim, reporter: Reporter) -> Json:
    """Find links, and return the `kind` of search and its `recall`.

    `flat` compares all pairs, as `auto` does as far as that takes about a minute on two cores.
    Beyond, an index that reaches the recall finds neighbours; `reached` is then the share of the
    links of some rows, drawn at random, that hold in the groups found: None if they have none.
    Raises as `choice.build` does.
    """
    target: Json = {"target": aim.recall}
    is_exact = aim.kind == FLAT or aim.recall == 1 or (aim.kind == AUTO and _is_affordable(links))
    if not is_exact:
        retriever, curve = build(links.vectors, aim, reporter)
        if curve is not None and retriever.graph is not None:
            _look_among_neighbours(links, retriever, curve.efforts, reporter)
            return {"kind": retriever.graph.kind, "recall": target | _reached(links, reporter)}
    _look_everywhere(links, reporter)
    return {"kind": FLAT, "recall": target | {"reached": 1.0}}


def _is_affordable(links: Links) -> bool:
    return _work_of(links, len(links)) <= _MOST_WORK


def _work_of(links: Links, rows: int) -> int:
    """Return what it takes to compare so many vectors with all."""
    return rows * len(links) * int(links.vectors.shape[1] + _COMPARING)


def _look_everywhere(links: Links, reporter: Reporter) -> None:
    pairs = max(1, len(links) ** 2)
    for start in range(0, len(links), ROWS):
        reporter.progress(Progress("comparing", pairs - (len(links) - start) ** 2, pairs))
        links.compare(np.arange(start, min(start + ROWS, len(links))), start)
    reporter.progress(Progress("comparing", pairs, pairs))


def _look_among_neighbours(
    links: Links, retriever: Retriever, efforts: dict[int, int], reporter: Reporter
) -> None:
    """Find links among the 10 nearest of each row, then the 100 nearest of rows that have more.

    Rows with more than these are compared with all.
    """
    crowded = []
    for start in range(0, len(links), ROWS):
        reporter.progress(Progress("comparing", start, len(links)))
        rows = np.arange(start, min(start + ROWS, len(links)))
        for depth in DEPTHS:
            places, cosines = retriever.find(links.vectors[rows], depth + 1, efforts)
            reach = links.reach(cosines)
            asked, rank = np.nonzero(reach)
            links.join(np.stack([rows[asked], places[asked, rank]], axis=1))
            rows = rows[reach.all(axis=1)]
        crowded.append(rows)
    reporter.progress(Progress("comparing", len(links), len(links)))
    rest = np.concatenate(crowded)
    for start in range(0, len(rest), ROWS):
        reporter.progress(Progress("comparing crowded rows", start, len(rest)))
        links.compare(rest[start : start + ROWS])


def _reached(links: Links, reporter: Reporter) -> Json:
    """Compare some rows with all; return the share of their links that hold, and how many are."""
    count = max(1, int(_MOST_WORK / 4 / _work_of(links, 1)))
    rows = sample(np.arange(len(links)), count)
    held = found = 0
    for start in range(0, len(rows), ROWS):
        reporter.progress(Progress("measuring", start, len(rows)))
        for first in range(0, len(links), COLUMNS):
            pairs, cosines = links.near(rows[start : start + ROWS], first)
            left, right = pairs[links.reach(cosines)].T
            held += int((links.group[left] == links.group[right]).sum())
            found += len(left)
    return {"reached": held / found if found else None, "rows": len(rows), "pairs": found}
