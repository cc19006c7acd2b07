"""What a notebook imports: embed, load_encoder, open_table."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from featurize.config import Job, Overflow, Precision, RuntimeName, check_device, choose
from featurize.types import Json, Modality, Reporter, RunSummary, Silent

if TYPE_CHECKING:
    from featurize.bundle import Bundle
    from featurize.encoder import Encoder
    from featurize.sources import Source
    from featurize.table import EmbeddingTable

P = ParamSpec("P")


def run(job: Job, reporter: Reporter | None = None) -> RunSummary:
    """Embed a source into a new table, as the job says."""
    from featurize.encoder import Encoder
    from featurize.pipeline import embed_source
    from featurize.sources import open_source

    reporter = reporter or Silent()
    source = open_source(job)
    name, bundle = _bundle_for(job, source, reporter)
    encoder = Encoder.open(
        bundle,
        device=job.device,
        runtime=RuntimeName(job.runtime),
        precision=Precision(job.precision),
        overflow=Overflow(job.overflow),
    )
    made = encoder.runtime
    reporter.say(f"Encoding with {bundle.card.name}, {made.precision} on {made.device}.")
    if made.precision is not Precision.FP32:
        cosine = encoder.fidelity()
        reporter.say(f"On known inputs its vectors have a cosine of {cosine:.5f} or more to fp32.")
    return embed_source(job, source, encoder, bundle=name, reporter=reporter)


def plan(job: Job, reporter: Reporter | None = None) -> Json:
    """Say what `run` would do, and write nothing."""
    from featurize.catalog import DEFAULT
    from featurize.pipeline import plan_source
    from featurize.sources import open_source

    source = open_source(job)
    name = job.encoder or DEFAULT[source.modality]
    return plan_source(job, source, name, reporter or Silent())


def _declared_by(
    declaration: Callable[P, Job],
) -> Callable[[Callable[[Job], RunSummary]], Callable[P, RunSummary]]:
    """Give a function of a Job the parameters of Job itself, so that they are declared once."""

    def decorate(work: Callable[[Job], RunSummary]) -> Callable[P, RunSummary]:
        @wraps(work)
        def call(*args: P.args, **options: P.kwargs) -> RunSummary:
            return work(declaration(*args, **options))

        call.__signature__ = inspect.signature(declaration)  # type: ignore[attr-defined]
        return call

    return decorate


@_declared_by(Job)
def embed(job: Job) -> RunSummary:
    """Embed a folder or a table of raw text or images into an embedding table.

    Takes the options of the command `featurize embed` as keywords, `out` among them; returns what
    was done. Raises a FeaturizeError, whose `fix` says what to do; bad inputs are no errors, but
    become rejects of the table.
    """
    return run(job)


def load_encoder(
    name: str = "minilm",
    *,
    device: str = "auto",
    runtime: RuntimeName | str = RuntimeName.AUTO,
    precision: Precision | str = Precision.AUTO,
) -> Encoder:
    """Load a frozen encoder: `minilm`, `efficientnet-lite0`, a bundle or a model to export.

    `encoder.encode(inputs)` gives (n, dim) float32 for texts, or for images as paths, bytes or PIL
    images.
    """
    from featurize.catalog import resolve
    from featurize.encoder import Encoder

    check_device(device)
    return Encoder.open(
        resolve(name),
        device=device,
        runtime=choose(RuntimeName, runtime, "runtime"),
        precision=choose(Precision, precision, "precision"),
    )


def open_table(path: str | Path) -> EmbeddingTable:
    """Open an embedding table at its last commit; raise TableError where there is none."""
    from featurize.table import EmbeddingTable

    return EmbeddingTable.open(path)


def summary_json(summary: RunSummary) -> Json:
    """Return a summary as JSON values."""
    return asdict(summary)


def _bundle_for(job: Job, source: Source, reporter: Reporter) -> tuple[str, Bundle]:
    """Find the encoder of a job and how it was named, checking that it takes the source's kind."""
    from featurize.catalog import DEFAULT, resolve
    from featurize.errors import UsageError

    name = job.encoder or DEFAULT[source.modality]
    bundle = resolve(name, say=reporter.say)
    if bundle.card.modality is not source.modality:
        kinds = {Modality.TEXT: "texts", Modality.IMAGE: "images"}
        raise UsageError(
            f"The encoder {name!r} takes {kinds[bundle.card.modality]}; "
            f"the source holds {kinds[source.modality]}.",
            fix=f"Leave out --encoder for the default, {DEFAULT[source.modality]!r}.",
        )
    return name, bundle
