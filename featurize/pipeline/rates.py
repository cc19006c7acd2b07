"""How fast full batches run on this machine, and which budget serves it best."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from featurize.cache import measured
from featurize.encoder import Encoder
from featurize.known import KnownInputs
from featurize.runtimes.devices import hardware
from featurize.types import Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORTH_TUNING = 5000  # inputs: for fewer, measuring costs more than it brings
_SCALES = (0.5, 1.0, 2.0)
_ROUNDS = 3
_NOTICEABLE = 0.95  # of the time of the budget that is the default
_PLACES = (1, 0, 0.5, 0.25, 0.75, 0.9)  # in the order of costs, the most telling first
_LONGEST = 4.0  # seconds for measuring, where two costs are known


def tuned_budget(encoder: Encoder, workers: Executor) -> int:
    """Return the budget whose batches run fastest here: the default, unless another is 5 % faster.

    Budgets take turns on a bundle's known inputs, once for a graph, runtime and machine; the
    choice is kept in the cache. It leaves no trace in vectors.
    """
    key = {name: encoder.variant[name] for name in ("runtime", "precision", "graph", "library")}
    key |= {"hardware": hardware(encoder.runtime.device), "default": encoder.budget}
    return int(measured("budget", key, lambda: _fastest(encoder, workers)))


def seconds_by_cost(
    encoder: Encoder, samples: Sequence[Sample], workers: Executor
) -> NDArray[np.float64]:
    """Return the thread-seconds that each sample takes in full batches, (samples,) float64.

    Of each kind, batches of a few costs are measured while all workers are at work; others lie
    between.
    """
    kinds = [sample.kind for sample in samples]
    seconds = np.empty(len(samples))
    for kind in set(kinds):
        rows = [row for row, found in enumerate(kinds) if found == kind]
        seconds[rows] = _seconds_of_kind(encoder, [samples[row] for row in rows], workers)
    return seconds


def _seconds_of_kind(
    encoder: Encoder, samples: Sequence[Sample], workers: Executor
) -> NDArray[np.float64]:
    costs = np.array([sample.cost for sample in samples])
    by_cost = {sample.cost: sample for sample in samples}
    found: dict[int, float] = {}
    until = time.perf_counter() + _LONGEST
    for place in _PLACES:
        cost = int(np.quantile(costs, place, method="nearest"))
        if cost not in found and (len(found) < 2 or time.perf_counter() < until):
            found[cost] = _seconds(encoder, by_cost[cost], encoder.budget, workers)
    known = sorted(found)
    seconds: NDArray[np.float64] = np.interp(costs, known, [found[cost] for cost in known])
    return seconds


def _fastest(encoder: Encoder, workers: Executor) -> float:
    """Return the budget that encodes known inputs of a usual and of a large cost fastest."""
    samples = sorted(KnownInputs(encoder).samples(), key=lambda sample: sample.cost)
    chosen = [samples[len(samples) // 2], samples[len(samples) * 9 // 10]]
    budgets = [max(1, int(encoder.budget * scale)) for scale in _SCALES]
    times: dict[int, list[float]] = {budget: [] for budget in budgets}
    for _ in range(_ROUNDS):
        for budget in budgets:
            spent = (_seconds(encoder, sample, budget, workers) / sample.cost for sample in chosen)
            times[budget].append(sum(spent))
    best = min(times, key=lambda budget: median(times[budget]))
    is_noticeable = median(times[best]) < _NOTICEABLE * median(times[encoder.budget])
    return best if is_noticeable else encoder.budget


def _seconds(encoder: Encoder, sample: Sample, budget: int, workers: Executor) -> float:
    """Return the thread-seconds per input of a full batch, while every worker runs one."""
    size = max(1, budget // sample.cost)
    batch = encoder.processor.collate([sample] * size)

    def run() -> float:
        encoder.runtime.run(batch)  # the first run of a shape also prepares for it
        began = time.perf_counter()
        encoder.runtime.run(batch)
        return time.perf_counter() - began

    runs = [workers.submit(run) for _ in range(encoder.runtime.workers)]
    return median(run.result() for run in runs) / size
