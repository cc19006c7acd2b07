"""What a notebook imports: embed, load_encoder, open_table."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from featurize.config import (
    Job,
    Overflow,
    Pool,
    Precision,
    Reading,
    RuntimeName,
    Store,
    check_device,
    choose,
)
from featurize.errors import MissingExtra, RuntimeUnavailable
from featurize.types import Json, Reporter, RunSummary, Silent

if TYPE_CHECKING:
    from featurize.bundle import Bundle
    from featurize.encoder import Encoder
    from featurize.errors import FeaturizeError
    from featurize.sources import Source
    from featurize.table import EmbeddingTable

P = ParamSpec("P")


def run(
    job: Job,
    reporter: Reporter | None = None,
    guard: AbstractContextManager[None] | None = None,
) -> RunSummary:
    """Bring a table to what its source holds, as the job says; a new one where there is none.

    The work on inputs is done inside `guard`, what comes before, such as an export, is not.
    """
    from featurize.catalog import BUILT_IN, require_possible, resolve
    from featurize.pipeline import embed_source
    from featurize.pipeline.binding import changed_way
    from featurize.pipeline.emptied import never_emptied
    from featurize.table.room import require_writable

    reporter = reporter or Silent()
    origin = _origin(job)
    if (refusal := changed_way(job, origin)) is not None:
        raise refusal
    asked, job = job, _as_before(job, origin)
    with never_emptied(Path(job.out)):
        source, name = _prepare(asked, job)
        require_possible(name, _precision(job))
        require_writable(Path(job.out))
        bundle = resolve(name, revision=job.revision, say=reporter.say)
        encoder = _opened(bundle, name, job, source)
        recorded = name if name in BUILT_IN else str(bundle.path.resolve())
        with guard or nullcontext():
            return embed_source(job, source, encoder, bundle=recorded, reporter=reporter)


def plan(job: Job, reporter: Reporter | None = None) -> Json:
    """Say what `run` would do, and write nothing."""
    from featurize.catalog import ready
    from featurize.pipeline import plan_source
    from featurize.pipeline.binding import changed_way
    from featurize.pipeline.emptied import never_emptied

    origin = _origin(job)
    asked, job = job, _as_before(job, origin)
    with never_emptied(Path(job.out)):
        source, name = _prepare(asked, job)
        encoder: Encoder | FeaturizeError | None = changed_way(asked, origin)
        try:
            if encoder is None and (bundle := ready(name, _precision(job), job.revision)):
                encoder = _opened(bundle, name, job, source)
        except (RuntimeUnavailable, MissingExtra) as refusal:
            encoder = refusal
        return plan_source(job, source, name, encoder, reporter or Silent())


def _opened(bundle: Bundle, name: str, job: Job, source: Source) -> Encoder:
    """Return the encoder of a job.

    Raises UsageError where it takes another kind of input, or its vectors cannot be stored so.
    """
    from featurize.catalog import require_taken
    from featurize.encoder import Encoder
    from featurize.prompts import choose_prompt
    from featurize.table.elements import require_storable

    require_taken(name, bundle.card.modalities, source.modalities, job.source)
    encoder = Encoder.open(
        bundle,
        device=job.device,
        runtime=job.runtime,
        precision=job.precision,
        reading=Reading(
            prompt=choose_prompt(bundle.card, job.prompt),
            overflow=Overflow(job.overflow or Overflow.TRUNCATE),
            overlap=job.overlap,
            pool=None if job.pool is None else Pool(job.pool),
        ),
        dim=job.dim,
    )
    require_storable(encoder.card, Store(job.store or Store.FLOAT32))
    return encoder


def _origin(job: Job) -> Json:
    """Return what the log of the job's table states about how it is made; {} for a new one."""
    from featurize.table.layout import Layout
    from featurize.table.log import CommitLog

    return CommitLog(Layout.of(Path(job.out)).log).snapshot().origin


