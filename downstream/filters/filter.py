"""Filter: a parsed condition on the columns of rows, and the rows it selects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from downstream.filters.expression import build, not_numbers
from downstream.filters.grammar import parse
from downstream.filters.tree import Condition, predicates

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    from numpy.typing import NDArray

_BATCH = 16_384  # rows: of long texts, some tens of megabytes
_AHEAD = 2  # batches that are read before they are needed


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows a filter selects: `mask` (n,) bool, true for those where it holds.

    `uncast` counts, by columns of text that the filter compares with numbers, the values that are
    not null and state no number, and so count as null; columns without such values are left out.
    """

    mask: NDArray[np.bool_]
    uncast: dict[str, int]


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on columns, in the grammar of this package.

    Its string is its normalised text, which may be longer than what was parsed.
    """

    condition: Condition

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a filter; raise UsageError that points at what is not understood."""
        return cls(parse(text))

    def __str__(self) -> str:
        return str(self.condition)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns it reads, in the order of the text."""
        return tuple(dict.fromkeys(part.column for part in predicates(self.condition)))

    def expression(self, schema: pa.Schema) -> pc.Expression:
        """Return the condition as an Arrow expression: true, false or null for every row.

        Raises UsageError for columns the schema lacks, for types that cannot be compared, and for
        literals that are none of a column's type.
        """
        return build(self.condition, schema)

    def select(self, rows: pa.Table | str | Path) -> Selection:
        """Return which of `rows`, a table or the path of a Parquet file, the filter selects.

        Reads no other columns than its own, batch by batch. Raises UsageError as `expression`.
        """
        source = _dataset(rows)
        strays = not_numbers(self.condition, source.schema)
        asked = [self.expression(source.schema), *strays.values()]
        answers = source.scanner(
            columns={str(number): expression for number, expression in enumerate(asked)},
            batch_size=_BATCH,
            batch_readahead=_AHEAD,
        ).to_batches()
        masks, counts = [np.empty(0, np.bool_)], [0] * len(strays)
        for batch in answers:
            mask, *stray = (
                column.fill_null(False).to_numpy(zero_copy_only=False) for column in batch.columns
            )
            masks.append(mask)
            counts = [n + int(column.sum()) for n, column in zip(counts, stray, strict=True)]
        uncast = {name: int(n) for name, n in zip(strays, counts, strict=True) if n}
        return Selection(np.concatenate(masks), uncast)


def _dataset(rows: pa.Table | str | Path) -> ds.Dataset:
    import pyarrow.dataset as ds

    if not isinstance(rows, str | Path):
        return ds.dataset(rows)
    # Without pre-buffering a file is read page by page, not a row group at once.
    options = ds.ParquetFragmentScanOptions(
        pre_buffer=False, use_buffered_stream=True, page_checksum_verification=True
    )
    return ds.dataset(rows, format=ds.ParquetFileFormat(default_fragment_scan_options=options))
