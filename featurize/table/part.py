"""One Parquet file of a table: written whole, read with its checksums verified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.errors import TableError
from featurize.storage import create, sha256_file
from featurize.table.layout import EMBEDDING

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 8192


@dataclass(frozen=True, slots=True)
class Part:
    """A file as the log names it; `file` is relative to the table, `bytes` its size."""

    file: str
    rows: int
    bytes: int
    sha256: str


def write_part(rows: pa.Table, path: Path) -> Part:
    """Write rows to a new Parquet file, durably; read it back and return what the log will state.

    Vectors are byte-stream-split and compressed with zstd; every page has a checksum.
    """
    import pyarrow.parquet as pq

    split = [name for name in rows.column_names if name == EMBEDDING]
    leaves = [f"{name}.list.element" for name in split]
    coded = [name for name in rows.column_names if name not in split]
    with create(path) as file:
        pq.write_table(
            rows,
            file,
            row_group_size=ROW_GROUP,
            compression="zstd",
            use_dictionary=coded,
            use_byte_stream_split=leaves,
            write_page_checksum=True,
        )
    written = pq.read_metadata(path).num_rows
    if written != rows.num_rows:
        raise TableError(f"{path.name}: {rows.num_rows} rows were written, {written} are there.")
    return Part(path.name, written, path.stat().st_size, sha256_file(path))


def read_part(
    root: Path, part: Part, columns: Sequence[str] | None, batch_size: int
) -> Iterator[pa.RecordBatch]:
    """Read a part batch by batch; raise TableError, naming the file, where it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = root / part.file
    try:
        if path.stat().st_size != part.bytes:
            raise TableError(
                f"{path} has {path.stat().st_size} bytes; the log states {part.bytes}.",
                fix="Restore the file from a copy, or embed again into a new folder.",
            )
        rows = 0
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(batch_size=batch_size, columns=_listed(columns)):
                rows += batch.num_rows
                yield batch
        # page checksums cover neither page headers nor the footer: a bit there can end a part early
        if rows != part.rows:
            raise TableError(
                f"{path} gives {rows} rows; the log states {part.rows}.",
                fix="Restore the file from a copy, or embed again into a new folder.",
            )
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise TableError(
            f"{path} cannot be read: {error}",
            fix="`featurize verify` lists every damaged file of the table.",
        ) from error


def _listed(columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else list(columns)
