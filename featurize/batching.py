"""Batches of equal cost, so that nothing is padded and no vector depends on its neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from featurize.types import Sample


def equal_cost_batches(samples: Sequence[Sample], budget: int) -> list[list[int]]:
    """Group the positions of equal samples into batches whose summed cost stays within the budget.

    Equal are those of one kind and cost, whose features have equal shapes.

    A single item over the budget is a batch of its own. The dearest come first, so that workers
    finish together; positions keep their order within a cost. What fills no batch is cut into
    powers of two: runtimes prepare, and keep, something for every shape they meet.
    """
    groups: defaultdict[tuple[int, tuple[str, ...]], list[int]] = defaultdict(list)
    for position, sample in enumerate(samples):
        groups[sample.cost, sample.kind].append(position)
    batches: list[list[int]] = []
    for cost, kind in sorted(groups, reverse=True):
        batches += _cut(groups[cost, kind], max(1, budget // cost))
    return batches


def _cut(members: list[int], size: int) -> Iterator[list[int]]:
    start = 0
    while left := len(members) - start:
        length = size if left >= size else 1 << (left.bit_length() - 1)
        yield members[start : start + length]
        start += length
