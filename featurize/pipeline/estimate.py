"""What a run would take: time, memory and disk, from a small part of it that is really done."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize.pipeline.chunk import plan_chunks, run_chunk
from featurize.pipeline.extraction import Extraction
from featurize.pipeline.flight import STEPS_IN_FLIGHT
from featurize.pipeline.preparing import prepare_samples
from featurize.pipeline.rates import seconds_by_cost
from featurize.pipeline.stages import Stage
from featurize.pipeline.workers import Workers
from featurize.sources import Listing
from featurize.table.part import write_part

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

_PREPARED = 512  # inputs that are read and prepared
_WRITTEN = 192  # rows that are made and written, where that takes no longer than
_LONGEST = 4.0  # seconds
_KEY_BYTES = 80  # what a listed input keeps in memory for the whole run
_COPIES = 4  # of contents and vectors, at the height of a chunk


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would take: seconds, and bytes of memory at its height and of files."""

    seconds: float
    memory_bytes: int
    disk_bytes: int


def estimate(
    listing: Listing,
    places: NDArray[np.int64],
    extraction: Extraction,
    workers: Workers,
    folder: Path,
) -> Estimate:
    """Estimate the embedding of the listed inputs at `places`, (n,) int64, once they are compared.

    Some of them are read and prepared, batches of their costs encoded, and a few rows written to
    `folder`. Equal contents, which are encoded once, are not foreseen.
    """
    began = time.perf_counter()
    extraction.encoder.load()
    loading = time.perf_counter() - began
    if not len(places):
        return Estimate(loading, _peak_memory(), 0)
    working = _thread_seconds(listing, places, extraction, workers)
    chunks = plan_chunks(listing.sizes[places], extraction.encoder.processor.chunk_bytes)
    afford = _LONGEST * extraction.encoder.runtime.workers * len(places) / max(working, 1e-9)
    chosen = _spread(places, min(_WRITTEN, 2 + int(afford)))
    with extraction.claims.held() as held:
        rows = run_chunk(listing.take(chosen), extraction, held, workers).rows
    disk = _disk_bytes(rows, len(places) / len(chosen), len(chunks), folder)
    contents = max(int(listing.sizes[places[chunk.start : chunk.stop]].sum()) for chunk in chunks)
    each = max(1, len(rows) / len(chosen))
    vectors = int(max(map(len, chunks)) * each) * extraction.encoder.dim * 4
    at_once = min(len(chunks), STEPS_IN_FLIGHT + 1)
    return Estimate(
        loading + working / extraction.encoder.runtime.workers,
        _peak_memory() + at_once * _COPIES * (contents + vectors) + _KEY_BYTES * len(listing),
        disk,
    )


def _thread_seconds(
    listing: Listing, places: NDArray[np.int64], extraction: Extraction, workers: Workers
) -> float:
    """Return how long one thread would read, prepare and encode all inputs."""
    few = int(extraction.encoder.processor.chunk_bytes / max(1, listing.sizes[places].mean()))
    chosen = _spread(places, min(_PREPARED, max(2, few)))
    samples = prepare_samples(listing.take(chosen), extraction, workers)
    busy = extraction.clock.seconds()
    spent = busy[Stage.READ] + busy[Stage.PREPARE]
    if samples:
        spent += float(seconds_by_cost(extraction.encoder, samples, workers).sum())
    return spent * len(places) / len(chosen)


def _disk_bytes(rows: pa.Table, times: float, parts: int, folder: Path) -> int:
    """Return the size of parts with so many times the rows: what each costs, and every row."""
    count = len(rows)
    if count < 2:
        return write_part(rows, folder / "all.parquet").bytes
    half, whole = (
        write_part(rows.take(_spread(np.arange(count), size)), folder / f"{size}.parquet").bytes
        for size in (count // 2, count)
    )
    each = (whole - half) / (count - count // 2)
    return int(parts * (whole - count * each) + times * count * each)


def _spread(places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return so many of the places, evenly spread."""
    if len(places) <= count:
        return places
    return places[np.linspace(0, len(places) - 1, count).astype(np.int64)]


def _peak_memory() -> int:
    """Return the most memory this process has had so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