def _as_before(job: Job, origin: Json) -> Job:
    """Fill in what a table was made with, where the job leaves it open: a table is made one way."""
    job = job.settled(origin)
    if not origin:
        return job
    variant = origin["variant"]
    return replace(
        job,
        encoder=job.encoder or origin["bundle"],
        device=variant["device"] if job.device == "auto" else job.device,
        runtime=variant["runtime"] if job.runtime is RuntimeName.AUTO else job.runtime,
        precision=variant["precision"] if job.precision is Precision.AUTO else job.precision,
        no_text=job.no_text or origin["no_text"],
    )


def _prepare(asked: Job, job: Job) -> tuple[Source, str]:
    """Open the source, name the encoder, and refuse what cannot work before anything costs time.

    The source is opened as it was `asked` for: a table of texts and images that remembers an option
    for texts goes on when its last text is gone.
    """
    from featurize.catalog import BUILT_IN, DEFAULT, require_taken
    from featurize.sources import open_source
    from featurize.table.room import require_room

    source = open_source(asked)
    require_room(Path(job.out))
    name = job.encoder or DEFAULT[source.modalities[0]]
    if name in BUILT_IN:
        require_taken(name, (BUILT_IN[name],), source.modalities, job.source)
    return source, name


def _precision(job: Job) -> Precision:
    """Return the precision of a job; raise RuntimeUnavailable for one that cannot be had here."""
    from featurize.runtimes import choose_place

    return choose_place(job.device, RuntimeName(job.runtime), Precision(job.precision)).precision


def _declared_by(
    declaration: Callable[P, Job],
) -> Callable[[Callable[[Job], RunSummary]], Callable[P, RunSummary]]:
    """Give a function of a Job the parameters of Job itself, so that they are declared once."""

    def decorate(work: Callable[[Job], RunSummary]) -> Callable[P, RunSummary]:
        @wraps(work)
        def call(*args: P.args, **options: P.kwargs) -> RunSummary:
            return work(declaration(*args, **options))

        parameters = inspect.signature(declaration).replace(return_annotation=RunSummary)
        call.__signature__ = parameters  # type: ignore[attr-defined]
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


def load_encoder(  # noqa: PLR0913 - each is a choice of its own
    name: str = "minilm",
    *,
    device: str = "auto",
    runtime: RuntimeName | str = RuntimeName.AUTO,
    precision: Precision | str = Precision.AUTO,
    prompt: str | None = None,
    dim: int | None = None,
    revision: str | None = None,
) -> Encoder:
    """Load a frozen encoder: `minilm`, `efficientnet-lite0`, a bundle or a model to export.

    `encoder.encode(inputs)` gives (n, dim) float32 for texts, or for images as paths, bytes or PIL
    images; where it takes both, every `str` is a text. `prompt` is `query`, `document` or a text
    that is put before every text; `dim` keeps the first numbers of every vector; `revision` is the
    branch, tag or commit of a model on the Hub.
    """
    from featurize.catalog import resolve
    from featurize.encoder import Encoder
    from featurize.known import check_fidelity
    from featurize.prompts import choose_prompt

    check_device(device)
    bundle = resolve(name, revision=revision)
    encoder = Encoder.open(
        bundle,
        device=device,
        runtime=choose(RuntimeName, runtime, "runtime"),
        precision=choose(Precision, precision, "precision"),
        reading=Reading(prompt=choose_prompt(bundle.card, prompt)),
        dim=dim,
    )
    encoder.load()
    check_fidelity(encoder)
    if encoder.runtime.remark:
        warnings.warn(encoder.runtime.remark, stacklevel=2)
    return encoder


def open_table(path: str | Path) -> EmbeddingTable:
    """Open an embedding table at its last commit; raise TableError where there is none."""
    from featurize.table import EmbeddingTable

    return EmbeddingTable.open(path)


def summary_json(summary: RunSummary) -> Json:
    """Return a summary as JSON values."""
    return asdict(summary)
