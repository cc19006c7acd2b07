"""One chunk: listed inputs in, rows and rejects out. Nothing outside it decides its result.

Listed inputs become contents, contents pieces of one or more samples, samples batches of equal
cost, batches vectors, vectors rows. At each step an input may leave as a reject instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from featurize.encoder import Encoder
from featurize.pipeline.claims import Claim, Held
from featurize.pipeline.extraction import Extraction
from featurize.pipeline.pooling import mean_of_windows
from featurize.pipeline.preparing import prepared_windows, records_of
from featurize.pipeline.slots import Prepared, Slots
from featurize.pipeline.workers import Workers

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from featurize.types import Piece

MAX_ROWS = 8192


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
    slots = Slots.of(listed)
    records = records_of(listed)
    encoded = 0
    places = [place for place in range(len(records)) if place not in slots.rejected]
    for window, prepared in prepared_windows(places, records, extraction, workers):
        pieces = slots.take(window, prepared)
        share = _share(prepared)
        while pieces:
            claim = held.claim(list(pieces))
            mine = {digest: pieces[digest] for digest in pieces if digest in claim.digests}
            encoded += _answer(claim, mine, extraction, workers, share)
            slots.vectors.update(_awaited(claim, workers))
            pieces = {key: piece for key, piece in pieces.items() if key not in slots.vectors}
    slots.reject_unusable(extraction.schema)
    rows = slots.rows(extraction.schema)
    return ChunkResult(rows, slots.rejects(), encoded, _truncated(rows))


def _truncated(rows: pa.Table) -> int:
    """Return how many rows are of texts that were cut."""
    import pyarrow.compute as pc

    if "truncated" not in rows.column_names:
        return 0
    return int(pc.sum(rows.column("truncated"), min_count=0).as_py())


def _share(prepared: Sequence[Prepared]) -> float:
    """Return which part of an input a sample is, on average."""
    drafted = [item.outcome for item in prepared if isinstance(item.outcome, list)]
    samples = sum(len(draft.piece.samples) for drafts in drafted for draft in drafts)
    return len(drafted) / max(1, samples)


def _answer(
    claim: Claim, pieces: dict[str, Piece], extraction: Extraction, workers: Workers, share: float
) -> int:
    """Find the vectors of claimed contents in the table or make them; return how many were made.

    A sample is a `share` of an input.
    """
    vectors = extraction.donors.vectors(list(pieces))
    new = {digest: piece for digest, piece in pieces.items() if digest not in vectors}

    def note(samples: int, seconds: float) -> None:
        extraction.note_encoded(samples * share, seconds)

    made = _encode(list(new.values()), extraction.encoder, workers, note)
    claim.vectors.set_result(vectors | dict(zip(new, made, strict=True)))
    return len(new)


def _encode(
    pieces: Sequence[Piece],
    encoder: Encoder,
    workers: Workers,
    note: Callable[[int, float], None],
) -> NDArray[np.float32]:
    """Encode pieces, (pieces, dim) float32: a text of several windows gets the mean of theirs."""
    samples = [sample for piece in pieces for sample in piece.samples]
    vectors = encoder.encode_samples(samples, workers, note)
    if len(samples) == len(pieces):
        return vectors
    ends = np.cumsum([len(piece.samples) for piece in pieces])
    tokens = np.array([sample.columns.get("n_tokens", 1) for sample in samples], np.int64)
    return mean_of_windows(vectors, tokens, ends, normalize=encoder.card.space.normalize)


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
