"""The seam between raw data and everything after it: what a source is and what it gives.

A scan gives Arrow record batches with the columns of `record_schema`: one row per input, accepted
or rejected. `path` is relative to the folder the files of the source lie in, or the address of a
member of an archive (see `Packed`); `size` is the length of the content in bytes. The
user's own columns stand behind COLUMN_PREFIX, so that no name clashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from featurize.types import Modalities

if TYPE_CHECKING:
    import pyarrow as pa

COLUMN_PREFIX = "column:"
BATCH_ROWS = 8192
BATCH_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """One input of a listing: its content, or the path or address to read it from."""

    id: str
    source: str
    content: str | bytes | None
    path: str | None


class Scan(Protocol):
    """What a listing is built from; batches have at least `id`, `reason` and `size`."""

    name: str

    def scan(self) -> Iterator[pa.RecordBatch]:
        """Yield all entries."""


class Source(Protocol):
    """Raw data of one modality or of two.

    `modalities` are what it holds; `name` begins the ids of rows without an id of their own; `root`
    is the absolute path of the raw data. `ignored` counts files of another kind by lower-case
    suffix, and `notes` are sentences for the user; both are complete once `scan` is exhausted.
    """

    modalities: Modalities
    name: str
    root: Path
    ignored: dict[str, int]
    notes: list[str]

    def scan(self) -> Iterator[pa.RecordBatch]:
        """Yield all inputs in discovery order, in batches of at most BATCH_ROWS rows.

        Raises SourceError where the raw data is damaged as a whole.
        """

    def load(self, record: Record) -> str | bytes:
        """Return the text, or the bytes of the image file; raise InputRejected.

        Safe to call from several threads at once.
        """

    def changed_at(self, record: Record) -> float | None:
        """Return when a content may last have changed, in seconds since the epoch.

        None where nothing but reading it can tell. Safe to call from several threads at once.
        """

    def columns(self) -> pa.Schema:
        """Return the user's own columns in order, with their final names and types."""

    def label_type(self) -> pa.DataType:
        """Return the type of the labels."""


def record_schema(
    label_type: pa.DataType, carried: pa.Schema, content: str = "large_binary"
) -> pa.Schema:
    """Return the schema of the batches of a scan; `content` is the type of contents it holds."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("label", label_type),
            pa.field("reason", pa.string()),
            pa.field("detail", pa.string()),
            pa.field("content", pa.type_for_alias(content)),
            pa.field("path", pa.string()),
            pa.field("size", pa.int64(), nullable=False),
            *(field.with_name(COLUMN_PREFIX + field.name) for field in carried),
        ]
    )
