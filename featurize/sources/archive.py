"""Tar and zip files as a source: members of some kinds are inputs, read where they lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.config import Job, LabelFrom
from featurize.errors import InputRejected
from featurize.sources.files import content_of, is_input, suffix_of
from featurize.sources.folder import folder_label
from featurize.sources.members import Member, MemberKind
from featurize.sources.metadata import no_metadata
from featurize.sources.shards import Shards
from featurize.sources.sidecars import (
    Beside,
    SidecarColumns,
    described,
    is_sidecar,
    read_sidecars,
    split_key,
)
from featurize.sources.source import BATCH_BYTES, BATCH_ROWS, COLUMN_PREFIX, Record, record_schema
from featurize.sources.survey import Survey
from featurize.sources.walk import is_utf8, percent_escaped
from featurize.types import Json, RejectReason

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class _Row:
    """One input; `beside` are the columns that stand beside it."""

    id: str
    source: str
    label: str | None = None
    problem: InputRejected | None = None
    content: bytes | None = None
    address: str | None = None
    size: int = 0
    beside: Json = field(default_factory=dict)


class ArchiveSource:
    """The members, of the kinds that are wanted, of one archive or of all below a folder."""

    def __init__(self, job: Job, shards: Shards) -> None:
        source = Path(job.source)
        self.root = source.resolve()
        self.name = self.root.name if source.name in {"", ".."} else source.name
        if not is_utf8(self.name):
            self.name = percent_escaped(self.name)
        self.ignored: dict[str, int] = {}
        self.notes: list[str] = []
        self._shards = shards
        survey = Survey()
        suffixes = {name: _survey(shards.members(name), survey) for name in shards.paths}
        self.modalities = survey.modalities(job)
        self._described = {
            name: any(is_sidecar(suffix[1:], self.modalities) for suffix in seen)
            for name, seen in suffixes.items()
        }
        self._columns = self._sidecar_columns(job)
        self._label_from = job.label_from
        if self._columns.label is not None:
            self.notes.append(f"{self._columns.label!r} beside each sample is taken as its label.")
        elif job.label_from is None and survey.depths_of(self.modalities) == {1}:
            self._label_from = LabelFrom.PARENT
            self.notes.append("The name of each member's folder is taken as its label.")

    def scan(self) -> Iterator[pa.RecordBatch]:
        """Yield all members, archive by archive, in their order there."""
        rows: list[_Row] = []
        size = 0
        for row in self._rows():
            rows.append(row)
            size += len(row.content or "")
            if len(rows) >= BATCH_ROWS or size >= BATCH_BYTES:
                yield self._batch(rows)
                rows, size = [], 0
        if rows:
            yield self._batch(rows)

    def load(self, entry: Record) -> str | bytes:
        """Return the text, or the bytes of the image, of a member."""
        if isinstance(entry.content, bytes):
            data = entry.content
        elif entry.path is not None:
            data = self._shards.read(entry.path)
        else:
            raise InputRejected(RejectReason.UNREADABLE, "the member has no usable place")
        return content_of(data, entry.id, self.modalities)

    def changed_at(self, _record: Record) -> float | None:
        """Return None: the time of a file of many inputs says nothing of one of them."""
        return None

    def columns(self) -> pa.Schema:
        """Return the columns that stand beside the samples."""
        return self._columns.schema()

    def label_type(self) -> pa.DataType:
        """Return the type of the labels."""
        import pyarrow as pa

        label = self._columns.label
        return pa.string() if label is None else self._columns.types[label].arrow()

    def _sidecar_columns(self, job: Job) -> SidecarColumns:
        """Find what columns stand beside the samples of all archives."""
        columns = SidecarColumns()
        for name in self._shards.paths:
            for beside in self._sidecars(name).values():
                columns.see(beside)
        if columns.types:
            columns.assign(job, self.name)
        else:
            no_metadata(job)
        return columns

    def _sidecars(self, name: str) -> dict[str, Beside]:
        """Return what stands beside the samples of an archive, by their keys."""
        if not self._described[name]:
            return {}
        return read_sidecars(self._shards.members(name), self.modalities)

    def _rows(self) -> Iterator[_Row]:
        """Yield all inputs."""
        ignored = self._shards.ignored.copy()
        for name, problem in self._shards.refused.items():
            yield _Row(name, name, problem=problem)
        for name in self._shards.paths:
            beside = self._sidecars(name)
            for member in self._shards.members(name):
                if member.is_passed_over:
                    continue
                key, rest = split_key(member.path)
                if member.kind is not MemberKind.FILE:
                    ignored[member.kind.value] += 1
                elif is_input(member.path, self.modalities):
                    yield self._row(name, member, beside.get(key, {}))
                elif not (is_sidecar(rest, self.modalities) and key in beside):
                    ignored[percent_escaped(suffix_of(member.path))] += 1
        self.ignored = dict(sorted(ignored.items()))

    def _row(self, archive: str, member: Member, beside: Beside) -> _Row:
        """Turn a member into an input."""
        path = member.path if is_utf8(member.path) else percent_escaped(member.path)
        label = folder_label(member.path, self._label_from) if is_utf8(member.path) else None
        columns: Json = {}
        content: bytes | None = None
        problem = member.refusal
        try:
            columns = described(beside)
            if problem is None and member.packed is None:
                content = member.read()
                content_of(content, path, self.modalities)  # what it refuses is refused here
        except InputRejected as found:
            problem = problem or found
        address = member.packed.address(archive) if member.packed else None
        if problem is not None:
            return _Row(f"{archive}/{path}", archive, label, problem, beside=columns)
        size = member.size
        return _Row(f"{archive}/{path}", archive, label, None, content, address, size, columns)

    def _batch(self, rows: list[_Row]) -> pa.RecordBatch:
        """Turn inputs into a batch of entries."""
        import pyarrow as pa

        beside = [row.beside for row in rows]
        label = self._columns.label
        columns = {
            "id": [row.id for row in rows],
            "source": [row.source for row in rows],
            "label": self._columns.labels(label, beside) if label else [row.label for row in rows],
            "reason": [row.problem and row.problem.reason for row in rows],
            "detail": [row.problem and row.problem.detail for row in rows],
            "content": [row.content for row in rows],
            "path": [row.address for row in rows],
            "size": [row.size for row in rows],
        }
        for name, final in self._columns.carried.items():
            columns[COLUMN_PREFIX + final] = self._columns.array(name, beside)
        schema = record_schema(self.label_type(), self.columns())
        return pa.RecordBatch.from_pydict(columns, schema=schema)


def _survey(members: Iterator[Member], survey: Survey) -> set[str]:
    """Take the members of an archive into account, and return their suffixes."""
    seen: set[str] = set()
    for member in members:
        if member.kind is MemberKind.FILE and not member.is_passed_over:
            survey.see(member.path)
            seen.add(suffix_of(member.path))
    return seen
