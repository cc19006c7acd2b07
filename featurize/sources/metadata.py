"""What metadata.csv and metadata.jsonl say of the images of a folder, as Hugging Face has it.

A metadata file names each image, relative to itself, in its column `file_name`; its other columns
describe the image. An image belongs to the nearest metadata file above it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.config import Job
from featurize.errors import SourceError, UsageError
from featurize.sources.columns import carried_columns, final_names, find_column
from featurize.sources.delimited import DelimitedFile
from featurize.sources.files import is_input
from featurize.sources.jsonl import JsonlFile
from featurize.sources.records import Records
from featurize.sources.table import without_empty
from featurize.types import Modalities, Reject, RejectReason

if TYPE_CHECKING:
    import pyarrow as pa

FILE_NAME = "file_name"


@dataclass(slots=True)
class Metadata:
    """The `count` rows of all metadata files of a folder.

    `files` are the metadata files by the folder they lie in; `rows` maps the path of an image,
    relative to the folder, to its row in `columns` and `labels`.
    """

    columns: pa.Table
    labels: pa.Array | None = None
    count: int = 0
    files: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    refused: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def rejects(self, described: bytearray, modalities: Modalities) -> Iterator[Reject]:
        """Yield the rejects of all rows that describe no file; `described` marks the rows used."""
        yield from self.refused
        for path, row in self.rows.items():
            if described[row]:
                continue
            reason, detail = RejectReason.UNREADABLE, "no such file is in the folder"
            if not is_input(path, modalities):
                named = " and no ".join(reversed(modalities))
                reason, detail = RejectReason.UNSUPPORTED, f"the file named is no {named}"
            yield Reject(path, self.files[_nearest(path, self.files)], reason, detail)


def no_metadata(job: Job) -> Metadata:
    """Return the metadata of a folder that has none; raise UsageError if the job asks for some."""
    import pyarrow as pa

    if job.label_column is not None or job.rename:
        flag = "--rename" if job.label_column is None else "--label-column"
        raise UsageError(
            f"{flag} names a column, and {job.source} has none.",
            fix="Columns come with a table file, or with a metadata.csv in a folder of images.",
        )
    return Metadata(columns=pa.table({}))


def read_metadata(root: Path, paths: list[str], job: Job) -> Metadata:
    """Read the metadata files at `paths` below `root`; raise UsageError or SourceError."""
    opened = {path: _open(root / path) for path in sorted(paths)}
    notes = [
        f"{path} has no column {FILE_NAME!r} and describes nothing."
        for path, file in opened.items()
        if FILE_NAME not in file.names
    ]
    files = {path: file for path, file in opened.items() if FILE_NAME in file.names}
    for file in files.values():
        notes += file.notes if isinstance(file, DelimitedFile) else []
    if not files:
        none = no_metadata(job)
        none.notes = notes
        return none
    reading = _Reading(list(files))
    for path, file in files.items():
        records = file.records(text=FILE_NAME) if isinstance(file, JsonlFile) else file.records()
        for batch in records:
            reading.add(path, batch)
    return _named(reading, job, notes)


class _Reading:
    """Metadata as it is read, file by file."""

    def __init__(self, paths: list[str]) -> None:
        self.files: dict[str, str] = {}
        for path in paths:
            folder = path.rpartition("/")[0]
            if folder in self.files:
                raise SourceError(
                    f"{self.files[folder]} and {path} describe the same images.",
                    fix="Keep one of them.",
                )
            self.files[folder] = path
        self.tables: list[pa.Table] = []
        self.rows: dict[str, int] = {}
        self.refused: list[Reject] = []
        self._numbers = dict.fromkeys(paths, 0)
        self.count = 0

    def add(self, path: str, records: Records) -> None:
        """Take in the records of the metadata file at `path`."""
        import pyarrow as pa

        folder = path.rpartition("/")[0]
        for position, name in enumerate(records.columns[FILE_NAME].to_pylist()):
            self._numbers[path] += 1
            number = f"{path}#{self._numbers[path]}"
            problem = records.problems.get(position)
            if problem is not None:
                self.refused.append(Reject(number, path, problem.reason, problem.detail))
            elif not name:
                detail = f"the record has no {FILE_NAME}"
                self.refused.append(Reject(number, path, RejectReason.MISSING_VALUE, detail))
            else:
                self._place(folder, name, self.count + position)
        self.tables.append(pa.table(records.columns))
        self.count += records.count

    def _place(self, folder: str, name: str, row: int) -> None:
        """Let a row describe the image that `name` names from a folder."""
        path, source = posixpath.normpath(posixpath.join(folder, name)), self.files[folder]
        if path.startswith(("/", "../")) or path == "..":
            detail = f"the {FILE_NAME} leads out of the folder"
            self.refused.append(Reject(name, source, RejectReason.OUTSIDE_ROOT, detail))
        elif _nearest(path, self.files) != folder:
            return
        elif path in self.rows:
            detail = f"an earlier record of {source} describes this file"
            self.refused.append(Reject(path, source, RejectReason.DUPLICATE_ID, detail))
        else:
            self.rows[path] = row


def _nearest(path: str, files: dict[str, str]) -> str:
    """Return the nearest folder above a path that has a metadata file; empty for the root."""
    folder = path.rpartition("/")[0]
    while folder and folder not in files:
        folder = folder.rpartition("/")[0]
    return folder


def _named(reading: _Reading, job: Job, notes: list[str]) -> Metadata:
    """Give the columns their final names, and choose the label among them."""
    table = _joined(reading.tables).drop_columns(FILE_NAME)
    where = ", ".join(reading.files.values())
    finals = final_names(table.column_names, job, where)
    label = None
    if job.label_column is not None:
        label = find_column("--label-column", job.label_column, finals, where)
    elif job.label_from is None:
        label = next((name for name, final in finals.items() if final == "label"), None)
        notes = notes + ([f"Column {label!r} is taken as the label."] if label else [])
    carried = carried_columns(finals, [label])
    return Metadata(
        columns=table.select(list(carried)).rename_columns(list(carried.values())),
        labels=without_empty(table[label].combine_chunks()) if label else None,
        count=reading.count,
        files=reading.files,
        rows=reading.rows,
        refused=reading.refused,
        notes=notes,
    )


def _joined(tables: list[pa.Table]) -> pa.Table:
    """Return tables as one; a column of several types becomes one of strings."""
    import pyarrow as pa

    kinds: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for item in table.schema:
            kinds.setdefault(item.name, set()).add(item.type)
    schemas = [
        pa.schema([(f.name, f.type if len(kinds[f.name]) == 1 else pa.string()) for f in t.schema])
        for t in tables
    ]
    cast = [table.cast(schema) for table, schema in zip(tables, schemas, strict=True)]
    return pa.concat_tables(cast, promote_options="default")


def _open(path: Path) -> DelimitedFile | JsonlFile:
    """Open one metadata file."""
    if path.suffix == ".jsonl":
        return JsonlFile(path)
    return DelimitedFile(path, encoding="utf-8", delimiter=",")
