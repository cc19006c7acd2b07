"""Picks the source that reads a path, and refuses options that say nothing to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from featurize.config import Job, Overflow
from featurize.errors import SourceError, UsageError
from featurize.sources.archive import ArchiveSource
from featurize.sources.columns import choose_columns
from featurize.sources.delimited import DelimitedFile
from featurize.sources.files import SUFFIXES, suffix_of
from featurize.sources.folder import FolderSource
from featurize.sources.jsonl import JsonlFile
from featurize.sources.members import ARCHIVES, is_archive
from featurize.sources.metadata import no_metadata, read_metadata
from featurize.sources.parquet import ParquetFile
from featurize.sources.shards import Shards
from featurize.sources.single import SingleFile
from featurize.sources.source import Source
from featurize.sources.survey import Survey
from featurize.sources.table import TableSource
from featurize.types import Modality

_COLUMN_OPTIONS = ("text_column", "image_column", "id_column", "image_root")


def open_source(job: Job) -> Source:
    """Return the source of a job as it was asked for, picked by its path and its options.

    Raises UsageError where options contradict each other or the raw data, SourceError where the
    raw data cannot be read or holds no input.
    """
    source = _open(job)
    if Modality.TEXT not in source.modalities:
        for flag, given in (
            ("--no-text", job.no_text),
            (f"--overflow {job.overflow}", job.overflow not in {None, Overflow.TRUNCATE}),
        ):
            if given:
                raise UsageError(f"{flag} is for texts, and {job.source} gives images.")
    return source


def _open(job: Job) -> Source:
    """Open the source that reads the path of a job."""
    path = Path(job.source)
    if not path.exists():
        raise SourceError(f"No input found: {path} does not exist.", fix="Check the path.")
    if not os.access(path, os.R_OK):
        raise SourceError(
            f"{path} may not be read.", fix="Give yourself the permission to read it."
        )
    if path.is_dir():
        return _open_folder(job)
    if not path.is_file():
        raise SourceError(f"{path} is neither a folder nor a regular file.")
    if is_archive(path.name):
        _refuse_columns(job)
        return ArchiveSource(job, Shards.of_file(path))
    suffix = suffix_of(path.name)
    if suffix == ".gz":
        suffix = suffix_of(path.name[: -len(".gz")])
        opener = None if suffix == ".parquet" else _TABLE_FILES.get(suffix)
    else:
        opener = _TABLE_FILES.get(suffix)
    if opener is not None:
        _refuse(job, ("label_from",), "takes the label from a folder, and {} is a table file.")
        return opener(job)
    for modality, suffixes in SUFFIXES.items():
        if suffix_of(path.name) in suffixes:
            _refuse_columns(job)
            _refuse(job, ("label_from",), "takes the label from a folder, and {} is one file.")
            no_metadata(job)
            return SingleFile(job, modality)
    raise SourceError(
        f"No input found: {path.name} is of no kind that is read.",
        fix="SOURCE is a folder, a text, an image, or one of "
        + ", ".join(_TABLE_FILES)
        + " (all but .parquet may be compressed as .gz) "
        + ", ".join(ARCHIVES)
        + ".",
    )


def _open_folder(job: Job) -> Source:
    """Open a folder of texts and images, or of archives of them."""
    _refuse_columns(job)
    if job.label_from is not None and job.label_column is not None:
        raise UsageError(
            "--label-from and --label-column were both given.",
            fix="The label comes from a folder's name or from a column: give one of them.",
        )
    root, leave_out = Path(job.source).resolve(), Path(job.out).resolve()
    survey = Survey.of(root, leave_out)
    wanted = {Modality(job.modality)} if job.modality else set(Modality)
    if survey.archives and not wanted & survey.depths.keys():
        return ArchiveSource(job, Shards.below(root, leave_out))
    if Modality.IMAGE in survey.modalities(job) and survey.metadata:
        metadata = read_metadata(root, survey.metadata, job)
    else:
        metadata = no_metadata(job)
    if survey.archives:
        metadata.notes.append(
            f"{len(survey.archives)} archives are left out, because files of this kind lie loose "
            "beside them. To read an archive, name it as SOURCE."
        )
    return FolderSource(job, survey, metadata)


def _open_delimited(job: Job, *, delimiter: str) -> Source:
    """Open a CSV or TSV file."""
    if job.delimiter is not None:
        delimiter = "\t" if job.delimiter == r"\t" else job.delimiter
    file = DelimitedFile(Path(job.source), encoding=job.encoding, delimiter=delimiter)
    try:
        roles = choose_columns(file.names, job, file.path.name)
    except UsageError as error:
        other = file.other_delimiter()
        if other is None:
            raise
        fix = f"It seems to be split by another delimiter: --delimiter {other!r}"
        raise UsageError(error.message, fix=fix) from None
    return TableSource(job, roles, file.types(), file.records, file.notes)


def _open_jsonl(job: Job) -> Source:
    """Open a JSON Lines file."""
    _refuse_delimited(job)
    file = JsonlFile(Path(job.source))
    roles = choose_columns(file.names, job, file.path.name)
    read = partial(file.records, text=roles.content, id=roles.id)
    return TableSource(job, roles, file.types(), read)


def _open_parquet(job: Job) -> Source:
    """Open a Parquet file."""
    _refuse_delimited(job)
    file = ParquetFile(Path(job.source))
    roles = choose_columns(file.names, job, file.path.name)
    file.check(roles)
    return TableSource(job, roles, file.types(), file.records)


_TABLE_FILES: dict[str, Callable[[Job], Source]] = {
    ".csv": partial(_open_delimited, delimiter=","),
    ".tsv": partial(_open_delimited, delimiter="\t"),
    ".jsonl": _open_jsonl,
    ".ndjson": _open_jsonl,
    ".parquet": _open_parquet,
}


def _refuse_columns(job: Job) -> None:
    """Refuse the options that only a table file can follow."""
    _refuse(job, _COLUMN_OPTIONS, "is for table files, and {} is none.")
    _refuse_delimited(job)


def _refuse_delimited(job: Job) -> None:
    """Refuse the options that only a CSV or TSV file can follow."""
    _refuse(job, ("delimiter",), "is for CSV and TSV files, and {} is none.")
    if job.encoding.lower().replace("_", "-") not in {"utf-8", "utf8"}:
        raise UsageError(f"--encoding is for CSV and TSV files, and {job.source} is none.")


def _refuse(job: Job, options: tuple[str, ...], why: str) -> None:
    """Raise UsageError where one of the options was given."""
    for option in options:
        if getattr(job, option) is not None:
            flag = option.replace("_", "-")
            raise UsageError(f"--{flag} {why.format(job.source)}")
