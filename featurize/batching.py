"""Batches of equal cost, so that nothing is padded and no vector depends on its neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence


def equal_cost_batches(costs: Sequence[int], budget: int) -> list[list[int]]:
    """Group the positions of equal costs into batches whose summed cost stays within the budget.

    A single item over the budget is a batch of its own. The dearest come first, so that workers
    finish together; positions keep their order within a cost. What fills no batch is cut into
    powers of two: runtimes prepare, and keep, something for every shape they meet.
    """
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for position, cost in enumerate(costs):
        groups[cost].append(position)
    batches: list[list[int]] = []
    for cost in sorted(groups, reverse=True):
        batches += _cut(groups[cost], max(1, budget // cost))
    return batches


def _cut(members: list[int], size: int) -> Iterator[list[int]]:
    start = 0
    while left := len(members) - start:
        length = size if left >= size else 1 << (left.bit_length() - 1)
        yield members[start : start + length]
        start += length
