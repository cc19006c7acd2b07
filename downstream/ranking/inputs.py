"""The inputs that all encoders get: those of a source, or a stratified sample of them."""

from __future__ import annotations

import contextlib
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize import storage
from featurize.config import Job
from featurize.errors import HeadError, InputRejected, UsageError
from featurize.sources import Listing, Record, Source, open_source
from featurize.types import Modality

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

SAMPLE = "inputs.parquet"
TIMED = 256
_MARK = b"featurize rank"  # in the metadata of a sample: only such a file is replaced
_BLOCK = 8192
_BATCH = 256  # inputs whose contents are in memory at a time


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is embedded: a `job` with the folder of the tables as `out`, and some `contents` of it.

    Encoders are timed on those.
    """

    job: Job
    contents: list[str | bytes]


def draw_inputs(job: Job, most: int | None, seed: int) -> Inputs:
    """Take the inputs of a job, or draw `most` of those with a label, classes in proportion.

    The drawn ones are written to a folder of their own in the job's `out`, from where they are
    embedded beside it: a table is bound to what it was made from, so that those of a sample cannot
    be those of the whole. Raises UsageError for a source of two kinds and for a number that cannot
    be meant, HeadError where no input has a label and where another file is in the way of the drawn
    ones.
    """
    if most is not None and most < 1:
        raise UsageError(f"--sample expects a number of inputs from 1 up, got {most}.")
    source = open_source(job)
    if len(source.modalities) > 1:
        raise UsageError(
            f"{job.source} holds texts and images.",
            fix="Say what to embed: --modality text or --modality image.",
        )
    with (
        tempfile.TemporaryDirectory() as scratch,
        Listing.build(source, Path(scratch) / "listing.arrow") as listing,
    ):
        places, labels = _labelled(listing, str(job.source))
        chosen = places
        if most is not None and most < len(places):
            chosen = places[stratified(labels, most, seed)]
        timed = [content for _, content in _contents(source, listing, _spread(chosen, TIMED))]
        if len(chosen) == len(places):
            return Inputs(job, timed)
        sample = Path(job.out) / f"sample-{most}-seed-{seed}" / SAMPLE
        storage.make_folder(sample.parent)
        _require_free(sample)
        _write(sample, source, listing, chosen)
    return Inputs(_of_sample(job, sample, str(source.modalities[0])), timed)


def stratified(labels: NDArray[np.object_], most: int, seed: int) -> NDArray[np.intp]:
    """Return `most` positions, ascending, in which classes are in proportion to `labels` (n,)."""
    classes = np.unique(labels, return_inverse=True)[1]
    shuffled = np.random.default_rng(seed).permutation(len(classes))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    return np.sort(by_class[np.arange(most) * len(classes) // most])


def _labelled(listing: Listing, source: str) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """Return the places of the accepted inputs that have a label, and their labels as text."""
    places: list[int] = []
    labels: list[str] = []
    for start in range(0, len(listing), _BLOCK):
        rows = listing.slice(start, start + _BLOCK).select(["reason", "label"]).to_pylist()
        for place, row in enumerate(rows, start):
            if row["reason"] is None and row["label"] not in {None, ""}:
                places.append(place)
                labels.append(str(row["label"]))
    if not places:
        raise HeadError(
            f"No input of {source} has a label.",
            fix="Name the column with --label C; for folders, give --label-from parent or top.",
        )
    return np.array(places, dtype=np.int64), np.array(labels, dtype=object)


def _contents(
    source: Source, listing: Listing, places: NDArray[np.int64]
) -> list[tuple[int, str | bytes]]:
    """Return what can be read of the inputs at some places, with its position among them."""
    rows = listing.take(places).select(["id", "source", "content", "path"]).to_pylist()
    found = []
    for position, row in enumerate(rows):
        try:
            found.append((position, source.load(Record(**row))))
        except InputRejected:  # each encoder's table counts it
            continue
    return found


def _spread(places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return so many of the places, evenly spread."""
    if len(places) <= count:
        return places
    return places[np.arange(count) * len(places) // count]


def _write(file: Path, source: Source, listing: Listing, places: NDArray[np.int64]) -> None:
    """Write id, label and content of the inputs at some places; the file appears as a whole."""
    import pyarrow.parquet as pq

    schema = _rows(source, listing, places[:0]).schema
    staged = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        with storage.create(staged) as sink, pq.ParquetWriter(sink, schema) as writer:
            for start in range(0, len(places), _BATCH):
                writer.write_table(_rows(source, listing, places[start : start + _BATCH]))
        storage.publish(staged, file)
    finally:
        storage.remove(staged)


def _rows(source: Source, listing: Listing, places: NDArray[np.int64]) -> pa.Table:
    import pyarrow as pa

    found = _contents(source, listing, places)
    positions = pa.array([position for position, _ in found], pa.int64())
    rows = listing.take(places).select(["id", "label"]).take(positions)
    name = source.modalities[0]
    kind = pa.large_string() if name is Modality.TEXT else pa.large_binary()
    contents = pa.array([content for _, content in found], kind)
    return rows.append_column(str(name), contents).replace_schema_metadata({_MARK: b"1"})


def _require_free(file: Path) -> None:
    """Raise HeadError unless there is no file yet, or the sample of an earlier run."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not file.exists():
        return
    with contextlib.suppress(OSError, pa.ArrowException):
        if file.is_file() and _MARK in (pq.read_schema(file).metadata or {}):
            return
    raise HeadError(
        f"{file} is in the way of the drawn inputs: no earlier run of `rank` has written it.",
        fix="Choose another --out.",
    )


def _of_sample(job: Job, sample: Path, content: str) -> Job:
    """Return the job for a sample: how to compute stays, where to find what is the sample's own.

    Its tables follow every new draw, since they hold nothing that the source does not.
    """
    return Job(
        sample,
        out=sample.parent,
        allow_delete=True,
        id_column="id",
        label_column="label",
        text_column=content if content == Modality.TEXT else None,
        image_column=content if content == Modality.IMAGE else None,
        device=job.device,
        runtime=job.runtime,
        precision=job.precision,
        prompt=job.prompt,
        wait=job.wait,
        stuck_after=job.stuck_after,
    )
