"""Parquet files: types are kept, damaged text costs its own row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.errors import InputRejected, SourceError, UsageError
from featurize.sources.columns import ColumnRoles
from featurize.sources.records import Problems, Records, naming_damage
from featurize.sources.source import BATCH_BYTES, BATCH_ROWS
from featurize.types import Modality, RejectReason

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


class ParquetFile:
    """A Parquet file. Raises SourceError where it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        with self._opened() as file:
            schema = file.schema_arrow
        self.names = list(schema.names)
        self._types = [plain_type(kind) for kind in schema.types]

    def types(self) -> dict[str, pa.DataType]:
        """Return the type of every column, dictionaries and extensions decoded."""
        return dict(zip(self.names, self._types, strict=True))

    def check(self, roles: ColumnRoles) -> None:
        """Raise UsageError where a column has a type that its part cannot have."""
        import pyarrow.types as kinds

        types = self.types()
        found = types[roles.content]
        if roles.modality is Modality.TEXT and not kinds.is_string(found):
            raise UsageError(
                f"The text column {roles.content!r} of {self.path.name} has the type {found}.",
                fix="Name a column of strings with --text-column C.",
            )
        if roles.modality is Modality.IMAGE and not _holds_images(found):
            raise UsageError(
                f"The image column {roles.content!r} of {self.path.name} has the type {found}.",
                fix="Name a column of paths, of bytes or of structs of bytes and path.",
            )
        if roles.id and not (kinds.is_string(types[roles.id]) or kinds.is_integer(types[roles.id])):
            raise UsageError(
                f"The id column {roles.id!r} of {self.path.name} has the type {types[roles.id]}.",
                fix="Name a column of strings or integers with --id-column C.",
            )

    def records(self) -> Iterator[Records]:
        """Yield all records; raise SourceError where the file is damaged."""
        self._read = 0
        with naming_damage(self.path.name, lambda: self._read), self._opened() as file:
            for batch in file.iter_batches(batch_size=_batch_rows(file)):
                for part in _bounded(batch):
                    records = self._columns(part)
                    self._read += records.count
                    yield records

    def _opened(self) -> pq.ParquetFile:
        """Open the file, with the checksums of its pages verified."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(self.path, page_checksum_verification=True, pre_buffer=False)
        except (OSError, pa.ArrowException) as error:
            raise SourceError(f"{self.path.name} is no readable Parquet file: {error}.") from error

    def _columns(self, batch: pa.RecordBatch) -> Records:
        """Give the columns of a batch their plain types, and take out text that is not UTF-8."""
        problems: Problems = {}
        columns = {}
        for name, kind, column in zip(self.names, self._types, batch.columns, strict=True):
            plain = column if column.type == kind else column.cast(kind)
            columns[name] = _valid(plain, name, problems)
        return Records(columns, batch.num_rows, problems)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type with dictionaries, extensions, views and large strings made plain."""
    import pyarrow as pa
    import pyarrow.types as kinds

    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if kinds.is_dictionary(kind):
        return plain_type(kind.value_type)
    if kinds.is_null(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind):
        return pa.string()
    if kinds.is_large_binary(kind) or kinds.is_binary_view(kind):
        return pa.binary()
    if kinds.is_struct(kind):
        return pa.struct([field.with_type(plain_type(field.type)) for field in kind])
    if kinds.is_list(kind) or kinds.is_large_list(kind):
        return pa.list_(kind.value_field.with_type(plain_type(kind.value_type)))
    return kind


def _valid(column: pa.Array, name: str, problems: Problems) -> pa.Array:
    """Return a column with null, and a problem, for every value that is not UTF-8."""
    import pyarrow as pa

    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        # Taking copies: a mere slice of nested values would still hold those of its neighbours.
        kept = [
            row if _is_valid(column.take([row]), name, problems, row) else None
            for row in range(len(column))
        ]
        column = column.take(pa.array(kept, pa.int64()))
        column.validate(full=True)
    return column


def _is_valid(value: pa.Array, name: str, problems: Problems, row: int) -> bool:
    """Tell whether a value is sound, and note a problem where it is not."""
    import pyarrow as pa

    try:
        value.validate(full=True)
    except pa.ArrowInvalid:
        problem = InputRejected(RejectReason.BAD_UTF8, f"column {name!r} is not UTF-8")
        problems.setdefault(row, problem)
        return False
    return True


def _holds_images(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds paths, bytes or either."""
    import pyarrow.types as kinds

    if not kinds.is_struct(kind):
        return bool(kinds.is_string(kind) or kinds.is_binary(kind))
    fields = {field.name: field.type for field in kind}
    return bool(
        "bytes" in fields
        and kinds.is_binary(fields["bytes"])
        and ("path" not in fields or kinds.is_string(fields["path"]))
    )


def _batch_rows(file: pq.ParquetFile) -> int:
    """Return how many rows make a batch of about BATCH_BYTES, judged by the footer."""
    meta = file.metadata
    size: int = sum(meta.row_group(group).total_byte_size for group in range(meta.num_row_groups))
    rows: int = BATCH_BYTES * meta.num_rows // max(1, size)
    return max(1, min(BATCH_ROWS, rows))


def _bounded(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Halve a batch until every part is within BATCH_BYTES or a single row."""
    if batch.num_rows < 2 or batch.nbytes <= BATCH_BYTES:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _bounded(batch.slice(0, half))
    yield from _bounded(batch.slice(half))
