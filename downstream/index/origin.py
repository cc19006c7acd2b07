"""Which table an index was made from, and how that table has changed since."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from downstream.index.rows import Rows
from featurize.bundle import EncoderCard
from featurize.errors import FileError, MismatchError, TableError
from featurize.storage import canonical_json, sha256_bytes
from featurize.table.layout import EMBEDDING, Layout
from featurize.table.log import CommitLog
from featurize.table.part import Part
from featurize.table.reader import EmbeddingTable
from featurize.types import Json

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

KEYS = ["id", "content_sha256"]
FAITHFUL = 0.999  # cosine to the original's from which on vectors may meet, however made


@dataclass(frozen=True, slots=True)
class Drift:
    """How a table differs from an index of it.

    `removed` are the places of the index's rows that the table has no more; `missing` are the
    table's rows, numbered in its order, that the index has not; a row with changed content is both.
    `changed` (m, 2) are pairs of places, in index and table, of rows whose other columns differ.
    """

    removed: NDArray[np.intp]
    missing: NDArray[np.intp]
    changed: NDArray[np.intp]

    def __bool__(self) -> bool:
        """Say whether they differ."""
        return bool(len(self.removed) or len(self.missing) or len(self.changed))

    @property
    def counts(self) -> dict[str, int]:
        """Return how many rows the index misses, and how many the table has removed."""
        return {"missing": len(self.missing), "removed": len(self.removed)}


_NOWHERE = np.empty(0, np.intp)
NO_DRIFT = Drift(_NOWHERE, _NOWHERE, np.empty((0, 2), np.intp))


def origin_of(table: EmbeddingTable) -> Json:
    """Return what an index states about its table: path, version, state, and how it was encoded."""
    return {
        "table": str(table.path.resolve()),
        "version": table.version,
        "table_id": table.table_id,
        "state": _state(table.parts),
        "incomplete": not table.complete,
        "bundle": table.origin.get("bundle"),
        "variant": table.origin.get("variant"),
    }


class Watch:
    """Looks at the table of an index, again only where something was committed to it."""

    def __init__(self, origin: Json, card: EncoderCard) -> None:
        self._origin = origin
        self._card = card
        self._log = Layout.of(Path(origin["table"])).log
        self._seen: int | None = None
        self._drift = NO_DRIFT
        self.unknown: str | None = None  # why nothing tells whether the table has moved on

    def drift(self, rows: Rows, live: NDArray[np.bool_] | None) -> Drift:
        """Return how the table differs from these rows, those that are `live` (n,).

        Where no table lies at its recorded path, or one that cannot be read, nothing is known, as
        `unknown` says then, and nothing differs. Raises MismatchError where another encoder has
        made the table anew.
        """
        now = self._last_change()
        if now is None and self._seen is None:
            self.unknown = f"No table lies at {self._origin['table']}."
        elif now != self._seen:
            self._drift = self._compared(rows, live)
            self._seen = now
        return self._drift

    def _last_change(self) -> int | None:
        with contextlib.suppress(OSError):
            return self._log.stat().st_mtime_ns
        return None

    def _compared(self, rows: Rows, live: NDArray[np.bool_] | None) -> Drift:
        while True:
            before, self.unknown = self._last_change(), None
            try:
                table = EmbeddingTable.open(self._origin["table"])
                require_same(self._origin, self._card, table)
                is_as_it_was = _state(table.parts) == self._origin["state"]
                return NO_DRIFT if is_as_it_was else compare(table, rows, live)
            except (OSError, TableError, FileError) as error:
                if self._last_change() == before:
                    self.unknown = str(error).partition("\n")[0]
                    return NO_DRIFT
                # else its files went because a newer version has others


def require_same(origin: Json, card: EncoderCard, table: EmbeddingTable) -> None:
    """Raise MismatchError, naming the field, for a table of another encoder than an index's."""
    try:
        card.require_same_space(table.card, here="the index", there=str(table.path))
    except MismatchError as error:
        is_its_own = str(table.path.resolve()) == origin["table"]
        fix = (
            f"The table was made anew by another encoder: make the index again with "
            f"`featurize index {table.path} --out INDEX`."
            if is_its_own
            else f"The index is of {origin['table']}: name that table, or another --out."
        )
        raise MismatchError(error.message, fix=fix) from None


