"""Batches of equal cost, so that nothing is padded and no vector depends on its neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence


def equal_cost_batches(costs: Sequence[int], budget: int) -> list[list[int]]:
    """Group the positions of equal costs into batches whose summed cost stays within the budget.

    A single item over the budget is a batch of its own. The dearest come first, so that workers
    finish together; positions keep their order within a cost.
    """
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for position, cost in enumerate(costs):
        groups[cost].append(position)
    batches = []
    for cost in sorted(groups, reverse=True):
        size = max(1, budget // cost)
        members = groups[cost]
        batches += [members[start : start + size] for start in range(0, len(members), size)]
    return batches
