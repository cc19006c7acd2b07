"""rank: encoders compared on the user's own labels."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from downstream.ranking.comparison import compare
from downstream.ranking.contestant import Contestant, Embed, Failure, enter
from downstream.ranking.inputs import draw_inputs
from featurize.api import run
from featurize.config import Job
from featurize.errors import HeadError, UsageError
from featurize.storage import make_folder
from featurize.types import Json


def rank(
    source: str | Path,
    encoders: Sequence[str],
    *,
    label: str | None = None,
    sample: int | None = None,
    out: str | Path | None = None,
    seed: int = 0,
) -> Json:
    """Compare encoders on the labelled inputs of a source, best first, with what each costs.

    `source` is what `featurize.embed` takes, `label` the column of the labels where it is not named
    label. `sample` bounds how many inputs are drawn, classes in proportion. Each encoder's table
    stays in `out`, or for a sample in a folder of that sample in it, where a later call finds it
    again; without `out` it is temporary. Returns what `compare` does, with `failed`: the encoders
    that could not be ranked, and why. Raises HeadError where none could.
    """
    with tables_in(out) as folder:
        job = Job(source, out=folder, label_column=label)
        return rank_encoders(job, encoders, sample=sample, seed=seed)


def rank_encoders(
    job: Job,
    encoders: Sequence[str],
    *,
    sample: int | None = None,
    seed: int = 0,
    embed: Embed = run,
) -> Json:
    """Rank as `rank` does what a job takes and as it computes, with tables in the job's `out`."""
    names = list(dict.fromkeys(encoders))
    if isinstance(encoders, str) or not names:
        raise UsageError(
            "Encoders to compare are expected.",
            fix="Name them, such as minilm and the folder of a model.",
        )
    make_folder(Path(job.out))
    inputs = draw_inputs(job, sample, seed)
    entries = [enter(name, inputs, embed, seed) for name in names]
    failed = {entry.name: entry.error for entry in entries if isinstance(entry, Failure)}
    contestants = [entry for entry in entries if isinstance(entry, Contestant)]
    if not contestants:
        name, error = next(iter(failed.items()))
        raise HeadError(f"No encoder could be ranked; {name}: {error['message']}", fix=error["fix"])
    return {"source": str(job.source), "seed": seed, **compare(contestants), "failed": failed}


@contextlib.contextmanager
def tables_in(out: str | Path | None) -> Iterator[Path]:
    """Give the folder of the tables, a temporary one where none is named."""
    if out is not None:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="featurize-rank-") as folder:
        yield Path(folder)
