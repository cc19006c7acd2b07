"""One chunk: listed inputs in, rows and rejects out. Nothing outside it decides its result.

Listed inputs become contents, contents samples, samples batches of equal cost, batches vectors,
vectors rows. At each step an input may leave as a reject instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from featurize.encoder import Encoder
from featurize.errors import InputRejected
from featurize.pipeline.claims import Claim, Claims, Held
from featurize.pipeline.donors import Donors
from featurize.pipeline.slots import Prepared, Slots
from featurize.pipeline.stages import Stage, StageClock
from featurize.pipeline.workers import Workers, beat
from featurize.sources import Record, Source
from featurize.storage import sha256_bytes

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from featurize.types import Sample

MAX_ROWS = 8192
_SLICES_PER_WORKER = 2
_PIECES_PER_WINDOW = 64  # so that a worker is heard of often


@dataclass(frozen=True, slots=True)
class Extraction:
    """What all chunks of a run share.

    `donors` give the vectors of contents the table has, `claims` of those that another chunk is
    encoding; `on_encoded` hears how many inputs were just encoded, `clock` how long every stage
    took.
    """

    source: Source
    encoder: Encoder
    schema: pa.Schema
    donors: Donors
    on_encoded: Callable[[int], None] = field(default=lambda _count: None)
    clock: StageClock = field(default_factory=StageClock)
    claims: Claims = field(default_factory=Claims)

    def note_encoded(self, count: int, seconds: float) -> None:
        """Pass on that a batch was encoded, and how long that took."""
        self.on_encoded(count)
        self.clock.add(Stage.ENCODE, seconds)


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """What a chunk became; `encoded` counts the contents sent to the model."""

    rows: pa.Table
    rejects: pa.Table
    encoded: int
    truncated: int


def plan_chunks(sizes: NDArray[np.int64], max_bytes: int) -> list[range]:
    """Cut sorted inputs into chunks of at most 8,192 inputs and `max_bytes` of content.

    `sizes` (n,) are bytes. An input over the limit is a chunk of its own.
    """
    ends = np.cumsum(sizes)
    chunks, start = [], 0
    while start < len(sizes):
        base = ends[start - 1] if start else 0
        full = int(np.searchsorted(ends, base + max_bytes, side="right"))
        stop = max(start + 1, min(start + MAX_ROWS, full))
        chunks.append(range(start, stop))
        start = stop
    return chunks


def run_chunk(
    listed: pa.Table, extraction: Extraction, held: Held, workers: Workers
) -> ChunkResult:
    """Load, prepare and encode one chunk of a listing on the workers.

    Where memory does not suffice, the whole chunk is done again in batches half as large.
    """
    while True:
        budget = extraction.encoder.budget
        try:
            return _run_chunk(listed, extraction, held, workers)
        except MemoryError:
            held.release()
            extraction.encoder.halve_budget(budget)


def _run_chunk(
    listed: pa.Table, extraction: Extraction, held: Held, workers: Workers
) -> ChunkResult:
    slots = Slots.of(listed, extraction.encoder.dim)
    records = records_of(listed)
    encoded = 0
    places = [place for place in range(len(records)) if place not in slots.rejected]
    for window, prepared in _prepared_windows(places, records, extraction, workers):
        samples = slots.take(window, prepared)
        while samples:
            claim = held.claim(list(samples))
            mine = {digest: samples[digest] for digest in samples if digest in claim.digests}
            encoded += _answer(claim, mine, extraction, workers)
            slots.take_vectors(_awaited(claim, workers))
            samples = {key: sample for key, sample in samples.items() if key not in slots.known}
        slots.fan_out(window)
    slots.reject_unusable(extraction.schema)
    rows = slots.rows(extraction.schema)
    truncated = sum(rows.column("truncated").to_pylist()) if "truncated" in rows.column_names else 0
    return ChunkResult(rows, slots.rejects(), encoded, truncated)


def _answer(
    claim: Claim, samples: dict[str, Sample], extraction: Extraction, workers: Workers
) -> int:
    """Find the vectors of claimed contents in the table or make them; return how many were made."""
    vectors = extraction.donors.vectors(list(samples))
    new = {digest: sample for digest, sample in samples.items() if digest not in vectors}
    made = extraction.encoder.encode_samples(list(new.values()), workers, extraction.note_encoded)
    claim.vectors.set_result(vectors | dict(zip(new, made, strict=True)))
    return len(new)


def _awaited(claim: Claim, workers: Workers) -> dict[str, NDArray[np.float32]]:
    """Return the vectors of a claim and those it waits for, as far as they came."""
    found = dict(claim.vectors.result())
    for digest, other in claim.others.items():
        if not other.vectors.done():
            workers.watch.wait(other.vectors)
        vector = other.vectors.result().get(digest)
        if vector is not None:
            found[digest] = vector
    return found


def prepare_samples(listed: pa.Table, extraction: Extraction, workers: Workers) -> list[Sample]:
    """Load and prepare listed inputs; return the samples of those that are not rejected."""
    listed = listed.filter(listed.column("reason").is_null())
    records = records_of(listed)
    windows = _prepared_windows(list(range(len(records))), records, extraction, workers)
    outcomes = (item.outcome for _, prepared in windows for item in prepared)
    return [outcome for outcome in outcomes if not isinstance(outcome, InputRejected)]


def records_of(listed: pa.Table) -> list[Record]:
    """Return the listed inputs as a source loads them."""
    names = ("id", "source", "content", "path")
    values = (listed.column(name).to_pylist() for name in names)
    return [Record(*record) for record in zip(*values, strict=True)]


def _prepared_windows(
    positions: list[int], records: list[Record], extraction: Extraction, workers: Executor
) -> Iterator[tuple[list[int], list[Prepared]]]:
    """Yield windows of prepared inputs; while one is used, the next is being prepared."""
    size = extraction.encoder.processor.window
    windows = [positions[start : start + size] for start in range(0, len(positions), size)]

    def submit(window: list[int]) -> list[Future[list[Prepared]]]:
        length = -(-len(window) // (_SLICES_PER_WORKER * extraction.encoder.runtime.workers))
        slices = [window[start : start + length] for start in range(0, len(window), length)]
        return [
            workers.submit(_prepare, extraction, [records[place] for place in part])
            for part in slices
        ]

    ahead = [submit(window) for window in windows[:1]]
    for number, window in enumerate(windows):
        current = ahead.pop()
        ahead += [submit(following) for following in windows[number + 1 : number + 2]]
        yield window, list(chain.from_iterable(future.result() for future in current))


def _prepare(extraction: Extraction, records: Sequence[Record]) -> list[Prepared]:
    """Load, hash and prepare inputs, on one worker."""
    processor = extraction.encoder.processor
    prepared: dict[int, Prepared] = {}
    loaded: dict[int, str | bytes] = {}
    with extraction.clock.busy(Stage.READ):
        for place, record in enumerate(records):
            beat(f"reading {record.id}")
            try:
                loaded[place] = extraction.source.load(record)
            except InputRejected as rejection:
                prepared[place] = Prepared(None, rejection)
    places = list(loaded)
    size = max(1, processor.window // _PIECES_PER_WINDOW)
    with extraction.clock.busy(Stage.PREPARE):
        for piece in (places[start : start + size] for start in range(0, len(places), size)):
            beat(f"preparing {records[piece[0]].id}")
            outcomes = processor.prepare([loaded[place] for place in piece])
            for place, outcome in zip(piece, outcomes, strict=True):
                prepared[place] = Prepared(content_digest(loaded[place]), outcome)
    return [prepared[place] for place in range(len(records))]


def content_digest(content: str | bytes) -> str | None:
    """Return the SHA-256 of bytes or of a text as UTF-8; None where it is no Unicode text."""
    try:
        return sha256_bytes(content.encode() if isinstance(content, str) else content)
    except UnicodeEncodeError:
        return None
