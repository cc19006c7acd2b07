"""One chunk: listed inputs in, rows and rejects out. Nothing outside it decides its result.

Listed inputs become contents, contents samples, samples batches of equal cost, batches vectors,
vectors rows. At each step an input may leave as a reject instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.encoder import Encoder
from featurize.errors import InputRejected
from featurize.processors import Processor
from featurize.sources import COLUMN_PREFIX, Record, Source
from featurize.storage import sha256_bytes
from featurize.table.layout import EMBEDDING, embedding_type, reject_schema
from featurize.types import RejectReason, Sample

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

MAX_ROWS = 8192
_SLICES_PER_WORKER = 2


@dataclass(frozen=True, slots=True)
class Extraction:
    """What all chunks of a run share. `on_encoded` hears how many inputs were just encoded."""

    source: Source
    encoder: Encoder
    schema: pa.Schema
    on_encoded: Callable[[int], None] = field(default=lambda _count: None)


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """What a chunk became: `reasons` counts its rejects, `encoded` are the digests encoded."""

    rows: pa.Table
    rejects: pa.Table
    encoded: list[str]
    truncated: int
    reasons: Counter[str]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A content's SHA-256, where it could be read, and its sample or why there is none."""

    digest: str | None
    outcome: Sample | InputRejected


@dataclass(slots=True)
class _Work:
    """The growing result of a chunk, one slot per listed input."""

    vectors: NDArray[np.float32]  # (inputs, dim)
    digests: list[str | None]
    columns: list[dict[str, str | int | bool] | None]
    rejected: dict[int, tuple[str, str]] = field(default_factory=dict)
    encoded: dict[str, int] = field(default_factory=dict)


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


def run_chunk(listed: pa.Table, extraction: Extraction, workers: Executor) -> ChunkResult:
    """Load, prepare and encode one chunk of a listing on the workers."""
    work = _Work(
        vectors=np.zeros((listed.num_rows, extraction.encoder.dim), np.float32),
        digests=[None] * listed.num_rows,
        columns=[None] * listed.num_rows,
    )
    for position, (reason, detail) in enumerate(_pairs(listed, "reason", "detail")):
        if reason is not None:
            work.rejected[position] = (reason, detail)
    entries = [Record(*values) for values in _pairs(listed, "id", "source", "content", "path")]
    open_positions = [place for place in range(len(entries)) if place not in work.rejected]
    for window, prepared in _prepared_windows(open_positions, entries, extraction, workers):
        samples = _take_window(work, window, prepared)
        _encode_window(work, samples, extraction, workers)
        _fan_out(work, window)
    _check_vectors(work)
    return _result(work, listed, extraction.schema)


def _pairs(listed: pa.Table, *names: str) -> Iterator[tuple[Any, ...]]:
    """Yield the values of some columns row by row."""
    return zip(*(listed.column(name).to_pylist() for name in names), strict=True)


