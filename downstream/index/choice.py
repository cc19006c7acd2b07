"""Which kind of index to build: the one that reaches the recall soonest, within the memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from downstream.index.graphs import GRAPHS, InvertedFile
from downstream.index.graphs.base import sample
from downstream.index.retriever import DEPTHS, Retriever
from downstream.index.tuning import Curve, count_apart, measure
from featurize.errors import IndexFileError, RecallMissed, UsageError
from featurize.types import Json, Progress, Reporter

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLAT, AUTO = "flat", "auto"
KINDS = (FLAT, *GRAPHS)
FLAT_NUMBERS = 1 << 24  # numbers of all vectors that exact search reads in a few milliseconds
_MANY = 8192  # rows that an inverted file looks at for a query, where a graph may be quicker


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

    `auto` takes exact search for few rows. For more it builds the inverted file, which is soon
    built; only where this must look at many rows for its recall the graph, which looks at few, can
    be quicker, and is built too; the one that answers sooner is taken. Raises RecallMissed where
    the kind that was named misses the recall, IndexFileError where the memory is too little.
    """
    rows, dim = vectors.shape
    fitting = _fitting(KINDS if aim.kind == AUTO else (aim.kind,), rows, dim, aim)
    is_exact = rows * dim <= FLAT_NUMBERS or aim.recall == 1
    if fitting == [FLAT] or (FLAT in fitting and is_exact):
        return Retriever(vectors), None
    best: tuple[Retriever, Curve] | None = None
    for kind in (kind for kind in fitting if kind != FLAT):
        if best is None or not best[1].reaches or _looks_at_many(*best):
            best = _sooner(best, _built(kind, vectors, aim.recall, reporter))
    assert best is not None
    if best[1].reaches:
        return best
    if FLAT in fitting:
        return Retriever(vectors), None
    assert best[0].graph is not None
    raise missed(best[0].graph.kind, best[1], aim.recall)


def _looks_at_many(retriever: Retriever, curve: Curve) -> bool:
    """Say whether an inverted file looks at more rows than a graph would have to."""
    graph = retriever.graph
    if not isinstance(graph, InvertedFile) or not curve.reaches:
        return True
    return curve.chosen.effort * len(graph) / graph.efforts[-1] > _MANY


def _sooner(
    one: tuple[Retriever, Curve] | None, other: tuple[Retriever, Curve]
) -> tuple[Retriever, Curve]:
    """Return of two indexes the one that reaches the recall, or answers sooner if both do."""
    if one is None or not one[1].reaches:
        return other
    if not other[1].reaches:
        return one
    return min(one, other, key=lambda built: built[1].chosen.milliseconds)


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


def _fitting(kinds: tuple[str, ...], rows: int, dim: int, aim: Aim) -> list[str]:
    """Return the kinds that fit into the memory; raise IndexFileError where none does.

    Where nobody named a limit, the smallest fits in any case.
    """
    room = _half_of_memory() if aim.memory is None else aim.memory
    needs = {kind: memory_of(kind, rows, dim) for kind in kinds}
    least = min(needs, key=needs.__getitem__)
    if needs[least] > room and aim.memory is not None:
        raise IndexFileError(
            f"{least} takes about {needs[least] / 1e6:,.3g} MB of memory for {rows:,} rows of "
            f"{dim} numbers, the least of what may be chosen; {room / 1e6:,.3g} MB were allowed.",
            fix="Allow more with --memory, or embed with fewer dimensions.",
        )
    return [kind for kind in kinds if needs[kind] <= room] or [least]


def _half_of_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _built(
    kind: str,
    vectors: NDArray[np.float32],
    recall: float,
    reporter: Reporter,
) -> tuple[Retriever, Curve]:
    apart = sample(np.arange(len(vectors)), count_apart(len(vectors)))
    rows = np.delete(np.arange(len(vectors)), apart)
    reporter.progress(Progress("training", 0, 1))
    graph = GRAPHS[kind].trained(vectors, rows)
    reporter.progress(Progress("training", 1, 1))
    graph.add(vectors, rows, reporter)
    retriever = Retriever(vectors, graph, apart)
    reporter.progress(Progress("measuring", 0, 1))
    curve = measure(retriever, recall)
    reporter.progress(Progress("measuring", 1, 1))
    return retriever, curve
