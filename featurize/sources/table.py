"""A table file as a source: every record is one input. One set of rules for all formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize.config import Job
from featurize.errors import InputRejected, NoInput, UsageError
from featurize.sources.columns import ColumnRoles
from featurize.sources.contents import Contents, image_contents, text_contents
from featurize.sources.files import Files
from featurize.sources.records import Records, missing_value
from featurize.sources.source import COLUMN_PREFIX, Record, record_schema
from featurize.types import Modalities, Modality, RejectReason

if TYPE_CHECKING:
    import pyarrow as pa


class TableSource:
    """The records of one CSV, TSV, JSONL or Parquet file.

    `types` are the types of the file's columns, `read` starts to read it from its first record;
    `notes` is the list to which the reader of the file adds what it has to say.
    """

    def __init__(
        self,
        job: Job,
        roles: ColumnRoles,
        types: Mapping[str, pa.DataType],
        read: Callable[[], Iterator[Records]],
        notes: list[str] | None = None,
    ) -> None:
        path = Path(job.source)
        self.modalities: Modalities = (roles.modality,)
        self.name = path.name
        self.root = path.resolve()
        self.ignored: dict[str, int] = {}
        self.notes = [] if notes is None else notes
        self.notes += roles.notes
        self._roles = roles
        self._types = types
        self._read = read
        self._files = Files(_image_root(job, roles.modality), self.modalities)
        if roles.id is None:
            self.notes.append(
                f"Ids are {self.name}#N, N the number of the record: inserting a row renames the "
                f"rest. A column of ids avoids it: --id-column C."
            )

    def scan(self) -> Iterator[pa.RecordBatch]:
        """Yield all records in the order of the file."""
        first = 1
        for records in self._read():
            yield self._batch(records, first)
            first += records.count
        if first == 1:
            raise NoInput(f"No input found: {self.name} has columns, and no record.")

    def load(self, record: Record) -> str | bytes:
        """Return the content of a record, read from the file it names where it names one."""
        if record.content is not None:
            return record.content
        if record.path is None:
            raise InputRejected(RejectReason.MISSING_VALUE, "the record has no content")
        return self._files.load(record.path)

    def changed_at(self, _record: Record) -> float | None:
        """Return None: the time of a file of many inputs says nothing of one of them."""
        return None

    def columns(self) -> pa.Schema:
        """Return the user's own columns."""
        import pyarrow as pa

        return pa.schema(
            [(final, self._types[name]) for name, final in self._roles.carried.items()]
        )

    def label_type(self) -> pa.DataType:
        """Return the type of the label column; string where there is none."""
        import pyarrow as pa

        return self._types[self._roles.label] if self._roles.label else pa.string()

    def _batch(self, records: Records, first: int) -> pa.RecordBatch:
        """Turn records into entries; `first` is the number of the first of them."""
        import pyarrow as pa

        problems, count, roles = records.problems, records.count, self._roles
        ids = self._ids(records, first)
        found = self._contents(records)
        accepted = np.ones(count, bool)
        accepted[list(problems)] = False
        columns = {
            "id": ids,
            "source": [self.name] * count,
            "label": self._labels(records),
            "reason": [problems[row].reason if row in problems else None for row in range(count)],
            "detail": [problems[row].detail if row in problems else None for row in range(count)],
            "content": _only(accepted, found.values, count),
            "path": found.paths or [None] * count,
            "size": np.where(accepted, found.sizes, 0),
        }
        for name, final in roles.carried.items():
            columns[COLUMN_PREFIX + final] = records.columns[name]
        content = "large_string" if roles.modality is Modality.TEXT else "large_binary"
        schema = record_schema(self.label_type(), self.columns(), content)
        return pa.RecordBatch.from_pydict(columns, schema=schema)

    def _ids(self, records: Records, first: int) -> list[str]:
        """Return the ids of records; one without is named by its number and rejected."""
        import pyarrow as pa

        numbered = [f"{self.name}#{number}" for number in range(first, first + records.count)]
        if self._roles.id is None:
            return numbered
        ids = records.columns[self._roles.id].cast(pa.string()).to_pylist()
        for row, given in enumerate(ids):
            if not given:
                ids[row] = numbered[row]
                records.problems.setdefault(row, missing_value("id"))
        return list(ids)

    def _contents(self, records: Records) -> Contents:
        """Find the contents of records."""
        column = records.columns[self._roles.content]
        if self._roles.modality is Modality.TEXT:
            return text_contents(column, records.problems)
        return image_contents(column, records.problems, self._files)

    def _labels(self, records: Records) -> pa.Array:
        """Return the labels; an empty string is none."""
        import pyarrow as pa

        if self._roles.label is None:
            return pa.nulls(records.count, pa.string())
        return without_empty(records.columns[self._roles.label])


def without_empty(labels: pa.Array) -> pa.Array:
    """Return labels with null for each empty string."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(labels.type):
        return labels
    return pc.if_else(pc.equal(labels, ""), pa.scalar(None, labels.type), labels)


def _only(accepted: np.ndarray, values: pa.Array | None, count: int) -> pa.Array | list[None]:
    """Return the values of accepted rows, and null for the rest."""
    import pyarrow as pa

    if values is None:
        return [None] * count
    if accepted.all():
        return values
    return values.take(pa.array(np.arange(count), mask=~accepted))


def _image_root(job: Job, modality: Modality) -> Path:
    """Return the real path of the folder that image paths are resolved against."""
    if job.image_root is None:
        return Path(job.source).parent.resolve()
    root = Path(job.image_root)
    if modality is not Modality.IMAGE:
        raise UsageError("--image-root is for images, and this source gives texts.")
    if not root.is_dir():
        raise UsageError(f"--image-root {root} is no folder.")
    return root.resolve()
