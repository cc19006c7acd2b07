"""All inputs of a source, sorted by the bytes of their ids, in flat memory.

The entries of a scan go to an Arrow file on disk; only the order, the sizes and a mark per entry
stay in memory, 17 bytes each. While they are sorted, all ids are held too, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from featurize.errors import NoInput
from featurize.sources.source import Scan
from featurize.storage import make_folder, remove, scratch
from featurize.types import Progress, RejectReason

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

_COMPARED_AT_ONCE = 1 << 16


class Listing:
    """The entries of a source in the order of their ids' bytes.

    `sizes` are the lengths of their contents in bytes, int64, 0 for rejected ones. Of entries with
    one id the first that was found stays as it is; the others are rejected as `duplicate_id`.
    """

    def __init__(self, spool: Path, scanned: _Scanned, *, unique: bool = True) -> None:
        self._spool = spool
        self._starts = np.cumsum([0, *scanned.lengths])
        self._order, self._repeated = _sorted(spool)
        self._repeated &= unique
        rejected = np.concatenate(scanned.rejected)[self._order] | self._repeated
        self.rejected_count = int(rejected.sum())
        self.sizes: NDArray[np.int64] = np.concatenate(scanned.sizes)[self._order]
        self.sizes[rejected] = 0

    @classmethod
    def build(
        cls,
        source: Scan,
        spool: Path,
        on_progress: Callable[[Progress], None] | None = None,
        *,
        unique: bool = True,
    ) -> Listing:
        """Scan a source into the file `spool`, and sort what it gave.

        Without `unique`, entries of one id stand side by side and none is rejected.
        Raises SourceError where the source is damaged, NoInput where it holds nothing; the spool
        is then removed.
        """
        make_folder(spool.parent)
        try:
            scanned = _scan(source, spool, on_progress or (lambda _: None))
            return cls(spool, scanned, unique=unique)
        except BaseException:
            remove(spool)
            raise

    def __len__(self) -> int:
        return len(self._order)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def block(self, start: int, size: int) -> range:
        """Return the places of about `size` entries from `start`, those of one id together."""
        stop = min(start + size, len(self))
        while stop < len(self) and self._repeated[stop]:
            stop += 1
        return range(start, stop)

    def slice(self, start: int, stop: int) -> pa.Table:
        """Return the entries from `start` to before `stop`, in order, as `take` does."""
        return self.take(np.arange(start, min(stop, len(self))))

    def take(self, places: NDArray[np.int64]) -> pa.Table:
        """Return the entries at some places of the order.

        The columns are those of the scan without the size.
        """
        import pyarrow as pa

        rows = self._order[places]
        with pa.memory_map(str(self._spool)) as mapped, pa.ipc.open_file(mapped) as file:
            schema = file.schema
            parts = list(self._taken(file, rows))
        # The batches were visited in the order of the file: put their rows back into ours.
        ranks = np.empty(len(rows), np.int64)
        ranks[np.argsort(rows, kind="stable")] = np.arange(len(rows))
        table = pa.Table.from_batches(parts, schema).combine_chunks().take(pa.array(ranks))
        return _marked(table.drop_columns("size"), self._repeated[places])

    def has_values(self, name: str) -> bool:
        """Say whether a column of the scan holds anything but nulls."""
        import pyarrow as pa

        with pa.memory_map(str(self._spool)) as mapped, pa.ipc.open_file(mapped) as file:
            batches = (file.get_batch(number) for number in range(file.num_record_batches))
            return any(batch.column(name).null_count < batch.num_rows for batch in batches)

    def close(self) -> None:
        """Remove the spool file."""
        remove(self._spool)

    def _taken(
        self, file: pa.RecordBatchFileReader, rows: NDArray[np.int64]
    ) -> Iterator[pa.RecordBatch]:
        """Yield copies of the rows of the spool, batch by batch."""
        import pyarrow as pa

        ascending = np.sort(rows)
        batches = np.searchsorted(self._starts, ascending, side="right") - 1
        visited, firsts = np.unique(batches, return_index=True)
        for batch, inside in zip(visited, np.split(ascending, firsts)[1:], strict=True):
            taken = pa.array(inside - self._starts[batch])
            yield file.get_batch(int(batch)).take(taken)


class _Scanned:
    """What is kept in memory of a scan, batch by batch."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.sizes: list[NDArray[np.int64]] = []
        self.rejected: list[NDArray[np.bool_]] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep what a batch says of its entries."""
        self.lengths.append(batch.num_rows)
        self.sizes.append(batch.column("size").to_numpy().copy())
        self.rejected.append(batch.column("reason").is_valid().to_numpy(zero_copy_only=False))


def _scan(source: Scan, spool: Path, on_progress: Callable[[Progress], None]) -> _Scanned:
    """Write all entries of a source to the spool."""
    import pyarrow as pa

    scanned, done = _Scanned(), 0
    batches = source.scan()
    first = next(batches, None)
    if first is None:
        raise NoInput(f"No input found in {source.name}.")
    with scratch(spool) as file, pa.ipc.new_file(file, first.schema) as writer:
        for batch in chain([first], batches):
            writer.write_batch(batch)
            scanned.add(batch)
            done += batch.num_rows
            on_progress(Progress("listing", done, None))
    return scanned


def _sorted(spool: Path) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the order of the ids by their bytes, and a mark on each that equals its forerunner."""
    import pyarrow.compute as pc

    ids = _ids(spool)
    order: NDArray[np.int64] = pc.sort_indices(ids).to_numpy().view(np.int64)
    repeated = np.zeros(len(ids), bool)
    for start in range(0, len(ids) - 1, _COMPARED_AT_ONCE):
        some = ids.take(order[start : start + 1 + _COMPARED_AT_ONCE])
        equal = pc.equal(some[1:], some[:-1])
        repeated[start + 1 : start + len(some)] = equal.to_numpy(zero_copy_only=False)
    return order, repeated


def _ids(spool: Path) -> pa.LargeStringArray:
    """Return all ids in the order of the scan."""
    import pyarrow as pa

    with pa.memory_map(str(spool)) as mapped, pa.ipc.open_file(mapped) as file:
        batches = (file.get_batch(number) for number in range(file.num_record_batches))
        # 64-bit offsets hold any number of ids.
        return pa.concat_arrays([batch.column("id").cast(pa.large_string()) for batch in batches])


def _marked(table: pa.Table, repeated: NDArray[np.bool_]) -> pa.Table:
    """Return a slice with the repeated ids rejected."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not repeated.any():
        return table
    mark = pa.array(repeated)
    detail = pc.binary_join_element_wise("an earlier input has the id", table["id"], " ")
    for name, value in (
        ("reason", str(RejectReason.DUPLICATE_ID)),
        ("detail", detail),
        ("content", pa.scalar(None, table.schema.field("content").type)),
        ("path", pa.scalar(None, pa.string())),
    ):
        position = table.schema.get_field_index(name)
        column = pc.if_else(mark, value, table[name])
        table = table.set_column(position, table.schema.field(name), column)
    return table
