"""Merging the inputs of a source with the rows and rejects of a table, in the order of ids."""

from __future__ import annotations

import math
from collections import defaultdict
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.pipeline.diff import Comparison, Diff, Status
from featurize.pipeline.outcomes import Outcome, outcomes_of
from featurize.pipeline.state import BLOCK, COUNT, PART, ROW, Cursor
from featurize.sources import COLUMN_PREFIX, Listing, Record
from featurize.types import RejectReason

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


def compare(
    listing: Listing,
    rows: Listing | None,
    rejects: Listing | None,
    comparison: Comparison,
    workers: Executor,
) -> Diff:
    """Compare all listed inputs with the rows and rejects of a table, by the hash of contents."""
    diff = Diff.everything(len(listing))
    row_cursor, reject_cursor = Cursor(rows), Cursor(rejects)
    place = 0
    while place < len(listing):
        block = listing.block(place, BLOCK)
        listed = listing.slice(block.start, block.stop)
        last = listed.column("id")[-1].as_py()
        old_rows, old_rejects = row_cursor.up_to(last), reject_cursor.up_to(last)
        _Merge(diff, comparison, old_rows, old_rejects).take(
            block, listed, listing.sizes[block.start : block.stop], workers
        )
        place = block.stop
    _Merge(diff, comparison, row_cursor.up_to(None), reject_cursor.up_to(None)).let_go(set())
    return diff


@dataclass(frozen=True, slots=True)
class _OldReject:
    """A reject of the table: where it lies, and what it says."""

    part: int
    row: int
    source: str
    reason: str
    detail: str
    digest: str | None


class _Merge:
    """One block of listed inputs beside the table's rows and rejects of the same span of ids."""

    def __init__(
        self, diff: Diff, by: Comparison, rows: pa.Table | None, old: pa.Table | None
    ) -> None:
        self._diff = diff
        self._by = by
        self._rows = rows
        self._row_of = {} if rows is None else _numbered(rows.column("id").to_pylist())
        self._digests = _values(rows, COLUMN_PREFIX + "content_sha256")
        self._parts = _values(rows, PART)
        self._old: defaultdict[str, list[_OldReject]] = defaultdict(list)
        if old is not None:
            names = ("source", "reason", "detail", "content_sha256")
            columns = [PART, ROW, *(COLUMN_PREFIX + name for name in names)]
            facts = zip(*(old.column(name).to_pylist() for name in columns), strict=True)
            for key, fact in zip(old.column("id").to_pylist(), facts, strict=True):
                self._old[key].append(_OldReject(*fact))

    def take(
        self, block: range, listed: pa.Table, sizes: NDArray[np.int64], workers: Executor
    ) -> None:
        """Decide about the listed inputs of the block; then let go what none accounts for."""
        same: list[tuple[int, int]] = []
        keys = listed.column("id").to_pylist()
        outcomes = outcomes_of(listed, sizes, self._by.source, self._trusted, workers)
        for offset, outcome in enumerate(outcomes):
            place, key = block.start + offset, keys[offset]
            self._diff.unread += not outcome.read
            if self._rejected_before(key, outcome):
                self._diff.status[place] = Status.KEEP
            elif outcome.digest is None:
                self._diff.refused += 1
            elif key in self._row_of:
                row = self._row_of.pop(key)
                self._diff.part[place] = self._parts[row]
                self._diff.status[place] = Status.CHANGED
                if self._digests[row] == outcome.digest:
                    self._diff.status[place] = Status.KEEP
                    same.append((offset, row))
        for offset in self._differing(listed, same):
            self._diff.status[block.start + offset] = Status.UPDATED
        self.let_go(set(keys))

    def let_go(self, present: set[str]) -> None:
        """Let rows and rejects leave that no listed input accounts for."""
        firsts, counts = (_values(self._rows, name) for name in (ROW, COUNT))
        for key, row in self._row_of.items():
            if key in present or self._by.delete:
                rows = range(firsts[row], firsts[row] + counts[row])
                self._diff.gone[self._parts[row]].extend(rows)
                self._diff.left += 1
                self._diff.deleted += 0 if key in present else len(rows)
        for key, rejects in self._old.items():
            if key in present or self._by.delete:
                for reject in rejects:
                    self._diff.stale[reject.part].append(reject.row)

    def _trusted(self, record: Record) -> Outcome | None:
        """Return what the table holds of an input, where that cannot have changed."""
        known = self._known(record) if self._by.trusted_before > -math.inf else None
        if known is None:
            return None
        changed = self._by.source.changed_at(record)
        return known if changed is not None and changed < self._by.trusted_before else None

    def _known(self, record: Record) -> Outcome | None:
        """Return what the table holds of an input; nothing of one that could not be read."""
        if record.id in self._row_of:
            return Outcome(record.source, self._digests[self._row_of[record.id]], read=False)
        for reject in self._old.get(record.id, ()) if not self._by.retry else ():
            if reject.digest is not None:
                return Outcome(record.source, reject.digest, read=False)
            if reject.reason != RejectReason.UNREADABLE:
                return Outcome(record.source, None, reject.reason, reject.detail, read=False)
        return None

    def _rejected_before(self, key: str, outcome: Outcome) -> bool:
        """Say whether the table has the reject this input would become, and account for it."""
        for reject in self._old.get(key, ()):
            known = (reject.source, reject.reason, reject.detail, reject.digest)
            by_content = outcome.digest is not None and reject.digest == outcome.digest
            if known == outcome.as_reject or (by_content and not self._by.retry):
                self._old[key].remove(reject)
                return True
        return False

    def _differing(self, listed: pa.Table, same: list[tuple[int, int]]) -> list[int]:
        """Return which of the inputs with equal content have other columns than their rows."""
        import pyarrow as pa

        if self._rows is None or not same:
            return []
        offsets, rows = (pa.array(side, pa.int64()) for side in zip(*same, strict=True))
        differs = np.zeros(len(same), bool)
        for name in self._by.carried:
            mine = name if name in {"source", "label"} else COLUMN_PREFIX + name
            theirs = self._rows.column(COLUMN_PREFIX + name).take(rows)
            differs |= ~_equal(listed.column(mine).take(offsets), theirs)
        return [offset for (offset, _), other in zip(same, differs, strict=True) if other]


def _numbered(keys: list[str]) -> dict[str, int]:
    return {key: number for number, key in enumerate(keys)}


def _values(table: pa.Table | None, name: str) -> list[Any]:
    return [] if table is None else table.column(name).to_pylist()


def _equal(left: pa.ChunkedArray, right: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Compare two columns value by value; nulls are equal, and so are NaNs."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if left.type != right.type:
        return np.zeros(len(left), bool)
    try:
        equal = pc.equal(left, right).fill_null(False)
        both = pc.and_(left.is_null(nan_is_null=True), right.is_null(nan_is_null=True))
        return np.asarray(pc.or_(equal, both).to_numpy())
    except (pa.ArrowNotImplementedError, TypeError):
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        return np.array([repr(mine) == repr(theirs) for mine, theirs in pairs], bool)
