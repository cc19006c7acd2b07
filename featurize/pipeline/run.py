"""Schedules chunks: two in flight share the workers, commits follow in order."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter, deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.config import Job, allowed_rejects
from featurize.encoder import Encoder
from featurize.errors import TooManyRejects
from featurize.pipeline.chunk import Extraction, plan_chunks, run_chunk
from featurize.pipeline.meter import Meter
from featurize.sources import Listing, Source
from featurize.table.layout import RowColumns
from featurize.table.writer import StagedPart, TableWriter, new_table
from featurize.types import Json, Reporter, RunSummary

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNKS_IN_FLIGHT = 2
LISTING = "listing.arrow"


@dataclass(frozen=True, slots=True)
class _StagedChunk:
    """A finished chunk: the files that hold it, and what is counted of it."""

    data: StagedPart | None
    rejects: StagedPart | None
    rows: int
    truncated: int
    reasons: Counter[str]
    encoded: list[str]

    @property
    def inputs(self) -> int:
        return self.rows + self.reasons.total()


@dataclass(slots=True)
class _Totals:
    """What the committed chunks amount to; 64 bits of a digest tell contents apart."""

    rows: int = 0
    truncated: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    encoded: set[int] = field(default_factory=set)

    @property
    def rejected(self) -> int:
        return self.reasons.total()

    @property
    def inputs(self) -> int:
        return self.rows + self.rejected

    def add(self, chunk: _StagedChunk) -> int:
        """Count a chunk; return how many of its contents no earlier chunk had."""
        before = len(self.encoded)
        self.encoded.update(int(digest[:16], 16) for digest in chunk.encoded)
        self.rows += chunk.rows
        self.truncated += chunk.truncated
        self.reasons.update(chunk.reasons)
        return len(self.encoded) - before


def embed_source(
    job: Job,
    source: Source,
    encoder: Encoder,
    *,
    bundle: str,
    reporter: Reporter,
) -> RunSummary:
    """Embed every input of a source into a new table; `bundle` is how the encoder was named.

    Raises SourceError where there is no input, TooManyRejects past `max_rejects`, TableError where
    the output folder is taken.
    """
    started = time.monotonic()
    origin = _origin(source, encoder, bundle)
    with new_table(Path(job.out), origin) as writer:
        listing = Listing.build(source, writer.staging / LISTING, reporter.progress)
        try:
            for note in source.notes:
                reporter.say(note)
            writer.origin["ignored"] = dict(source.ignored)
            extraction = Extraction(source, encoder, _schema(job, source, encoder))
            totals = _run(job, listing, extraction, writer, Meter(len(listing), reporter.progress))
        finally:
            listing.close()
    return RunSummary(
        table=str(job.out),
        version=writer.snapshot.version,
        encoder=encoder.card.name,
        fingerprint=encoder.fingerprint,
        inputs=totals.inputs,
        rows=totals.rows,
        embedded=totals.rows,
        updated=0,
        unchanged=0,
        deleted=0,
        rejected=totals.rejected,
        ignored=sum(source.ignored.values()),
        encoded=len(totals.encoded),
        seconds=round(time.monotonic() - started, 3),
        truncated=totals.truncated,
        reasons=dict(sorted(totals.reasons.items())),
        ignored_kinds=dict(sorted(source.ignored.items())),
        runtime=str(encoder.runtime.name),
        device=encoder.runtime.device,
        precision=str(encoder.runtime.precision),
        notes=tuple(source.notes),
    )


def plan_source(job: Job, source: Source, encoder: str, reporter: Reporter) -> Json:
    """Say what `embed_source` would do, without writing into the output folder."""
    with tempfile.TemporaryDirectory() as folder:
        listing = Listing.build(source, Path(folder) / LISTING, reporter.progress)
        try:
            return {
                "plan": True,
                "table": str(job.out),
                "encoder": encoder,
                "modality": str(source.modality),
                "inputs": len(listing),
                "bytes": int(listing.sizes.sum()),
                "rejected": listing.rejected_count,
                "ignored": sum(source.ignored.values()),
                "ignored_kinds": dict(sorted(source.ignored.items())),
                "columns": source.columns().names,
                "notes": list(source.notes),
            }
        finally:
            listing.close()


def _origin(source: Source, encoder: Encoder, bundle: str) -> Json:
    """Return what the log states about how the table is made."""
    return {
        "source": str(source.root),
        "modality": str(source.modality),
        "encoder": encoder.card.name,
        "fingerprint": encoder.fingerprint,
        "bundle": bundle,
        "variant": encoder.variant,
        "ignored": {},
    }


def _schema(job: Job, source: Source, encoder: Encoder) -> pa.Schema:
    processor = encoder.processor
    left_out = {processor.content_column} if job.no_text else set()
    added = {name: kind for name, kind in processor.columns.items() if name not in left_out}
    return RowColumns(source.label_type(), added, source.columns()).schema(encoder.card)


def _run(
    job: Job, listing: Listing, extraction: Extraction, writer: TableWriter, meter: Meter
) -> _Totals:
    """Run all chunks and commit them in order."""
    limit = allowed_rejects(job.max_rejects, len(listing))
    _check_rejects(listing.rejected_count, limit, "Nothing was written.")
    totals = _Totals()
    metered = replace(extraction, on_encoded=meter.advance)
    with contextlib.closing(_staged_chunks(listing, metered, writer)) as chunks:
        for chunk in chunks:
            encoded = totals.add(chunk)
            counts = {"inputs": chunk.inputs, "encoded": encoded, "truncated": chunk.truncated}
            complete = totals.inputs == len(listing)
            writer.commit(chunk.data, chunk.rejects, counts, complete=complete)
            meter.reach(totals.inputs)
            _check_rejects(totals.rejected, limit, f"What was committed stays in {job.out}.")
    return totals


def _staged_chunks(
    listing: Listing, extraction: Extraction, writer: TableWriter
) -> Generator[_StagedChunk, None, None]:
    """Yield finished chunks in order, their parts staged; the next ones are on their way."""

    def work(chunk: range) -> _StagedChunk:
        result = run_chunk(listing.slice(chunk.start, chunk.stop), extraction, workers)
        wanted = result.rows.num_rows > 0 or chunk.start == 0  # a table has at least one part
        return _StagedChunk(
            data=writer.stage(result.rows) if wanted else None,
            rejects=writer.stage(result.rejects) if result.rejects.num_rows else None,
            rows=result.rows.num_rows,
            truncated=result.truncated,
            reasons=result.reasons,
            encoded=result.encoded,
        )

    encoder = extraction.encoder
    workers = ThreadPoolExecutor(encoder.runtime.workers, thread_name_prefix="worker")
    chunks = ThreadPoolExecutor(_CHUNKS_IN_FLIGHT, thread_name_prefix="chunk")
    pending: deque[Future[_StagedChunk]] = deque()
    try:
        for chunk in plan_chunks(listing.sizes, encoder.processor.chunk_bytes):
            pending.append(chunks.submit(work, chunk))
            if len(pending) > _CHUNKS_IN_FLIGHT:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        workers.shutdown(wait=True, cancel_futures=True)
        chunks.shutdown(wait=True, cancel_futures=True)


def _check_rejects(rejected: int, limit: int | None, left: str) -> None:
    if limit is not None and rejected > limit:
        raise TooManyRejects(
            f"{rejected} inputs are rejected, --max-rejects allows {limit}: stopped. {left}",
            fix="Without --max-rejects, `featurize inspect` on the table lists them with reasons.",
        )
