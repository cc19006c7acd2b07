"""Batches of equal cost."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from featurize import batching
from featurize.types import Sample


def equal_cost_batches(costs, budget, kinds=("input_ids",)):
    """Batch samples of these costs, whose kinds take turns."""
    kind = itertools.cycle(kinds)
    samples = [Sample({next(kind): np.zeros(cost)}, cost, {}) for cost in costs]
    return batching.equal_cost_batches(samples, budget)


@given(st.lists(st.integers(1, 40), max_size=200), st.integers(1, 200))
def test_every_position_once_equal_costs_within_budget(costs, budget):
    """Each position is in one batch, costs within a batch are equal, budgets are kept."""
    batches = equal_cost_batches(costs, budget)
    assert sorted(position for batch in batches for position in batch) == list(range(len(costs)))
    for batch in batches:
        assert len({costs[position] for position in batch}) == 1
        assert len(batch) == 1 or sum(costs[position] for position in batch) <= budget
        assert batch == sorted(batch)


def test_kinds_are_kept_apart():
    """A text and an image of one cost are never in one batch: other graphs take them."""
    batches = equal_cost_batches([2] * 6, 6, kinds=("input_ids", "pixels"))
    assert sorted(sorted(batch) for batch in batches) == [[0, 2, 4], [1, 3, 5]]


def test_the_dearest_come_first():
    """Long inputs start first, so that workers finish together."""
    assert equal_cost_batches([1, 5, 1, 5], 5) == [[1], [3], [0, 2]]


@given(st.integers(1, 5000), st.integers(1, 300))
def test_few_shapes_occur(count, budget):
    """Besides full batches, only powers of two, each once: a runtime prepares for every shape."""
    sizes = [len(batch) for batch in equal_cost_batches([1] * count, budget)]
    rest = [size for size in sizes if size != budget]
    assert sum(sizes) == count
    assert all(size & (size - 1) == 0 for size in rest)
    assert len(rest) == len(set(rest))
