"""One text or image file as a source of one input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.config import Job
from featurize.errors import InputRejected, UsageError
from featurize.sources.changes import Changes
from featurize.sources.files import Files, size_of
from featurize.sources.source import Record, record_schema
from featurize.sources.walk import is_utf8, percent_escaped
from featurize.types import Modalities, Modality, RejectReason

if TYPE_CHECKING:
    import pyarrow as pa


class SingleFile:
    """The file that SOURCE itself names."""

    def __init__(self, job: Job, modality: Modality) -> None:
        if job.modality is not None and Modality(job.modality) is not modality:
            raise UsageError(
                f"--modality {job.modality} was given, and {job.source} is {modality}."
            )
        path = Path(job.source)
        self.modalities: Modalities = (modality,)
        self.root = path.resolve()
        self.name = path.name if is_utf8(path.name) else percent_escaped(path.name)
        self.ignored: dict[str, int] = {}
        self.notes: list[str] = []
        self._named_in_utf8 = is_utf8(path.name)
        self._files = Files(self.root.parent, self.modalities)

    def scan(self) -> Iterator[pa.RecordBatch]:
        """Yield the file."""
        import pyarrow as pa

        size, problem = 0, None
        try:
            if not self._named_in_utf8:
                raise InputRejected(RejectReason.BAD_NAME, "the name of the file is not UTF-8")
            size = size_of(self.root)
        except InputRejected as found:
            problem = found
        row = {
            "id": self.name,
            "source": self.name,
            "label": None,
            "reason": problem and problem.reason,
            "detail": problem and problem.detail,
            "content": None,
            "path": None if problem else self.name,
            "size": size,
        }
        schema = record_schema(self.label_type(), self.columns())
        yield pa.RecordBatch.from_pylist([row], schema=schema)

    def load(self, record: Record) -> str | bytes:
        """Return the text, or the bytes of the image, of the file."""
        if record.path is None:
            raise InputRejected(RejectReason.UNREADABLE, "the file has no usable path")
        # SOURCE may be a link, which names its target here: it was given, not found.
        return self._files.load(self.root.name)

    def changed_at(self, _record: Record) -> float | None:
        """Return when the file may last have changed."""
        return Changes(self.root.parent).at(self.root.name)

    def columns(self) -> pa.Schema:
        """Return no columns."""
        import pyarrow as pa

        return pa.schema([])

    def label_type(self) -> pa.DataType:
        """Return the type of the labels."""
        import pyarrow as pa

        return pa.string()
