"""Which contents a table has vectors for, so that each is encoded once."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from featurize.pipeline.workers import beat
from featurize.table import EmbeddingTable
from featurize.table.layout import EMBEDDING
from featurize.table.part import Part, read_part
from featurize.table.reader import vectors_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_DIGEST = "content_sha256"
_KEY_DIGITS = 16  # 64 bits find a candidate; the whole digest then decides


class Donors:
    """The contents of parts, staged or committed: 12 bytes a row, sorted by their digest's head.

    Parts are read again for their vectors; a part that was replaced stays on disk until the run
    ends. Safe for several threads.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._parts: list[Part] = []
        self._index = (np.empty(0, np.uint64), np.empty(0, np.int32))
        self._lock = threading.RLock()

    @classmethod
    def of(cls, table: EmbeddingTable) -> Donors:
        """Take in the contents of a table."""
        donors = cls(table.path)
        for part in table.parts:
            batches = table.read(part, [_DIGEST])
            digests = [value for batch in batches for value in batch.column(0).to_pylist()]
            donors.add(part, digests)
        return donors

    def add(self, part: Part, digests: Sequence[str]) -> None:
        """Take in the contents of a part."""
        keys = np.sort(_keys(digests))
        with self._lock:
            known, numbers = self._index
            places = np.searchsorted(known, keys)
            self._index = (
                np.insert(known, places, keys),
                np.insert(numbers, places, len(self._parts)),
            )
            self._parts.append(part)

    def move(self, commit: Callable[[], Mapping[Path, Part]]) -> None:
        """Let staged parts get their places, by the path they had; none is read meanwhile."""
        with self._lock:
            placed = commit()
            self._parts = [placed.get(self._root / part.file, part) for part in self._parts]

    def vectors(self, digests: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors, (dim,) float32, of those contents that a part has."""
        found: dict[str, NDArray[np.float32]] = {}
        for number, wanted in self._candidates(digests).items():
            beat(f"reading {self._parts[number].file}")
            with self._lock:
                found |= self._vectors_of(self._parts[number], wanted)
        return found

    def _vectors_of(self, part: Part, wanted: set[str]) -> dict[str, NDArray[np.float32]]:
        found: dict[str, NDArray[np.float32]] = {}
        for batch in read_part(self._root, part, [_DIGEST, EMBEDDING], batch_size=8192):
            rows = batch.column(_DIGEST).to_pylist()
            hits = [row for row, digest in enumerate(rows) if digest in wanted]
            if hits:
                vectors = vectors_of(batch)
                found |= {rows[row]: vectors[row].copy() for row in hits}
        return found

    def _candidates(self, digests: Sequence[str]) -> dict[int, set[str]]:
        keys, numbers = self._index
        wanted: defaultdict[int, set[str]] = defaultdict(set)
        if not len(keys):
            return wanted
        places = np.searchsorted(keys, _keys(digests))
        for digest, key, place in zip(digests, _keys(digests), places.tolist(), strict=True):
            if place < len(keys) and keys[place] == key:
                wanted[int(numbers[place])].add(digest)
        return wanted


def _keys(digests: Sequence[str]) -> NDArray[np.uint64]:
    return np.array([int(digest[:_KEY_DIGITS], 16) for digest in digests], dtype=np.uint64)
