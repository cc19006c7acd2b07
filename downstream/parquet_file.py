"""Files of rows that commands write: Parquet with checksums, whole or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from downstream.artifact import free_file
from featurize import storage
from featurize.errors import FeaturizeError
from featurize.table.layout import METADATA_KEY

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

SUFFIX = ".parquet"


@dataclass(frozen=True, slots=True)
class ParquetKind:
    """A kind of file: the command that writes it, the columns it may have, its kind of error.

    By the columns, and the metadata under `featurize`, a file of an earlier run is known.
    """

    command: str
    columns: tuple[tuple[str, ...], ...]
    error: type[FeaturizeError]

    def free_place(self, path: str | Path) -> Path:
        """Return where a file may be written.

        Raises UsageError for a name that does not end in .parquet and for a place inside a table,
        the kind's own error where another file is in the way.
        """
        return free_file(Path(path), SUFFIX, self.command, self._is_ours, error=self.error)

    def write(
        self,
        path: str | Path,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        count: int | None = None,
    ) -> int:
        """Write rows as they come, over an older file at most; return their number.

        Raises as `free_place` does, and the kind's own error where they are not as many as `count`.
        """
        import pyarrow.parquet as pq

        final = self.free_place(path)
        staged = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
        try:
            with storage.create(staged) as file, writer(schema, file) as parquet:
                for batch in batches:
                    parquet.write_batch(batch)
            rows: int = pq.read_metadata(staged).num_rows
            if count not in {None, rows}:
                raise self.error(
                    f"{path}: {count} rows were expected, {rows} were written.",
                    fix="`featurize verify` says whether the table is damaged.",
                )
            storage.publish(staged, final)
        finally:
            storage.remove(staged)
        return rows

    def _is_ours(self, file: Path) -> bool:
        """Say whether a file is one of this kind."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            schema = pq.read_schema(file) if file.is_file() else pa.schema([])
        except (OSError, pa.ArrowException):
            return False
        return METADATA_KEY in (schema.metadata or {}) and tuple(schema.names) in self.columns


def writer(schema: pa.Schema, file: IO[bytes] | Path) -> pq.ParquetWriter:
    """Return what writes rows into a file, as a context; equal batches give equal bytes."""
    import pyarrow.parquet as pq

    return pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True)
