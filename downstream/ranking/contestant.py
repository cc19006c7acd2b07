"""One encoder of a ranking: what it makes of the inputs, and what it costs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from downstream.ranking.inputs import Inputs
from downstream.report.study import Study
from featurize.api import load_encoder
from featurize.config import Job
from featurize.encoder import Encoder
from featurize.errors import FeaturizeError
from featurize.types import Json, RunSummary, Sample

Embed: TypeAlias = Callable[[Job], RunSummary]
_PASSES = 2
_FAILURES = (FeaturizeError, OSError, RuntimeError, ValueError)


@dataclass(frozen=True, slots=True)
class Contestant:
    """An encoder by the name it was asked for, the labelled rows of its table, and its facts."""

    name: str
    study: Study
    facts: Json


@dataclass(frozen=True, slots=True)
class Failure:
    """An encoder that could not be ranked, and why."""

    name: str
    error: Json


def enter(name: str, inputs: Inputs, embed: Embed, seed: int) -> Contestant | Failure:
    """Embed the inputs with an encoder into its folder, and time it; a failure is returned."""
    job = replace(inputs.job, out=Path(inputs.job.out) / slug(name), encoder=name)
    try:
        summary = embed(job)
        study = Study.open(summary.path, seed=seed)
        return Contestant(name, study, _facts(name, inputs, summary))
    except _FAILURES as error:
        return Failure(name, _told(error))


def slug(name: str) -> str:
    """Return a file name for an encoder's name or path."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "encoder"


def _facts(name: str, inputs: Inputs, summary: RunSummary) -> Json:
    encoder = load_encoder(
        name, device=summary.device, runtime=summary.runtime, precision=summary.precision
    )
    return {
        "table": summary.table,
        "fingerprint": summary.fingerprint,
        "dim": encoder.dim,
        "precision": summary.precision,
        "device": summary.device,
        "runtime": summary.runtime,
        "rejected": summary.rejected,
        "seconds_per_1000": _seconds_per_1000(encoder, inputs.contents),
        "model_bytes": _model_bytes(encoder),
    }


def _seconds_per_1000(encoder: Encoder, contents: Sequence[str | bytes]) -> float | None:
    """Return how long 1,000 inputs take, decoded, prepared and encoded: the faster of two passes.

    None where not one can be encoded.
    """
    taken = [it for it in contents if isinstance(encoder.processor.prepare([it])[0], Sample)]
    if not taken:
        return None
    return min(_seconds(encoder, taken) for _ in range(_PASSES)) * 1000 / len(taken)


def _seconds(encoder: Encoder, contents: Sequence[str | bytes]) -> float:
    began = time.perf_counter()
    encoder.encode_contents(contents)
    return time.perf_counter() - began


def _model_bytes(encoder: Encoder) -> int:
    """Return the size of the fp32 graphs, which hold the weights."""
    return sum((encoder.bundle.path / name).stat().st_size for name in encoder.bundle.graphs)


def _told(error: Exception) -> Json:
    """Say what went wrong, as `--json` does for a whole command."""
    if isinstance(error, FeaturizeError):
        return {"kind": error.kind, "message": error.message, "fix": error.fix}
    return {"kind": "error", "message": f"{type(error).__name__}: {error}", "fix": ""}
