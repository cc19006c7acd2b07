"""One Parquet file of a table: written whole, read whole and only after its hash is checked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.errors import FileError, TableError
from featurize.storage import create, read, sha256_bytes, sha256_file
from featurize.table.damage import damaged
from featurize.table.layout import EMBEDDING, PARENT, is_chunked
from featurize.types import Json
from featurize.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROW_GROUP = 8192


@dataclass(frozen=True, slots=True)
class Part:
    """A file as the log names it; `file` is relative to the table, `bytes` its size.

    `chunked_inputs` counts the inputs whose chunks its rows are, None where rows are inputs.
    """

    file: str
    rows: int
    bytes: int
    sha256: str
    chunked_inputs: int | None = None

    @property
    def inputs(self) -> int:
        """Return of how many inputs it holds rows."""
        return self.rows if self.chunked_inputs is None else self.chunked_inputs

    def to_json(self) -> Json:
        """Return the part as JSON values, without what is not known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def write_part(rows: pa.Table, path: Path) -> Part:
    """Write rows to a new Parquet file, durably; read it back and return what the log will state.

    All is compressed with zstd; every page has a checksum.
    """
    import pyarrow.parquet as pq

    split, coded = _encodings(rows.schema)
    with create(path) as file:
        pq.write_table(
            rows,
            file,
            row_group_size=ROW_GROUP,
            compression="zstd",
            use_dictionary=coded,
            use_byte_stream_split=split,
            write_page_checksum=True,
        )
    written = pq.read_metadata(path).num_rows
    if written != rows.num_rows:
        raise TableError(
            f"{path}: {counted(rows.num_rows, 'row')} written, {written:,} found there.",
            fix="Check the disk, then run the command again.",
        )
    return Part(path.name, written, path.stat().st_size, sha256_file(path), _inputs_of(rows))


def _inputs_of(rows: pa.Table) -> int | None:
    """Return of how many inputs the rows are chunks, all of an input's being there."""
    import pyarrow.compute as pc

    if not is_chunked(rows.schema):
        return None
    return int(pc.count_distinct(rows.column(PARENT), mode="all").as_py())


def _encodings(schema: pa.Schema) -> tuple[list[str], list[str]]:
    """Return the columns that are byte-stream-split, and those that are dictionary-coded.

    Vectors of float32 are split, which zstd compresses best. Bytes are coded: Parquet would give
    each 32 bits. float16 is neither: DuckDB does not read it split.
    """
    coded = [name for name in schema.names if name != EMBEDDING]
    if EMBEDDING not in schema.names:
        return [], coded
    leaf = f"{EMBEDDING}.list.element"
    width = schema.field(EMBEDDING).type.value_type.bit_width
    return [leaf] if width == 32 else [], [*coded, leaf] if width == 8 else coded


def read_part(
    root: Path, part: Part, columns: Sequence[str] | None, batch_size: int
) -> Iterator[pa.RecordBatch]:
    """Read a part batch by batch; raise as `open_part` does."""
    listed = None if columns is None else list(columns)
    with open_part(root, part) as file:
        yield from file.iter_batches(batch_size=batch_size, columns=listed)


@contextlib.contextmanager
def open_part(root: Path, part: Part) -> Iterator[pq.ParquetFile]:
    """Open a part, held in memory as a whole: nothing of it is parsed before its hash is checked.

    Raises TableError, naming the file, where it is missing or damaged, FileError where the
    operating system refuses it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = checked_content(root, part)
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            yield file
    except (OSError, ValueError, pa.ArrowException) as error:
        detail = f"it is as it was written, but pyarrow {pa.__version__} cannot read it: {error}"
        raise damaged(root / part.file, detail) from error


def checked_content(root: Path, part: Part) -> bytes:
    """Return the bytes of a part after checking size and SHA-256; raise as `open_part` does.

    Page checksums would not do: they cover neither page headers nor the footer.
    """
    path = root / part.file
    try:
        size = path.stat().st_size
        data = read(path) if size == part.bytes else b""
    except FileNotFoundError:
        expected = f"{part.bytes:,} bytes with SHA-256 {part.sha256[:12]} expected"
        raise damaged(path, f"the file is missing, {expected}") from None
    except OSError as error:
        raise FileError.of(error, path) from error
    if len(data) != part.bytes:
        raise damaged(path, f"damaged: {part.bytes:,} bytes expected, {size:,} found")
    if (found := sha256_bytes(data)) != part.sha256:
        detail = f"damaged: SHA-256 {part.sha256[:12]} expected, {found[:12]} found"
        raise damaged(path, detail)
    return data
