"""Measures of a ranking, as trec_eval defines them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

Gains = Mapping[str, int]  # of each judged document; those that are not judged gain nothing
CUT, DEPTH = 10, 1000  # ranks that nDCG and average precision look at


@dataclass(frozen=True, slots=True)
class Quality:
    """Mean nDCG@10 and mean average precision (down to rank 1,000) over queries."""

    ndcg: float
    precision: float


def ndcg(ranking: Sequence[str], gains: Gains, cut: int = CUT) -> float:
    """Return the discounted gain of the first ranks, as a share of the best there can be.

    A gain counts as it is, divided by log2(rank + 1) (Järvelin and Kekäläinen, 2002).
    """
    best = _discounted(sorted(gains.values(), reverse=True)[:cut])
    return _discounted([gains.get(document, 0) for document in ranking[:cut]]) / best


def average_precision(ranking: Sequence[str], gains: Gains, depth: int = DEPTH) -> float:
    """Return the mean of the precision at each relevant document, 0 for those not found."""
    relevant = {document for document, gain in gains.items() if gain > 0}
    precisions: list[float] = []
    for rank, document in enumerate(ranking[:depth], 1):
        if document in relevant:
            precisions.append((len(precisions) + 1) / rank)
    return sum(precisions) / len(relevant)


def evaluate(rankings: Mapping[str, Sequence[str]], judged: Mapping[str, Gains]) -> Quality:
    """Return the quality over all queries that have a relevant document, ranked or not."""
    queries = [query for query, gains in judged.items() if any(gain > 0 for gain in gains.values())]
    ranked = [(rankings.get(query, ()), judged[query]) for query in queries]
    return Quality(
        mean(ndcg(ranking, gains) for ranking, gains in ranked),
        mean(average_precision(ranking, gains) for ranking, gains in ranked),
    )


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
