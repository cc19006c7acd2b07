"""Every checksum and every invariant of a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize.errors import FileError, TableError
from featurize.table.damage import MEND, uncommitted
from featurize.table.layout import PARENT, Layout, is_chunked, reject_schema
from featurize.table.leftovers import unnamed
from featurize.table.log import CommitLog
from featurize.table.part import Part, checked_content, read_part
from featurize.table.reader import BATCH, EmbeddingTable, vectors_of
from featurize.table.snapshot import Snapshot
from featurize.types import Problem, RejectReason, Verdict
from featurize.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa

NORM_TOLERANCE = 1e-3


def verify_table(root: Path) -> list[Problem]:
    """Check log chain, checksums, schema, row counts, ids, finiteness and norms.

    Returns what is wrong, nothing for a sound table.
    """
    log = CommitLog(Layout.of(root).log)
    try:
        while True:
            snapshot = log.snapshot()
            problems = _problems(root, snapshot)
            if not problems or log.snapshot().tip == snapshot.tip:
                return problems  # else its files went because a newer version has others
    except TableError as error:
        return [Problem("_log", error.message.removesuffix("."), error.fix)]


def _problems(root: Path, snapshot: Snapshot) -> list[Problem]:
    if snapshot.version == 0:
        error = uncommitted(root)
        return [Problem("_log", error.message.removesuffix("."), error.fix, Verdict.UNCOMMITTED)]
    problems = [*_files(root, snapshot), *_strangers(root, snapshot)]
    return problems or list(_content(root, snapshot))


def _files(root: Path, snapshot: Snapshot) -> Iterator[Problem]:
    for part in snapshot.parts.values():
        try:
            checked_content(root, part)
        except (TableError, FileError) as error:
            detail = error.message.removeprefix(f"{root / part.file}: ").removesuffix(".")
            unread = isinstance(error, FileError)
            verdict = Verdict.UNREADABLE if unread else Verdict.BROKEN
            yield Problem(part.file, detail, error.fix, verdict)


def _strangers(root: Path, snapshot: Snapshot) -> Iterator[Problem]:
    fix = (
        f"A run that was stopped left such a file, or somebody put it there: `featurize gc {root}` "
        "removes what no commit names."
    )
    for name in unnamed(root, snapshot):
        yield Problem(name, "no commit names this file", fix)


def _content(root: Path, snapshot: Snapshot) -> Iterator[Problem]:
    try:
        table = EmbeddingTable.open(root)
        seen: set[str] = set()
        parents: set[str] = set()
        for part in table.parts:
            yield from _part(table, part, seen)
            if is_chunked(table.schema):
                yield from _chunks(table, part, parents)
        for part in snapshot.rejects():
            yield from _reject_part(root, part)
    except TableError as error:
        yield Problem(str(root), error.message, error.fix)
        return
    rejected = sum(part.rows for part in snapshot.rejects())
    if snapshot.counts["inputs"] != table.inputs + rejected:
        held = "input with rows" if is_chunked(table.schema) else "row"
        found = f"{counted(table.inputs, held)} and {counted(rejected, 'reject')}"
        inputs = counted(snapshot.counts["inputs"], "input")
        yield Problem("_log", f"{inputs} expected, {found} found", MEND)


def _part(table: EmbeddingTable, part: Part, seen: set[str]) -> Iterator[Problem]:
    rows = 0
    for batch in read_part(table.path, part, None, BATCH):
        rows += batch.num_rows
        if not batch.schema.equals(table.schema, check_metadata=True):
            yield Problem(part.file, "its schema differs from the first part's")
            return
        yield from _batch(table, part, batch, seen)
    if rows != part.rows:
        yield Problem(part.file, f"{counted(part.rows, 'row')} expected, {rows:,} found")


def _batch(
    table: EmbeddingTable, part: Part, batch: pa.RecordBatch, seen: set[str]
) -> Iterator[Problem]:
    ids = batch.column("id").to_pylist()
    if len(set(ids)) < len(ids) or not seen.isdisjoint(ids):
        yield Problem(part.file, "an id occurs twice")
    seen.update(ids)
    norms = np.linalg.norm(vectors_of(batch).astype(np.float64), axis=1)
    if not np.isfinite(norms).all():
        yield Problem(part.file, "a vector is not finite")
    elif (norms == 0).any():
        yield Problem(part.file, "a vector is all zeros")
    elif table.card.space.normalize and np.abs(norms - 1).max(initial=0) > NORM_TOLERANCE:
        yield Problem(part.file, "a vector has not unit length, which its encoder promises")


def _chunks(table: EmbeddingTable, part: Part, seen: set[str]) -> Iterator[Problem]:
    """Check that the chunks of an input are named after it and stand together, in one part."""
    held: list[str] = []
    for batch in read_part(table.path, part, ["id", PARENT], BATCH):
        for id, parent in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if parent is None or not re.fullmatch(r"::\d{4,}", id.removeprefix(parent)):
                yield Problem(part.file, f"chunk {id!r} is not named after its input {parent!r}")
                return
            if not held or held[-1] != parent:
                held.append(parent)
    if len(set(held)) < len(held) or not seen.isdisjoint(held):
        yield Problem(part.file, "the chunks of an input do not stand together")
    elif len(held) != part.inputs:
        expected = counted(part.inputs, "input")
        yield Problem(part.file, f"chunks of {expected} expected, of {len(held):,} found")
    seen.update(held)


def _reject_part(root: Path, part: Part) -> Iterator[Problem]:
    rows = 0
    known = set(RejectReason)
    for batch in read_part(root, part, None, BATCH):
        rows += batch.num_rows
        if batch.schema.names != reject_schema().names:
            yield Problem(part.file, "its columns are not those of rejects")
            return
        for reason in batch.column("reason").unique().to_pylist():
            if reason not in known:
                yield Problem(part.file, f"unknown reason {reason!r}")
    if rows != part.rows:
        yield Problem(part.file, f"{counted(part.rows, 'reject')} expected, {rows:,} found")
