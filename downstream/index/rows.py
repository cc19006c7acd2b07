"""The columns of an index's rows, read from its file only as far as a search needs them."""

from __future__ import annotations

import contextlib
import shutil
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from downstream.parquet_file import writer
from featurize.errors import IndexFileError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

ROW_GROUP = 2048  # rows that are read to show one of them
_COPIED = 1 << 20  # bytes at once
_MOST_GROUPS = 64  # groups that are read one by one; for more, all rows are read and kept
_KEPT = 1 << 28  # bytes of rows that are kept at most; of more, groups are read one by one


class Rows:
    """The rows of an open Parquet file, which may lose its name in the meantime.

    Threads take turns: a reader of Arrow that two of them use at once can corrupt its memory. Arrow
    reads the file itself: were it Python's, its threads could meet an interpreter that has ended.
    """

    def __init__(self, file: IO[bytes]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._file = file
        self._turn = threading.Lock()
        weakref.finalize(self, file.close)
        self._parquet = pq.ParquetFile(pa.memory_map(f"/dev/fd/{file.fileno()}"))
        groups = range(self._parquet.num_row_groups)
        self._ends = np.cumsum([self._parquet.metadata.row_group(g).num_rows for g in groups])

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._parquet.metadata.num_rows)

    @property
    def schema(self) -> pa.Schema:
        """Return the columns."""
        return self._parquet.schema_arrow

    @cached_property
    def ids(self) -> list[str]:
        """Return the ids, in the order of the rows."""
        return list(self.read(["id"]).column(0).to_pylist())

    @cached_property
    def places(self) -> dict[str, int]:
        """Return the place of each id."""
        return {key: place for place, key in enumerate(self.ids)}

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return whole columns."""
        with self._turn, _whole():
            return self._parquet.read(columns=list(columns))

    def copy_to(self, file: IO[bytes]) -> None:
        """Write the file's bytes to another one."""
        with self._turn:
            self._file.seek(0)
            shutil.copyfileobj(self._file, file, _COPIED)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all columns, group by group."""
        for group in range(len(self._ends)):
            yield from self._group(group).to_batches()

    def take(self, places: NDArray[np.int64]) -> list[dict[str, Any]]:
        """Return rows as dictionaries, in the order they are asked for."""
        import pyarrow as pa

        if not len(places):
            return []
        numbers = np.searchsorted(self._ends, places, side="right")
        groups = np.unique(numbers)
        if "_all" in self.__dict__ or (len(groups) > _MOST_GROUPS and self._is_light):
            return list(self._all.take(places).to_pylist())
        near = [
            self._group(group).take(
                places[numbers == group] - (self._ends[group - 1] if group else 0)
            )
            for group in groups.tolist()
        ]
        order = np.argsort(np.argsort(numbers, kind="stable"))
        return list(pa.concat_tables(near).take(order).to_pylist())

    @property
    def _is_light(self) -> bool:
        """Say whether all rows may be kept in memory."""
        groups = map(self._parquet.metadata.row_group, range(len(self._ends)))
        return bool(sum(group.total_byte_size for group in groups) <= _KEPT)

    @cached_property
    def _all(self) -> pa.Table:
        return self.read(self.schema.names)

    def _group(self, number: int) -> pa.Table:
        with self._turn, _whole():
            return self._parquet.read_row_group(number)


@contextlib.contextmanager
def _whole() -> Iterator[None]:
    """Raise IndexFileError for rows that cannot be read, though their hash fits."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise IndexFileError(
            f"The rows of the index cannot be read: {error}.",
            fix="Make the index again: `featurize index TABLE --out INDEX`.",
        ) from error


def write_rows(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, file: IO[bytes] | Path
) -> None:
    """Write rows batch by batch, with page checksums; equal batches give equal bytes."""
    with writer(schema, file) as parquet:
        for batch in batches:
            parquet.write_batch(batch, row_group_size=ROW_GROUP)
