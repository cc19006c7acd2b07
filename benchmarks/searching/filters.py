"""Searches under a filter: what they find, of what there is to find, and how long they take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from comparison.tables import rate, table

from downstream import VectorIndex
from searching.clusters import FIVE, LOW_RANK, SHAPES, SHARES, Clusters, Drawn, write_clusters
from searching.exactly import recall, true_places
from searching.options import Options
from searching.timing import ALONE, Speed, side_by_side

if TYPE_CHECKING:
    from numpy.typing import NDArray

TITLE = "Search: filters"
KINDS, TARGET, NEAR, QUERIES = ("ivf", "hnsw"), 0.95, 10, 1000


@dataclass(frozen=True, slots=True)
class Case:
    """A condition, the rows that it selects, and the queries that are asked under it."""

    name: str
    where: str
    rows: NDArray[np.intp]
    queries: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found under a condition by queries asked alone (the first ones) and together."""

    first: float
    recall: float
    few: int
    speed: Speed


def lines(options: Options) -> Iterator[str]:
    """Yield the section."""
    clusters = Clusters(LOW_RANK)
    drawn = write_clusters(clusters, options.rows, options.folder)
    cases = list(_cases(clusters, drawn))
    yield (
        f"{options.rows:,} x 384 unit vectors, {LOW_RANK}: {SHAPES[LOW_RANK]}. Indexes built for a "
        f"recall of {TARGET}; recall@{NEAR} against exact search among the rows that the condition "
        f"selects, {QUERIES:,} queries. The shares are random, but for the parity: there each "
        "query asks for the clusters that it is not of. Up to 100 queries under a condition are "
        "answered exactly; how far to search for more of them is measured when they come."
    )
    worst: dict[str, float] = {}
    few = 0
    for kind in KINDS:
        index = VectorIndex.build(drawn.table, kind, TARGET, scratch=options.folder)
        measured = [(case, _measured(index, case, drawn)) for case in cases]
        yield from ("", f"### {kind}", "")
        head = ["condition", "rows", f"recall of the first {ALONE}, alone", "recall together"]
        head += ["queries with too few hits", "ms alone", "queries/s together"]
        yield from table(head, [_row(case, figures) for case, figures in measured])
        worst[kind] = min(min(each.first, each.recall) for _, each in measured)
        few += sum(each.few for _, each in measured)
    yield ""
    for kind, least in worst.items():
        said = "reached" if least >= TARGET else "**missed**"
        yield f"- {kind}: recall under every condition at least {TARGET}: {least:.4f}, {said}."
    yield (
        f"- never fewer than {NEAR} hits, or than there are: "
        f"{'reached' if not few else f'**missed by {few} queries**'}."
    )


def _cases(clusters: Clusters, drawn: Drawn) -> Iterator[Case]:
    """Yield random shares of the rows, five rows, and the clusters a query is not of."""
    columns = _columns(drawn.table)
    numbers, queries = clusters.queries(QUERIES)
    for share in (*SHARES, FIVE):
        rows = np.flatnonzero(columns["share"] == share)
        yield Case(share, f"share = '{share}'", rows, queries)
    for parity, other in (("odd", 0), ("even", 1)):
        asked = queries[numbers % 2 == other]
        rows = np.flatnonzero(columns["parity"] == parity)
        yield Case(f"{parity} clusters, by others", f"parity = '{parity}'", rows, asked)


def _columns(path: Path) -> dict[str, NDArray[np.object_]]:
    from featurize.table import EmbeddingTable

    opened = EmbeddingTable.open(path)
    return {name: opened.column(name) for name in ("share", "parity")}


def _measured(index: VectorIndex, case: Case, drawn: Drawn) -> Figures:
    """Ask the first queries alone, then all together, then time both."""
    expected = min(NEAR, len(case.rows))
    truth = true_places(case.queries, drawn.vectors, NEAR, case.rows)

    def ask(queries: NDArray[np.float32]) -> NDArray[np.int64]:
        return index.find(queries, NEAR, where=case.where)[0]

    alone = np.concatenate([ask(query[np.newaxis]) for query in case.queries[:ALONE]])
    together = ask(case.queries)
    return Figures(
        recall(_hits(alone), truth[: len(alone)]),
        recall(_hits(together), truth),
        sum(len(hits) < expected for hits in (*_hits(alone), *_hits(together))),
        side_by_side({"filtered": ask}, case.queries)["filtered"],
    )


def _hits(places: NDArray[np.int64]) -> list[list[int]]:
    return [line[line >= 0].tolist() for line in places]


def _row(case: Case, figures: Figures) -> list[str]:
    return [
        f"`{case.where}`" + " (asked by the others)" * ("parity" in case.where),
        f"{len(case.rows):,}",
        f"{figures.first:.4f}",
        f"{figures.recall:.4f}",
        str(figures.few),
        f"{figures.speed.alone:.2f}",
        rate(figures.speed.together),
    ]
