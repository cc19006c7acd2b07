"""One run of `embed`: compare the source with the table, then commit what changed, step by step."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from featurize.config import Job
from featurize.encoder import Encoder
from featurize.pipeline.binding import Binding
from featurize.pipeline.comparing import find_changes
from featurize.pipeline.donors import Donors
from featurize.pipeline.extraction import Extraction
from featurize.pipeline.flight import Flight
from featurize.pipeline.kept_out import KeptOut
from featurize.pipeline.meter import Meter
from featurize.pipeline.plan import plan_steps
from featurize.pipeline.rates import WORTH_TUNING, tuned_budget
from featurize.pipeline.readiness import make_ready
from featurize.pipeline.sentinel import Sentinel
from featurize.pipeline.stages import Stage, StageClock
from featurize.pipeline.steps import Staged, Tools
from featurize.pipeline.tolerance import Tolerance
from featurize.pipeline.workers import Watch, Workers
from featurize.sources import Listing, Source
from featurize.table import EmbeddingTable
from featurize.table.writer import Change, TableWriter, write_table
from featurize.types import Reporter, RunSummary

LISTING = "listing.arrow"


@dataclass(slots=True)
class _Totals:
    """What the committed steps amount to, and what the stages of the run took."""

    embedded: int = 0
    updated: int = 0
    deleted: int = 0
    truncated: int = 0
    encoded: int = 0
    kept_out: int = 0
    commits: int = 0
    clock: StageClock = field(default_factory=StageClock)

    def add(self, staged: Staged) -> None:
        self.embedded += staged.embedded
        self.updated += staged.updated
        self.truncated += staged.truncated
        self.encoded += staged.encoded
        self.commits += 1


def embed_source(
    job: Job, source: Source, encoder: Encoder, *, bundle: str, reporter: Reporter
) -> RunSummary:
    """Bring a table to what its source holds now; `bundle` is how the encoder was named.

    Raises SourceError where there is no input, TooManyRejects past `max_rejects`, TableError where
    the output folder is taken, bound to another source, or about to lose many rows.
    """
    started = time.monotonic()
    with write_table(Path(job.out), wait=job.wait, say=reporter.say) as writer:
        table = EmbeddingTable.open(job.out) if writer.snapshot.version else None
        totals = _Totals()
        if table is None:
            with totals.clock.busy(Stage.LOAD):
                make_ready(encoder, reporter)
        else:
            encoder.budget = table.origin["variant"]["budget"]
        binding = Binding(job, source, encoder, bundle, table)
        writer.origin = binding.origin()
        _sync(binding, writer, totals, reporter)
    return _summary(binding, totals, time.monotonic() - started)


def _sync(binding: Binding, writer: TableWriter, totals: _Totals, reporter: Reporter) -> None:
    """Compare, then run the steps and commit them in order."""
    source, encoder, clock = binding.source, binding.encoder, totals.clock
    scan = KeptOut(source, writer.snapshot)
    began = time.time()
    with clock.busy(Stage.LIST):
        listing = Listing.build(scan, writer.staging / LISTING, reporter.progress)
    workers = Workers(encoder.runtime.workers, Watch(binding.job.stuck_after), "encoding")
    try:
        _note_source(source, writer, reporter)
        with clock.busy(Stage.COMPARE):
            diff = find_changes(binding, listing, writer.staging, workers, reporter.say)
        if binding.job.trust_mtime:
            reporter.say(
                f"{diff.unread:,} of {len(listing):,} inputs were taken as unchanged, by their "
                "times, and not read."
            )
        binding.require_sound(diff, listing)
        tolerance = Tolerance.of(binding.job, binding.table, diff)
        tolerance.require_foreseen()
        meter = Meter(diff.work, reporter.progress)
        donors = Donors(writer.root)
        if binding.table is not None and diff.needs_encoder:
            with clock.busy(Stage.LOAD):
                make_ready(encoder, reporter)
                donors = Donors.of(binding.table)
        if binding.table is None and diff.work > WORTH_TUNING:
            with clock.busy(Stage.LOAD):
                encoder.budget = tuned_budget(encoder, workers)
                writer.origin["variant"] = encoder.variant
        extraction = Extraction(source, encoder, binding.schema(), donors, meter.advance, clock)
        steps = plan_steps(binding.table, diff, listing, extraction)
        sentinel = workers.submit(Sentinel, encoder).result() if diff.needs_encoder else None
        tools = Tools(listing, extraction, writer, workers, sentinel)
        totals.deleted, totals.kept_out = diff.deleted, scan.count

        def land(staged: Staged, *, last: bool) -> None:
            _note_budget(encoder, writer, reporter)
            if last:
                scanned = writer.origin.get("scanned", {})
                writer.origin = {**writer.origin, "scanned": {**scanned, binding.place: began}}
            with clock.busy(Stage.COMMIT):
                _commit(staged, tools, totals, complete=last)
            tolerance.require(sum(part.rows for part in writer.snapshot.rejects()))

        Flight(steps, tools, land, meter.show).run()
    finally:
        workers.shutdown(wait=True, cancel_futures=True)
        listing.close()


def _commit(staged: Staged, tools: Tools, totals: _Totals, *, complete: bool) -> None:
    """Commit one step; other ones go on taking its vectors."""
    counts = {"encoded": staged.encoded, "truncated": staged.truncated}
    change = Change(staged.data, staged.rejects, staged.replaced, counts, complete)
    tools.extraction.donors.move(lambda: tools.writer.commit(change))
    totals.add(staged)


def _note_source(source: Source, writer: TableWriter, reporter: Reporter) -> None:
    """Say, and record, what the source left out or assumed."""
    for note in source.notes:
        reporter.say(note)
    writer.origin["ignored"] = dict(source.ignored)


def _note_budget(encoder: Encoder, writer: TableWriter, reporter: Reporter) -> None:
    """Record, and say, that batches had to become smaller."""
    variant = writer.origin["variant"]
    if encoder.budget < variant["budget"]:
        writer.origin = {**writer.origin, "variant": {**variant, "budget": encoder.budget}}
        reporter.say(
            f"Memory ran out: batches are made smaller, with a budget of {encoder.budget}."
        )


def _summary(binding: Binding, totals: _Totals, seconds: float) -> RunSummary:
    job, source, encoder = binding.job, binding.source, binding.encoder
    table = EmbeddingTable.open(job.out)
    reasons = Counter(table.rejects().column("reason").to_pylist())
    rows, rejected = len(table), reasons.total()
    return RunSummary(
        table=str(job.out),
        version=table.version,
        encoder=encoder.card.name,
        fingerprint=encoder.fingerprint,
        inputs=table.inputs + rejected,
        rows=rows,
        embedded=totals.embedded,
        updated=totals.updated,
        unchanged=rows - totals.embedded - totals.updated,
        deleted=totals.deleted,
        rejected=rejected,
        ignored=sum(source.ignored.values()),
        kept_out=totals.kept_out,
        commits=totals.commits,
        encoded=totals.encoded,
        seconds=round(seconds, 3),
        truncated=totals.truncated,
        reasons=dict(sorted(reasons.items())),
        ignored_kinds=dict(sorted(source.ignored.items())),
        runtime=str(encoder.runtime.name),
        device=encoder.runtime.device,
        precision=str(encoder.runtime.precision),
        notes=tuple(source.notes),
        stages=totals.clock.seconds(),
        bottleneck=totals.clock.bottleneck(encoder.runtime.workers),
    )
