"""The steps of a run, each of which becomes one commit: chunks of new inputs, rewritten parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from featurize.pipeline.chunk import ChunkResult, run_chunk
from featurize.pipeline.claims import Held
from featurize.pipeline.extraction import Extraction
from featurize.pipeline.sentinel import Sentinel
from featurize.pipeline.stages import Stage
from featurize.pipeline.workers import Workers, beat
from featurize.sources import COLUMN_PREFIX, Listing
from featurize.table import EmbeddingTable
from featurize.table.layout import PARENT, is_chunked, reject_schema
from featurize.table.part import Part
from featurize.table.writer import Replacement, StagedPart, TableWriter

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tools:
    """What steps work with: the inputs, the encoder and its threads, the table to be."""

    listing: Listing
    extraction: Extraction
    writer: TableWriter
    workers: Workers
    sentinel: Sentinel | None = None

    def run_chunk(self, places: NDArray[np.int64], held: Held) -> ChunkResult:
        """Make rows of listed inputs; raise RuntimeFault for a runtime that has changed."""
        result = run_chunk(self.listing.take(places), self.extraction, held, self.workers)
        if self.sentinel is not None:
            self.sentinel.check()
        return result

    def stage_part(self, rows: pa.Table) -> StagedPart:
        """Write rows or rejects to a part that no commit names yet."""
        with self.extraction.clock.busy(Stage.WRITE):
            return self.writer.stage(rows)

    def stage_rows(self, rows: pa.Table) -> StagedPart:
        """Write rows to a part whose vectors other chunks may take from now on."""
        staged = self.stage_part(rows)
        place = staged.path.relative_to(self.writer.root)
        digests = rows.column("content_sha256").to_pylist()
        self.extraction.donors.add(replace(staged.part, file=str(place)), digests)
        return staged


@dataclass(frozen=True, slots=True)
class Staged:
    """What a step made: files that no commit names yet, and what they hold."""

    data: Sequence[StagedPart] = ()
    rejects: Sequence[StagedPart] = ()
    replaced: Sequence[Replacement] = ()
    embedded: int = 0
    updated: int = 0
    truncated: int = 0
    encoded: int = 0


class Step(Protocol):
    """One commit in the making."""

    def stage(self, tools: Tools) -> Staged:
        """Do the work, from any thread."""


@dataclass(frozen=True, slots=True)
class DropRejects:
    """Rewrite parts of rejects without those that no longer hold."""

    table: EmbeddingTable
    stale: dict[int, list[int]]

    def stage(self, tools: Tools) -> Staged:
        """Stage the parts that remain."""
        replaced = []
        for number, rows in sorted(self.stale.items()):
            part = self.table.reject_parts[number]
            beat(f"rewriting {part.file}")
            kept = _without(_read(self.table, part, reject_schema()), rows)
            new = tools.stage_part(kept) if kept.num_rows else None
            replaced.append(Replacement(part, new))
        return Staged(replaced=replaced)


@dataclass(frozen=True, slots=True)
class EmbedChunk:
    """Embed inputs that have no row yet. The first of a new table makes a part in any case."""

    places: NDArray[np.int64]
    first: bool

    def stage(self, tools: Tools) -> Staged:
        """Run the chunk and stage its rows and rejects."""
        with tools.extraction.claims.held() as held:
            result = tools.run_chunk(self.places, held)
            data = [tools.stage_rows(result.rows)] if result.rows.num_rows or self.first else []
        return Staged(
            data=data,
            rejects=_staged_rejects(result, tools),
            embedded=result.rows.num_rows,
            truncated=result.truncated,
            encoded=result.encoded,
        )


@dataclass(frozen=True, slots=True)
class RewriteParts:
    """Rewrite parts whose rows changed, moved to another schema or leave.

    For each part: the rows that leave, the listed inputs whose content changed, and those of which
    only other columns did. `keep` says that the first part stays even if it is empty.
    """

    table: EmbeddingTable
    parts: Sequence[PartEdit]
    keep: bool

    def stage(self, tools: Tools) -> Staged:
        """Stage the successors of the parts."""
        done = [
            self._rewrite(edit, tools, keep=self.keep and number == 0)
            for number, edit in enumerate(self.parts)
        ]
        return Staged(
            rejects=[part for item in done for part in item.rejects],
            replaced=[part for item in done for part in item.replaced],
            embedded=sum(item.embedded for item in done),
            updated=sum(item.updated for item in done),
            truncated=sum(item.truncated for item in done),
            encoded=sum(item.encoded for item in done),
        )

    def _rewrite(self, edit: PartEdit, tools: Tools, *, keep: bool) -> Staged:
        import pyarrow as pa

        part = self.table.parts[edit.number]
        beat(f"rewriting {part.file}")
        old = _read(self.table, part, self.table.schema)
        listed = tools.listing.take(edit.updated)
        updated = _with_new_columns(old, listed, tools.extraction.schema)
        changing = _rows_of(old, tools.listing.take(edit.changed))
        kept = _without(old, [*edit.gone, *changing, *_rows_of(old, listed)])
        pieces = [updated, kept.cast(tools.extraction.schema)] if kept.num_rows else [updated]
        with tools.extraction.claims.held() as held:
            changed = tools.run_chunk(edit.changed, held)
            rows = _sorted(pa.concat_tables([changed.rows, *pieces]))
            new = tools.stage_rows(rows) if rows.num_rows or keep else None
        return Staged(
            rejects=_staged_rejects(changed, tools),
            replaced=[Replacement(part, new)],
            embedded=changed.rows.num_rows,
            updated=updated.num_rows,
            truncated=changed.truncated,
            encoded=changed.encoded,
        )


@dataclass(frozen=True, slots=True)
class PartEdit:
    """What happens to one part: rows that leave, listed inputs of changed content and columns."""

    number: int
    gone: Sequence[int]
    changed: NDArray[np.int64]
    updated: NDArray[np.int64]

    @property
    def is_idle(self) -> bool:
        """Say whether the part stays as it is."""
        return not (len(self.gone) or len(self.changed) or len(self.updated))


def _staged_rejects(result: ChunkResult, tools: Tools) -> list[StagedPart]:
    return [tools.stage_part(result.rejects)] if result.rejects.num_rows else []


def _read(table: EmbeddingTable, part: Part, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_batches(table.read(part), schema).combine_chunks()


def _key(table: pa.Table) -> str:
    """Return the column with the ids of the inputs whose rows these are."""
    return PARENT if is_chunked(table.schema) else "id"


def _rows_of(table: pa.Table, listed: pa.Table) -> list[int]:
    """Return the rows of listed inputs."""
    wanted = set(listed.column("id").to_pylist())
    keys = table.column(_key(table)).to_pylist()
    return [row for row, key in enumerate(keys) if key in wanted]


def _without(table: pa.Table, rows: Iterable[int]) -> pa.Table:
    keep = np.ones(table.num_rows, bool)
    keep[list(rows)] = False
    return table.filter(keep)


def _sorted(table: pa.Table) -> pa.Table:
    import pyarrow.compute as pc

    keys = [("id", "ascending")]
    if is_chunked(table.schema):
        keys = [(PARENT, "ascending"), ("char_start", "ascending")]
    return table.take(pc.sort_indices(table, sort_keys=keys)).combine_chunks()


def _with_new_columns(old: pa.Table, listed: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the old rows of listed inputs, with what the source says of them now."""
    import pyarrow as pa
    import pyarrow.compute as pc

    before = old.take(pa.array(_rows_of(old, listed), pa.int64()))
    listed = listed.take(pc.index_in(before.column(_key(before)), listed.column("id")))
    columns = []
    for entry in schema:
        if entry.name in {"source", "label"}:
            columns.append(listed.column(entry.name))
        elif COLUMN_PREFIX + entry.name in listed.column_names:
            columns.append(listed.column(COLUMN_PREFIX + entry.name))
        else:
            columns.append(before.column(entry.name))
    return pa.Table.from_arrays(columns, schema=schema)
