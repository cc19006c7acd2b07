"""A folder of texts, of images or of both: every file is one input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.config import Job, LabelFrom
from featurize.errors import InputRejected
from featurize.sources.changes import Changes
from featurize.sources.files import Files, is_input, size_of, suffix_of
from featurize.sources.metadata import Metadata
from featurize.sources.source import BATCH_ROWS, COLUMN_PREFIX, Record, record_schema
from featurize.sources.survey import Survey
from featurize.sources.walk import Found, FoundKind, is_utf8, percent_escaped, walk
from featurize.types import RejectReason

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class _Row:
    """One input; `meta` is the row of the metadata that describes it."""

    id: str
    source: str
    problem: InputRejected | None = None
    path: str | None = None
    size: int = 0
    meta: int | None = None


class FolderSource:
    """The files below a folder of the kinds that are wanted, with what metadata says of them."""

    def __init__(self, job: Job, survey: Survey, metadata: Metadata) -> None:
        source = Path(job.source)
        self.root = source.resolve()
        self.modalities = survey.modalities(job)
        # "." and ".." have a name only once they are resolved.
        self.name = self.root.name if source.name in {"", ".."} else source.name
        self.ignored: dict[str, int] = {}
        self.notes = list(metadata.notes)
        self._leave_out = Path(job.out).resolve()
        self._files = Files(self.root, self.modalities)
        self._changes = Changes(self.root)
        self._metadata = metadata
        self._metadata_files = frozenset(metadata.files.values())
        self._label_from = job.label_from
        depths = survey.depths_of(self.modalities)
        if job.label_from is None and depths == {1}:
            self._label_from = LabelFrom.PARENT
        if job.label_from is None and metadata.labels is None and depths != {0}:
            self.notes.append(_note_on_labels(depths))

    def scan(self) -> Iterator[pa.RecordBatch]:
        """Yield all files in the order of a walk, then what metadata says of files not there."""
        rows = self._rows()
        while batch := list(islice(rows, BATCH_ROWS)):
            yield self._batch(batch)

    def load(self, record: Record) -> str | bytes:
        """Return the text, or the bytes of the image, of a file."""
        if record.path is None:
            raise InputRejected(RejectReason.UNREADABLE, "the file has no usable path")
        return self._files.load(record.path)

    def changed_at(self, record: Record) -> float | None:
        """Return when the file may last have changed."""
        return None if record.path is None else self._changes.at(record.path)

    def columns(self) -> pa.Schema:
        """Return the columns that metadata files bring."""
        return self._metadata.columns.schema

    def label_type(self) -> pa.DataType:
        """Return the type of the labels."""
        import pyarrow as pa

        return pa.string() if self._metadata.labels is None else self._metadata.labels.type

    def _rows(self) -> Iterator[_Row]:
        """Yield all inputs."""
        ignored: Counter[str] = Counter()
        described = bytearray(self._metadata.count)
        for found in walk(self.root, self._leave_out):
            if found.kind is FoundKind.SYMLINK:
                ignored["symlink"] += 1
            elif found.kind is FoundKind.CLOSED_FOLDER:
                yield _refused(found.path, f"the folder cannot be listed: {found.detail}")
            elif is_input(found.path, self.modalities):
                row = self._file(found)
                if row.meta is not None:
                    described[row.meta] = True
                yield row
            elif found.path not in self._metadata_files:
                ignored[percent_escaped(suffix_of(found.path))] += 1
        self.ignored = dict(sorted(ignored.items()))
        for reject in self._metadata.rejects(described, self.modalities):
            yield _Row(reject.id, reject.source, InputRejected(reject.reason, reject.detail))

    def _file(self, found: Found) -> _Row:
        """Turn a file into an input."""
        if not is_utf8(found.path):
            problem = InputRejected(RejectReason.BAD_NAME, "the name of the file is not UTF-8")
            escaped = percent_escaped(found.path)
            return _Row(escaped, escaped, problem)
        meta = self._metadata.rows.get(found.path)
        try:
            size = size_of(self.root / found.path)
        except InputRejected as problem:
            return _Row(found.path, found.path, problem, meta=meta)
        return _Row(found.path, found.path, path=found.path, size=size, meta=meta)

    def _batch(self, rows: list[_Row]) -> pa.RecordBatch:
        """Turn inputs into a batch of entries."""
        import pyarrow as pa

        described = pa.array([row.meta for row in rows], pa.int64())
        columns = {
            "id": [row.id for row in rows],
            "source": [row.source for row in rows],
            "label": self._labels(rows, described),
            "reason": [row.problem and row.problem.reason for row in rows],
            "detail": [row.problem and row.problem.detail for row in rows],
            "content": [None] * len(rows),
            "path": [row.path for row in rows],
            "size": [row.size for row in rows],
        }
        carried = self._metadata.columns
        for name in carried.column_names:
            columns[COLUMN_PREFIX + name] = carried[name].take(described).combine_chunks()
        schema = record_schema(self.label_type(), carried.schema)
        return pa.RecordBatch.from_pydict(columns, schema=schema)

    def _labels(self, rows: list[_Row], described: pa.Array) -> pa.Array | list[str | None]:
        """Return the labels: what metadata says, else the name of a folder."""
        if self._metadata.labels is not None:
            return self._metadata.labels.take(described)
        return [folder_label(row.id, self._label_from) for row in rows]


def _note_on_labels(depths: set[int]) -> str:
    """Say what becomes of the labels of files at these depths below the folder."""
    if depths == {1}:
        return "The name of each file's folder is taken as its label."
    where = "at different depths" if len(depths) > 1 else f"{min(depths)} folders deep"
    return (
        f"Files lie {where}, so no folder is taken as the label: give --label-from parent or top."
    )


def folder_label(path: str, label_from: LabelFrom | str | None) -> str | None:
    """Return the folder of a path that is its label; None at the root or where none is wanted."""
    folders = path.split("/")[:-1]
    if not folders or label_from is None:
        return None
    return folders[0] if label_from == LabelFrom.TOP else folders[-1]


def _refused(path: str, detail: str) -> _Row:
    """Return the reject of a path that cannot be read."""
    name = path if is_utf8(path) else percent_escaped(path)
    return _Row(name, name, InputRejected(RejectReason.UNREADABLE, detail))