def require_near(facts: Json, queries: EmbeddingTable) -> None:
    """Raise MismatchError unless the vectors of a table can ask an index with this card.

    Their encoder must be the same; where either were made at a cosine of under 0.999 to the
    original's, so must be runtime and precision.
    """
    card = EncoderCard.from_json(facts["encoder"])
    card.require_same_space(queries.card, here="the index", there=str(queries.path))
    ours, theirs = (origin.get("variant") or {} for origin in (facts["origin"], queries.origin))
    if min(float(made.get("cosine", 1.0)) for made in (ours, theirs)) >= FAITHFUL:
        return
    for name in ("precision", "runtime"):
        if ours.get(name) != theirs.get(name):
            raise MismatchError(
                f"Vectors of the index and {queries.path} must not meet: they differ in `{name}` "
                f"(the index: {ours.get(name)}, {queries.path}: {theirs.get(name)}), and not both "
                f"have a cosine of {FAITHFUL} to the original's.",
                fix=f"Embed the queries in {ours.get('precision')} too, or both in fp32.",
            )


def compare(table: EmbeddingTable, rows: Rows, live: NDArray[np.bool_] | None) -> Drift:
    """Return how a table differs from the rows of an index that are `live` (n,)."""
    import pyarrow.compute as pc

    theirs, ours = table.select(KEYS), rows.read(KEYS)
    here = np.arange(len(rows)) if live is None else np.flatnonzero(live)
    known = pc.index_in(_keys(theirs), value_set=_keys(ours.take(here)))
    at = np.asarray(known.fill_null(-1))
    pairs = np.stack([here[at[at >= 0]], np.flatnonzero(at >= 0)], axis=1)
    return Drift(
        np.setdiff1d(here, pairs[:, 0]), np.flatnonzero(at < 0), pairs[_differ(table, rows, pairs)]
    )


def outdated(card: Json) -> str | None:
    """Say how the table has moved on since an index was made; None where nothing tells so."""
    with contextlib.suppress(OSError, TableError, KeyError, TypeError):
        origin = card["origin"]
        root = Path(origin["table"])
        now = CommitLog(Layout.of(root).log).committed()
        if _state(now.data()) != origin["state"]:
            then = f"version {origin['version']} of {root}"
            return f"made from {then}, which is at version {now.version} and has other rows now"
    return None


def _state(parts: Sequence[Part]) -> str:
    """Return the identity of the rows; a version alone is shared by a table made anew."""
    return sha256_bytes(canonical_json(sorted(part.sha256 for part in parts)))


def _keys(rows: pa.Table) -> pa.ChunkedArray:
    """Return for each row what tells it from others: its id and the hash of its content."""
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(rows["content_sha256"], rows["id"], " ")


def _differ(table: EmbeddingTable, rows: Rows, pairs: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which pairs of rows, in index and table, differ in their other columns."""
    differ = np.zeros(len(pairs), bool)
    names = [name for name in table.schema.names if name not in (EMBEDDING, "text", *KEYS)]
    for name in names:
        if name not in rows.schema.names:
            return np.ones(len(pairs), bool)
        ours, theirs = rows.read([name])[name], table.select([name])[name]
        left, right = ours.take(pairs[:, 0]), theirs.take(pairs[:, 1])
        if left.type != right.type:
            return np.ones(len(pairs), bool)
        if not left.equals(right):
            differ |= ~_equal(left, right)
    return differ


def _equal(left: pa.ChunkedArray, right: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Return where two columns are equal; a null, and a NaN, is equal to another one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        same = pc.equal(left, right).fill_null(False)
    except pa.ArrowNotImplementedError:  # lists
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        return np.array([one == other for one, other in pairs], bool)
    empty = (pc.is_null(column, nan_is_null=True) for column in (left, right))
    return np.asarray(pc.or_(same, pc.and_(*empty)))
