"""What a run would do: the source is listed and compared with the table, and nothing is written."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from featurize.config import Job
from featurize.encoder import Encoder
from featurize.errors import (
    FeaturizeError,
    MismatchError,
    TableError,
    TooManyRejects,
    UsageError,
)
from featurize.pipeline.binding import Binding
from featurize.pipeline.comparing import find_changes
from featurize.pipeline.diff import Diff, Status
from featurize.pipeline.donors import Donors
from featurize.pipeline.estimate import Estimate, estimate
from featurize.pipeline.extraction import Extraction
from featurize.pipeline.kept_out import KeptOut
from featurize.pipeline.run import LISTING
from featurize.pipeline.tolerance import Tolerance
from featurize.pipeline.workers import Watch, Workers
from featurize.sources import Listing, Source
from featurize.table import EmbeddingTable
from featurize.table.layout import Layout
from featurize.table.log import CommitLog
from featurize.types import Json, Reporter

_REFUSALS = (TableError, UsageError, MismatchError, TooManyRejects)


@dataclass(frozen=True, slots=True)
class Preview:
    """The inputs of a run beside the table it would work on, None for a new one.

    `diff` is None where they could not be compared, `refusal` why the run would be stopped,
    `takes` what the run would take, None where that is not known.
    """

    job: Job
    listing: Listing
    table: EmbeddingTable | None
    diff: Diff | None = None
    refusal: FeaturizeError | None = None
    takes: Estimate | None = None

    def to_json(self) -> Json:
        """Return the counts, null where they are not known, the refusal and what it would take."""
        table, refusal = self.table, self.refusal
        return {
            "version": 0 if table is None else table.version,
            "rows": 0 if table is None else len(table),
            **self._counts(),
            "refusal": refusal
            and {"kind": refusal.kind, "message": refusal.message, "fix": refusal.fix},
            "estimate": self.takes and asdict(self.takes),
        }

    def _counts(self) -> Json:
        diff = self.diff
        if diff is None:
            unknown = dict.fromkeys(("new", "changed", "updated", "unchanged", "deleted"))
            return {**unknown, "rejected": self.listing.rejected_count}
        kept = (diff.status == Status.KEEP) & (diff.part >= 0)
        return {
            "new": len(diff.places(Status.NEW)) - diff.refused,
            "changed": len(diff.places(Status.CHANGED)),
            "updated": len(diff.places(Status.UPDATED)),
            "unchanged": int(kept.sum()),
            "deleted": diff.deleted,
            "rejected": Tolerance.of(self.job, self.table, diff).rejects,
        }


def plan_source(
    job: Job,
    source: Source,
    name: str,
    encoder: Encoder | FeaturizeError | None,
    reporter: Reporter,
) -> Json:
    """Say what `embed_source` would do, without writing into the output folder.

    Contents are read and hashed where there is a table to compare them with. `encoder` is None
    where `name`, or its graph for a precision, has yet to be exported or derived: then nothing is
    compared with a table. It is an error where that would stop the run before it begins. Raises
    SourceError where there is no input.
    """
    snapshot = CommitLog(Layout.of(Path(job.out)).log).snapshot()
    table = EmbeddingTable.open(job.out) if snapshot.version else None
    scan = KeptOut(source, snapshot)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        spool = Path(folder) / LISTING
        with Listing.build(scan, spool, reporter.progress) as listing:
            preview = Preview(job, listing, table)
            if isinstance(encoder, Encoder):
                binding = Binding(job, source, encoder, name, table)
                preview = _with_estimate(_compared(preview, binding, Path(folder)), binding, began)
            elif isinstance(encoder, FeaturizeError):
                known = _compared(preview, None, Path(folder)) if table is None else preview
                preview = replace(known, refusal=encoder)
            elif table is None:
                preview = _compared(preview, None, Path(folder))
                source.notes.append(f"Time and space are not estimated: {_unready(name)}.")
            else:
                source.notes.append(f"Not compared with the table: {_unready(name)}.")
            return {
                "plan": True,
                "table": str(job.out),
                "encoder": name,
                "modality": "+".join(source.modalities),
                "inputs": len(listing),
                "bytes": int(listing.sizes.sum()),
                **preview.to_json(),
                "kept_out": scan.count,
                "ignored": sum(source.ignored.values()),
                "ignored_kinds": dict(sorted(source.ignored.items())),
                "columns": source.columns().names,
                "notes": list(source.notes),
            }


def _with_estimate(preview: Preview, binding: Binding, began: float) -> Preview:
    """Add what the run would take, with what this plan has taken since it began."""
    diff = preview.diff
    if diff is None or preview.refusal is not None:
        return preview
    compared = time.monotonic() - began
    encoder, schema = binding.encoder, binding.schema()
    places = np.flatnonzero(np.isin(diff.status, (Status.NEW, Status.CHANGED)))
    watch = Watch(binding.job.stuck_after)
    workers = Workers(encoder.runtime.workers, watch, "encoding")
    with tempfile.TemporaryDirectory() as folder:
        extraction = Extraction(binding.source, encoder, schema, Donors(Path(folder)))
        try:
            takes = estimate(preview.listing, places, extraction, workers, Path(folder))
        finally:
            workers.shutdown(wait=True, cancel_futures=True)
    return replace(preview, takes=replace(takes, seconds=round(compared + takes.seconds, 1)))


def _compared(preview: Preview, binding: Binding | None, folder: Path) -> Preview:
    """Add what changed, and why the run would be refused: for all that `embed_source` refuses."""
    job, listing, diff = preview.job, preview.listing, None
    try:
        if binding is None:
            diff = Diff.everything(len(listing), refused=listing.rejected_count)
        else:
            binding.origin()
            diff = _changes(binding, listing, folder)
            binding.require_sound(diff, listing)
        Tolerance.of(job, preview.table, diff).require_foreseen()
    except _REFUSALS as refusal:
        return replace(preview, diff=diff, refusal=refusal)
    return replace(preview, diff=diff)


def _changes(binding: Binding, listing: Listing, folder: Path) -> Diff:
    watch = Watch(binding.job.stuck_after)
    workers = Workers(binding.encoder.runtime.workers, watch, "reading")
    try:
        return find_changes(binding, listing, folder, workers, say=lambda _: None)
    finally:
        workers.shutdown(wait=True, cancel_futures=True)


def _unready(name: str) -> str:
    return f"{name} is not ready here yet, the run would make it so first"
