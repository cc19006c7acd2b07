"""Inputs that were forgotten for good: they are neither rows nor rejects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from featurize.sources import Source
from featurize.table.forget import tombstone
from featurize.table.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa


class KeptOut:
    """A source, to be listed without the inputs that a table keeps out; `count` says how many.

    `count` is complete, and the source's notes tell of it, once `scan` is exhausted.
    """

    def __init__(self, source: Source, table: Snapshot) -> None:
        self.name = source.name
        self.count = 0
        self._source = source
        self._table = table

    def scan(self) -> Iterator[pa.RecordBatch]:
        """Yield all inputs but those; a batch may be empty, so that a source is never taken for."""
        import pyarrow as pa

        salt, stones = self._table.table_id, self._table.kept_out
        for batch in self._source.scan():
            if stones:
                ids = batch.column("id").to_pylist()
                stays = [tombstone(salt, id) not in stones for id in ids]
                self.count += len(stays) - sum(stays)
                yield batch.filter(pa.array(stays, pa.bool_()))
            else:
                yield batch
        if self.count:
            self._source.notes.append(
                f"Left out {self.count:,} of the inputs: the table was told to forget their ids "
                "and to keep them out."
            )
