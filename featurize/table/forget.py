"""Forgetting: rows and rejects of some ids leave the table, and every file that holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize.errors import TableError, UsageError
from featurize.storage import sha256_bytes
from featurize.table.layout import PARENT, Layout, is_chunked, reject_schema
from featurize.table.log import CommitLog
from featurize.table.part import Part
from featurize.table.reader import EmbeddingTable
from featurize.table.snapshot import FORGET
from featurize.table.writer import Change, Replacement, TableWriter, write_table

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten: `rows` and `rejects` of the ids. `kept_out` counts ids, of all times."""

    table: str
    version: int
    rows: int
    rejects: int
    kept_out: int


@dataclass(frozen=True, slots=True)
class _Found:
    """A part that holds some of the ids: a mark, (rows,), on the rows that leave; and those ids."""

    part: Part
    schema: pa.Schema
    leaving: NDArray[np.bool_]
    ids: frozenset[str]

    @property
    def count(self) -> int:
        return int(self.leaving.sum())

    def staged(self, table: EmbeddingTable, writer: TableWriter, *, keep: bool) -> Replacement:
        """Stage the part without the rows that leave; nothing if none stays, unless `keep`."""
        import pyarrow as pa

        rows = pa.Table.from_batches(table.read(self.part), self.schema)
        staying = rows.filter(pa.array(~self.leaving)).combine_chunks()
        return Replacement(self.part, writer.stage(staying) if staying.num_rows or keep else None)


def forget(
    root: Path,
    ids: Sequence[str],
    *,
    keep_out: bool = False,
    wait: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Forgotten:
    """Remove the rows and rejects of some ids, and the chunks of documents that have one of them.

    When it returns, no file under the table holds them. With `keep_out` no later run brings them
    back, and ids may be missing from the table. Raises TableError where there is no table or it
    has nothing of an id, UsageError for a chunk to keep out without the rest of its document,
    TableLocked where another process writes to the table, unless `wait`, which tells `say` whom it
    waits for.
    """
    _require_text(ids)
    CommitLog(Layout.of(root).log).committed()
    with write_table(root, wait=wait, say=say) as writer:
        state = writer.snapshot
        table = EmbeddingTable.open(root)
        rows = list(_search(table, table.parts, table.schema, ids))
        rejects = list(_search(table, table.reject_parts, reject_schema(), ids))
        if keep_out:
            _require_inputs(ids, table)
        else:
            _require_held(root, set(ids).difference(*(found.ids for found in (*rows, *rejects))))
        stones = {tombstone(state.table_id, id) for id in ids} if keep_out else set()
        new = sorted(stones - state.kept_out)
        if rows or rejects or new:
            replaced = _replacements(table, writer, rows, rejects)
            change = Change(replaced=replaced, complete=state.complete, keep_out=new)
            writer.commit(change, FORGET)
    return Forgotten(
        table=str(root),
        version=writer.snapshot.version,
        rows=sum(found.count for found in rows),
        rejects=sum(found.count for found in rejects),
        kept_out=len(writer.snapshot.kept_out),
    )


def tombstone(table_id: str, id: str) -> str:
    """Return what the log keeps of an id that must not come back: a salted SHA-256.

    The id of the table, random hexadecimal digits, is the salt.
    """
    return sha256_bytes(f"{table_id}{id}".encode())


def _search(
    table: EmbeddingTable, parts: Sequence[Part], schema: pa.Schema, ids: Sequence[str]
) -> Iterator[_Found]:
    """Yield the parts that hold some of the ids, as ids of rows or of the documents they are of."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(sorted(set(ids)), pa.string())
    names = [name for name in ("id", PARENT) if name in schema.names]
    for part in parts:
        leaving = [np.zeros(0, bool)]
        held: set[str] = set()
        for batch in table.read(part, names):
            mark = np.zeros(batch.num_rows, bool)
            for column in batch.columns:
                hit = pc.is_in(column, wanted)
                held.update(column.filter(hit).to_pylist())
                mark |= hit.to_numpy(zero_copy_only=False)
            leaving.append(mark)
        if held:
            yield _Found(part, schema, np.concatenate(leaving), frozenset(held))


def _replacements(
    table: EmbeddingTable, writer: TableWriter, rows: list[_Found], rejects: list[_Found]
) -> list[Replacement]:
    """Stage what takes the place of the parts; one part with rows stays, empty if need be."""
    emptied = [found.part for found in rows if found.leaving.all()]
    kept = emptied[:1] if len(emptied) == len(table.parts) else []
    return [found.staged(table, writer, keep=found.part in kept) for found in (*rows, *rejects)]


def _require_text(ids: Sequence[str]) -> None:
    try:
        "".join(ids).encode()
    except UnicodeEncodeError:
        raise UsageError(
            "An id is not UTF-8; ids of tables are.", fix="Copy it from the table's `id` column."
        ) from None


def _require_inputs(ids: Sequence[str], table: EmbeddingTable) -> None:
    """Raise UsageError for the id of a chunk, of which no later run knows before it makes it."""
    if not is_chunked(table.schema):
        return
    chunks = set(table.ids).intersection(ids)
    if chunks:
        chunk = min(chunks)
        raise UsageError(
            f"--keep-out takes ids of inputs, and {chunk!r} is a chunk of one.",
            fix=f"Keep out the input, {chunk.rpartition('::')[0]!r}, or leave --keep-out out.",
        )


def _require_held(root: Path, missing: set[str]) -> None:
    """Raise TableError listing the ids of which the table has nothing."""
    if missing:
        listed = ", ".join(repr(id) for id in sorted(missing)[:_SHOWN])
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        raise TableError(
            f"{root} has neither row nor reject of {listed}{more}. Nothing was changed.",
            fix="Check the ids. With --keep-out they may be missing: no later run adds them then.",
        )