def _prepared_windows(
    positions: list[int], entries: list[Record], extraction: Extraction, workers: Executor
) -> Iterator[tuple[list[int], list[_Prepared]]]:
    """Yield windows of prepared inputs; while one is used, the next is being prepared."""
    source, processor = extraction.source, extraction.encoder.processor
    size = processor.window
    windows = [positions[start : start + size] for start in range(0, len(positions), size)]

    def submit(window: list[int]) -> list[Future[list[_Prepared]]]:
        length = -(-len(window) // (_SLICES_PER_WORKER * extraction.encoder.runtime.workers))
        slices = [window[start : start + length] for start in range(0, len(window), length)]
        return [
            workers.submit(_prepare, source, processor, [entries[place] for place in part])
            for part in slices
        ]

    ahead = [submit(window) for window in windows[:1]]
    for number, window in enumerate(windows):
        current = ahead.pop()
        ahead += [submit(following) for following in windows[number + 1 : number + 2]]
        yield window, list(chain.from_iterable(future.result() for future in current))


def _prepare(source: Source, processor: Processor, entries: Sequence[Record]) -> list[_Prepared]:
    """Load, hash and prepare inputs, on one worker."""
    prepared: list[_Prepared | None] = [None] * len(entries)
    loaded: dict[int, str | bytes] = {}
    for place, record in enumerate(entries):
        try:
            loaded[place] = source.load(record)
        except InputRejected as rejection:
            prepared[place] = _Prepared(None, rejection)
    outcomes = processor.prepare(list(loaded.values()))
    for (place, content), outcome in zip(loaded.items(), outcomes, strict=True):
        prepared[place] = _Prepared(_digest(content), outcome)
    return [item for item in prepared if item is not None]


def _digest(content: str | bytes) -> str | None:
    """Return the SHA-256 of bytes or of a text as UTF-8; None where it is no Unicode text."""
    try:
        return sha256_bytes(content.encode() if isinstance(content, str) else content)
    except UnicodeEncodeError:
        return None


def _take_window(work: _Work, window: list[int], prepared: list[_Prepared]) -> dict[int, Sample]:
    """Note what a window's inputs became; return the samples of contents not encoded yet."""
    samples: dict[int, Sample] = {}
    for position, item in zip(window, prepared, strict=True):
        work.digests[position] = item.digest
        if isinstance(item.outcome, InputRejected):
            work.rejected[position] = (item.outcome.reason, item.outcome.detail)
            continue
        work.columns[position] = item.outcome.columns
        if item.digest is not None and item.digest not in work.encoded:
            work.encoded[item.digest] = position
            samples[position] = item.outcome
    return samples


def _encode_window(
    work: _Work, samples: dict[int, Sample], extraction: Extraction, workers: Executor
) -> None:
    vectors = extraction.encoder.encode_samples(
        list(samples.values()), workers, extraction.on_encoded
    )
    work.vectors[list(samples)] = vectors


def _fan_out(work: _Work, window: list[int]) -> None:
    """Give each content's one vector to all its inputs."""
    for position in window:
        digest = work.digests[position]
        if work.columns[position] is not None and digest is not None:
            work.vectors[position] = work.vectors[work.encoded[digest]]


def _check_vectors(work: _Work) -> None:
    """Turn inputs whose vector is not finite, or all zeros, into rejects."""
    finite = np.asarray(np.isfinite(work.vectors).all(axis=1))
    unusable = ~finite | ~work.vectors.any(axis=1)
    for position in np.flatnonzero(unusable).tolist():
        reason = RejectReason.ZERO_VECTOR if finite[position] else RejectReason.NONFINITE
        work.rejected.setdefault(position, (reason, "the encoder gave no usable vector"))


def _result(work: _Work, listed: pa.Table, schema: pa.Schema) -> ChunkResult:
    import pyarrow as pa

    kept = [place for place in range(listed.num_rows) if place not in work.rejected]
    lost = sorted(work.rejected)
    listed_kept = listed.take(pa.array(kept, pa.int64()))
    listed_lost = listed.take(pa.array(lost, pa.int64()))
    columns = [_column(name, work, listed_kept, kept, schema) for name in schema.names]
    rejects = [
        listed_lost.column("id"),
        listed_lost.column("source"),
        pa.array([str(work.rejected[place][0]) for place in lost], pa.string()),
        pa.array([work.rejected[place][1] for place in lost], pa.string()),
        pa.array([work.digests[place] for place in lost], pa.string()),
    ]
    return ChunkResult(
        rows=pa.Table.from_arrays(columns, schema=schema),
        rejects=pa.Table.from_arrays(rejects, schema=reject_schema()),
        encoded=list(work.encoded),
        truncated=sum(bool((work.columns[place] or {}).get("truncated")) for place in kept),
        reasons=Counter(str(reason) for reason, _ in work.rejected.values()),
    )


def _column(
    name: str, work: _Work, listed: pa.Table, kept: list[int], schema: pa.Schema
) -> pa.Array | pa.ChunkedArray:
    """Return one column of the kept rows, from the listing, the processor or the encoder."""
    import pyarrow as pa

    kind = schema.field(name).type
    if name == EMBEDDING:
        flat = pa.array(work.vectors[kept].ravel())
        return pa.FixedSizeListArray.from_arrays(flat, type=embedding_type(kind.list_size))
    if name == "content_sha256":
        return pa.array([work.digests[place] for place in kept], kind)
    if name in {"id", "source", "label"}:
        return listed.column(name)
    if COLUMN_PREFIX + name in listed.column_names:
        return listed.column(COLUMN_PREFIX + name)
    return pa.array([(work.columns[place] or {})[name] for place in kept], kind)
