"""A million clustered vectors: recall, rate and build time, beside exact search and autofaiss."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from comparison.tables import rate, table

from downstream import VectorIndex
from searching.clusters import LOW_RANK, SHAPES, Clusters, Drawn, write_clusters
from searching.exactly import recall, true_places
from searching.options import Options
from searching.peers import PEER, VERSION, Asked, Peer, Point, Task, built_by_autofaiss
from searching.timing import ALONE, ROUNDS, Speed, Stages, seconds_of, side_by_side

if TYPE_CHECKING:
    from numpy.typing import NDArray

TITLE = "Search: a million vectors"
TARGETS, NEAR, QUERIES = (0.80, 0.90, 0.95, 0.99), 10, 1000
SPEED_AT, FASTER = 0.95, 10
BESIDE_PEER, PATIENCE = LOW_RANK, 1.5  # times our slowest build that autofaiss may take
CELLS = 2048  # of an inverted file of ours over a million rows


@dataclass(frozen=True, slots=True)
class Built:
    """An index of ours for one target: what it took, what it found, and how soon, beside flat."""

    target: float
    kind: str
    seconds: float
    stages: dict[str, float]
    memory: int
    recall: float
    speed: Speed
    flat: Speed

    @property
    def faster(self) -> float:
        """Return how many times as many queries/s as exact search it answers."""
        return self.speed.together / self.flat.together

    @property
    def unread(self) -> float:
        """Return the seconds of building without those of reading the table."""
        return self.seconds - self.stages.get("reading", 0.0)


def lines(options: Options) -> Iterator[str]:
    """Yield the section."""
    yield from shape_lines(LOW_RANK, options)


def shape_lines(shape: str, options: Options) -> Iterator[str]:
    """Yield what is measured on clusters of a shape."""
    yield (
        f"{options.rows:,} x 384 unit vectors around 2,000 centres of unequal size in a table; "
        f"{SHAPES[shape]}. {QUERIES:,} queries drawn alike, which are no rows. "
        f'`VectorIndex.build(table, "auto", target)` on all cores; recall@{NEAR} against exact '
        f"search. Queries/s of all asked at once and milliseconds of one alone, beside faiss "
        f"`IndexFlatIP`, in {ROUNDS} alternating runs ({ALONE} queries alone in each); medians."
    )
    yield ""
    yield from _measured(Clusters(shape), options.folder, options)


def _measured(clusters: Clusters, folder: Path, options: Options) -> Iterator[str]:
    drawn = write_clusters(clusters, options.rows, folder)
    queries = clusters.queries(QUERIES)[1]
    truth = true_places(queries, drawn.vectors, NEAR)
    ours = _ours(drawn, queries, truth, folder)
    head = ["target", "kind", "recall", "queries/s", "flat's", "times", "ms alone", "flat's"]
    head += ["build s", "of it reading", "MB"]
    yield from table(head, [_row(each) for each in ours])
    yield ""
    if clusters.shape == BESIDE_PEER:
        yield from _beside(ours, drawn, queries, truth, options)
        yield ""
    yield from _verdicts(ours)


def _ours(
    drawn: Drawn, queries: NDArray[np.float32], truth: NDArray[np.int64], folder: Path
) -> list[Built]:
    import faiss

    flat = faiss.IndexFlatIP(queries.shape[1])
    flat.add(np.ascontiguousarray(drawn.vectors))
    exact = functools.partial(flat.search, k=NEAR)
    return [_built(drawn, target, queries, truth, exact, folder) for target in TARGETS]


def _built(
    drawn: Drawn,
    target: float,
    queries: NDArray[np.float32],
    truth: NDArray[np.int64],
    exact: Any,
    folder: Path,
) -> Built:
    stages, indexes = Stages(), []

    def build() -> None:
        made = VectorIndex.build(drawn.table, "auto", target, scratch=folder, reporter=stages)
        indexes.append(made)

    seconds = seconds_of(build)
    index = indexes[0]
    found = index.find(queries, NEAR)[0]
    speeds = side_by_side({"ours": lambda asked: index.find(asked, NEAR), "flat": exact}, queries)
    return Built(
        target,
        index.facts["method"],
        seconds,
        stages.seconds,
        index.facts["memory"],
        recall(found, truth),
        speeds["ours"],
        speeds["flat"],
    )


def _task(
    drawn: Drawn,
    queries: NDArray[np.float32],
    truth: NDArray[np.int64],
    ours: Sequence[Built],
) -> Task:
    folder = drawn.file.parent
    np.save(folder / "queries.npy", queries)
    np.save(folder / "truth.npy", truth)
    recalls = [each.recall for each in ours]
    return Task(drawn.file, folder / "queries.npy", folder / "truth.npy", recalls)


def _row(built: Built) -> list[str]:
    return [
        f"{built.target:.2f}",
        built.kind,
        f"{built.recall:.4f}",
        *(rate(built.speed.together), rate(built.flat.together), f"**{built.faster:.1f}**"),
        *(f"{built.speed.alone:.2f}", f"{built.flat.alone:.1f}"),
        *(f"{built.seconds:.1f}", f"{built.stages.get('reading', 0):.1f}"),
        f"{built.memory / 1e6:,.0f}",
    ]


def _beside(
    ours: Sequence[Built],
    drawn: Drawn,
    queries: NDArray[np.float32],
    truth: NDArray[np.int64],
    options: Options,
) -> Iterator[str]:
    """Yield what autofaiss builds, and how soon it answers at the recalls that ours reach."""
    task = _task(drawn, queries, truth, ours)
    memory = max(each.memory for each in ours)
    most = math.ceil(PATIENCE * max(each.seconds for each in ours))
    asked = (
        Asked("as many cells as ours", most, key=f"IVF{CELLS},Flat"),  # it refuses 8-bit ones
        Asked("its choice in the memory of ours", most, memory=memory),
        Asked("its choice", most),
    )
    built = {each: built_by_autofaiss(task, each, options.peers) for each in asked}
    peers = [peer for peer in built.values() if peer is not None]
    yield (
        f"{PEER} {VERSION}, `build_index` of the same vectors in memory, metric ip, all else as it "
        "comes, stopped after one and a half times our slowest build; of its seconds some went to "
        "tuning and measuring what it had built, as of ours. Then the smallest search parameter "
        "that reaches the recall of ours on the same queries."
    )
    yield ""
    for each in (each for each, peer in built.items() if peer is None):
        yield f"- {PEER}, {each.name}: not done after {each.most_seconds} s."
    if not peers:
        return
    yield ""
    head = ["asked for", "index", "MB", "build s", "of it tuning", "tuned by it: recall"]
    head += ["queries/s", *(f"queries/s at {each.recall:.4f}" for each in ours)]
    yield from table(head, [_peer_row(peer) for peer in peers])
    yield ""
    for number, each in enumerate(ours):
        yield from _build_verdicts(each, number, peers)


def _peer_row(peer: Peer) -> list[str]:
    def shown(point: Point | None) -> str:
        return "not reached" if point is None else f"{rate(point.together)} ({point.parameters})"

    return [
        peer.asked.name,
        f"`{peer.key}`",
        f"{peer.bytes / 1e6:,.0f}",
        f"{peer.seconds:.1f}",
        f"{peer.measuring:.1f}",
        f"{peer.tuned.recall:.4f}",
        rate(peer.tuned.together),
        *map(shown, peer.reaching),
    ]


def _verdicts(ours: Sequence[Built]) -> Iterator[str]:
    missed = [f"{each.target:.2f}" for each in ours if each.recall < each.target]
    said = f"**missed at {', '.join(missed)}**" if missed else "reached"
    yield f"- recall@{NEAR} at least the target: {said}."
    (at,) = [each for each in ours if each.target == SPEED_AT]
    said = "reached" if at.faster >= FASTER else "**missed**"
    yield f"- queries/s at {SPEED_AT} at least {FASTER} times flat's: {at.faster:.1f}, {said}."


def _build_verdicts(built: Built, number: int, peers: Sequence[Peer]) -> Iterator[str]:
    """Compare the build with those of autofaiss that reach the recall."""
    ours = f"ours {built.unread:.1f} s without reading the table, {built.seconds:.1f} s with it"
    for peer in peers:
        said = "reached" if built.unread <= peer.seconds else "**missed**"
        if peer.reaching[number] is None:
            said = f"{said}, though its index does not reach this recall"
        yield (
            f"- build time at {built.target:.2f}: {ours}; {PEER}, {peer.asked.name} "
            f"({peer.bytes / 1e6:,.0f} MB): {peer.seconds:.1f} s: {said}."
        )
