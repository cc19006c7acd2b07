"""Which kind of index to build: the one that reaches the recall soonest, within the memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from downstream.index.graphs import GRAPHS
from downstream.index.graphs.base import sample
from downstream.index.retriever import DEPTHS, Retriever
from downstream.index.tuning import Curve, count_apart, measure
from featurize.errors import IndexFileError, RecallMissed, UsageError
from featurize.types import Json, Progress, Reporter, Silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLAT, AUTO = "flat", "auto"
KINDS = (FLAT, *GRAPHS)
FLAT_NUMBERS = 1 << 24  # numbers of all vectors that exact search reads in a few milliseconds
_TRIAL = 50_000  # rows that kinds are tried on


@dataclass(frozen=True, slots=True)
class Aim:
    """What an index is asked for: a kind or `auto`, the least recall, and bytes of memory.

    Raises UsageError for a kind that there is not, and for a recall outside of (0, 1].
    """

    kind: str = AUTO
    recall: float = 0.95
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in (AUTO, *KINDS):
            known = ", ".join((AUTO, *KINDS))
            raise UsageError(
                f"There is no index of kind {self.kind!r}.", fix=f"Choose one of: {known}."
            )
        if not 0 < self.recall <= 1:
            raise UsageError(
                f"--recall expects a share over 0 and up to 1, got {self.recall}.",
                fix="0.95 finds 19 of 20 true neighbours; 1 asks for exact search.",
            )
        if self.memory is not None and self.memory < 1:
            raise UsageError(f"A memory of at least one byte is expected, got {self.memory}.")

    def to_json(self) -> Json:
        """Return the aim as a card states it."""
        return {"kind": self.kind, "recall": self.recall, "memory": self.memory}


def memory_of(kind: str, rows: int, dim: int) -> int:
    """Return about how many bytes a kind holds in memory to be quick.

    Of an approximate kind the graph; the few vectors that a search compares exactly are mapped.
    """
    return rows * dim * 4 if kind == FLAT else GRAPHS[kind].memory(rows, dim)


def build(
    vectors: NDArray[np.float32], aim: Aim, reporter: Reporter
) -> tuple[Retriever, Curve | None]:
    """Build what the aim asks for; return its curve, None for exact search.

    `auto` takes exact search for few rows, else the kind that is quicker on a sample, and where one
    misses the recall the next. Raises RecallMissed where the kind that was named misses it, and
    IndexFileError where the memory is too little.
    """
    for kind in (kinds := _in_order(vectors, aim, reporter)):
        if kind == FLAT:
            return Retriever(vectors), None
        retriever, curve = _built(kind, vectors, aim.recall, reporter)
        if curve.reaches:
            return retriever, curve
        if kind == kinds[-1]:
            raise missed(kind, curve, aim.recall)
    raise AssertionError("there is always a kind to try")


def missed(kind: str, curve: Curve, recall: float) -> RecallMissed:
    """Return the error of a kind that does not reach the recall."""
    best = curve.points[-1]
    depth = DEPTHS[0]
    return RecallMissed(
        f"{kind} was to find {recall:.4g} of the {depth} nearest rows; the most effort that was "
        f"tried, {best.effort:,} {GRAPHS[kind].measure}, found {best.recall[depth]:.4g} of them "
        f"(at least {best.bound[depth]:.4g}), in {best.milliseconds:.3g} ms a query.",
        fix=f"--kind flat is exact, in {curve.exact.milliseconds:.3g} ms a query; --kind auto "
        "takes the quickest that reaches the recall; or ask for less recall.",
    )


def _in_order(vectors: NDArray[np.float32], aim: Aim, reporter: Reporter) -> list[str]:
    """Return the kinds to try, the most promising first."""
    rows, dim = vectors.shape
    if aim.kind != AUTO:
        _require_memory([aim.kind], rows, dim, aim)
        return [aim.kind]
    fitting = _require_memory(list(KINDS), rows, dim, aim)
    if FLAT in fitting and (rows * dim <= FLAT_NUMBERS or aim.recall == 1):
        return [FLAT]
    graphs = [kind for kind in fitting if kind != FLAT]
    if len(graphs) > 1:
        graphs.sort(key=_seconds(vectors, graphs, aim.recall, reporter).__getitem__)
    return [*graphs, *([FLAT] if FLAT in fitting else [])]


def _require_memory(kinds: list[str], rows: int, dim: int, aim: Aim) -> list[str]:
    """Return the kinds that fit into the memory; raise IndexFileError where none does."""
    room = _half_of_memory() if aim.memory is None else aim.memory
    needs = {kind: memory_of(kind, rows, dim) for kind in kinds}
    fitting = [kind for kind in kinds if needs[kind] <= room]
    if not fitting and aim.memory is not None:
        least = min(needs, key=needs.__getitem__)
        raise IndexFileError(
            f"{least} takes about {needs[least] / 1e6:,.0f} MB of memory for {rows:,} rows of "
            f"{dim} numbers; {room / 1e6:,.0f} MB were allowed.",
            fix="Allow more with --memory, or embed with fewer dimensions.",
        )
    return fitting or [min(needs, key=needs.__getitem__)]


def _half_of_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _seconds(
    vectors: NDArray[np.float32], kinds: list[str], recall: float, reporter: Reporter
) -> dict[str, float]:
    """Return how long each kind takes for a query on a sample of the rows; ever, if it misses."""
    rows = sample(np.arange(len(vectors)), _TRIAL)
    some = np.ascontiguousarray(vectors[rows])
    took = {}
    for number, kind in enumerate(kinds):
        reporter.progress(Progress("trying kinds", number, len(kinds)))
        curve = _built(kind, some, recall, Silent(), DEPTHS[:1])[1]
        took[kind] = 1 / curve.chosen.per_second if curve.reaches else np.inf
    reporter.progress(Progress("trying kinds", len(kinds), len(kinds)))
    return took


def _built(
    kind: str,
    vectors: NDArray[np.float32],
    recall: float,
    reporter: Reporter,
    depths: tuple[int, ...] = DEPTHS,
) -> tuple[Retriever, Curve]:
    apart = sample(np.arange(len(vectors)), count_apart(len(vectors)))
    rows = np.delete(np.arange(len(vectors)), apart)
    reporter.progress(Progress("training", 0, 1))
    graph = GRAPHS[kind].trained(vectors, rows)
    reporter.progress(Progress("training", 1, 1))
    graph.add(vectors, rows, reporter)
    retriever = Retriever(vectors, graph, apart)
    reporter.progress(Progress("measuring", 0, 1))
    curve = measure(retriever, recall, depths=depths)
    reporter.progress(Progress("measuring", 1, 1))
    return retriever, curve
