"""An index follows its table: what it finds after each of many rounds of rows added and removed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from comparison.tables import table

from downstream import VectorIndex
from downstream.index import verify_index
from featurize.table import EmbeddingTable
from searching.exactly import recall, true_places
from searching.options import Options
from searching.tables import add_rows, remove_rows, write_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

TITLE = "Search: updates"
KINDS = ("ivf", "hnsw")
TARGET, BELOW = 0.95, 0.01
SHARE = 0.01  # of the rows, that each round adds and removes
_NEAR, _SPREAD, _CENTRES = 10, 0.5, 100


@dataclass(frozen=True, slots=True)
class Plan:
    """How large the table is, how often it changes, and how many queries are asked each time."""

    rows: int = 20_000
    dim: int = 64
    rounds: int = 100
    queries: int = 1000


@dataclass(slots=True)
class Figures:
    """What was found over all rounds; `foreign` and `removed` count hits that must not be."""

    recalls: list[float] = field(default_factory=list)
    between: list[float] = field(default_factory=list)
    foreign: int = 0
    removed: int = 0
    few: int = 0
    hits: int = 0
    rebuilt: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    anew: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """Name what must not be."""
        found = {
            "hits that are no rows": self.foreign,
            "hits that were removed": self.removed,
            "too few hits": self.few,
            "problems found by verify": len(self.problems),
            "recall too low": int(min(self.recalls) < TARGET - BELOW),
        }
        return [name for name, count in found.items() if count]


class Stream:
    """Draws rows around centres that wander, so that new rows are not like the first."""

    def __init__(self, dim: int, seed: int = 0) -> None:
        self.chance = np.random.default_rng(seed)
        self._centres = self.chance.normal(size=(_CENTRES, dim))

    def wander(self) -> None:
        """Move all centres a little; after a hundred times they are elsewhere."""
        step = self.chance.normal(size=self._centres.shape)
        self._centres = np.sqrt(1 - 0.02) * self._centres + np.sqrt(0.02) * step

    def draw(self, rows: int) -> NDArray[np.float32]:
        """Draw unit vectors, (rows, dim)."""
        near = self._centres[self.chance.integers(_CENTRES, size=rows)]
        vectors = near + _SPREAD * self.chance.normal(size=near.shape)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class Rounds:
    """A table that changes, and the index that follows it."""

    def __init__(self, kind: str, plan: Plan, folder: Path) -> None:
        self._kind, self._plan, self._folder = kind, plan, folder
        self._stream = Stream(plan.dim)
        self._path = folder / f"table-{kind}"
        self._vectors = self._stream.draw(plan.rows)
        self._ids = [f"row-{number:08}" for number in range(plan.rows)]
        self._twins = dict(zip(self._ids, self._stream.draw(plan.rows), strict=True))
        self._drawn = plan.rows
        write_rows(self._path, self._ids, self._vectors)
        self._gone: set[str] = set()
        self._index = VectorIndex.build(self._path, kind, TARGET)
        self.figures = Figures()

    def run(self) -> Figures:
        """Change, look, update, look again; at last save and verify."""
        for number in range(self._plan.rounds):
            self._change()
            self._ask(self.figures.between)
            began = time.perf_counter()
            done = self._index.update()
            self.figures.seconds.append(time.perf_counter() - began)
            if done["rebuilt"]:
                self.figures.rebuilt.append(done["rebuilt"])
            self._ask(self.figures.recalls)
            if number % 10 == 9 or number == self._plan.rounds - 1:
                self._compare_with_a_new_one()
        return self.figures

    def _change(self) -> None:
        """Add rows to the table and remove others, in two commits."""
        count, chance = int(self._plan.rows * SHARE), self._stream.chance
        self._stream.wander()
        ids = [f"row-{self._drawn + number:08}" for number in range(count)]
        vectors = self._stream.draw(count)
        self._twins |= zip(ids, self._stream.draw(count), strict=True)
        self._drawn += count
        leaving = {self._ids[place] for place in chance.choice(len(self._ids), count, False)}
        add_rows(self._path, ids, vectors)
        remove_rows(self._path, leaving)
        self._gone |= leaving
        opened = EmbeddingTable.open(self._path)
        self._ids, self._vectors = opened.ids.tolist(), opened.to_numpy()

    def _ask(self, recalls: list[float]) -> None:
        """Ask queries drawn as some of the rows were, when they were, which are none."""
        some = self._stream.chance.choice(len(self._ids), self._plan.queries, False)
        queries = np.stack([self._twins[self._ids[place]] for place in some])
        found = [[hit.id for hit in hits] for hits in self._index.search(queries, _NEAR)]
        truth = true_places(queries, self._vectors, _NEAR)
        known, figures = set(self._ids), self.figures
        hits = [key for line in found for key in line]
        figures.hits += len(hits)
        figures.foreign += sum(key not in known for key in hits)
        figures.removed += sum(key in self._gone for key in hits)
        figures.few += sum(len(line) < _NEAR for line in found)
        places = {key: place for place, key in enumerate(self._ids)}
        recalls.append(recall([[places.get(key, -1) for key in line] for line in found], truth))

    def _compare_with_a_new_one(self) -> None:
        """Time a new index; save the old one, verify it, and go on with what was saved."""
        began = time.perf_counter()
        VectorIndex.build(self._path, self._kind, TARGET)
        self.figures.anew.append(time.perf_counter() - began)
        saved = self._folder / f"index-{self._kind}"
        self._index.save(saved)
        self.figures.problems += [problem.detail for problem in verify_index(saved)]
        self._index = VectorIndex.open(saved)


def lines(options: Options) -> Iterator[str]:
    """Yield the section."""
    plan = Plan(2000, 32, 10, 200) if options.quick else Plan()
    yield (
        f"{plan.rows:,} rows of {plan.dim} numbers around {_CENTRES} centres that wander; "
        f"{plan.rounds} rounds, each adds and removes {SHARE:.0%} of the rows in two commits. "
        f"Built for a recall of {TARGET}; in each round {plan.queries:,} queries, drawn as the "
        "rows of the table were but no rows, are asked before `update()` and after it, against "
        "exact search over the table as it is. Every tenth round the index is saved, verified and "
        "opened again."
    )
    yield ""
    figures = {kind: Rounds(kind, plan, options.folder).run() for kind in KINDS}
    head = ["", "recall@10, least", "median", "before the update, least", "hits"]
    head += ["no rows", "removed", "rebuilt", "s a round", "s anew"]
    yield from table(head, [_row(kind, each) for kind, each in figures.items()])
    yield ""
    for kind, each in figures.items():
        said = f"**{', '.join(each.wrong)}**" if each.wrong else "reached"
        reasons = f" Rebuilt because {'; '.join(sorted(set(each.rebuilt)))}." * bool(each.rebuilt)
        yield (
            f"- {kind}: recall at least {TARGET - BELOW:.2f} after every round, each hit a row of "
            f"the table, none returned after its removal: {said}.{reasons}"
        )


def _row(kind: str, figures: Figures) -> list[str]:
    return [
        kind,
        f"{min(figures.recalls):.4f}",
        f"{median(figures.recalls):.4f}",
        f"{min(figures.between):.4f}",
        f"{figures.hits:,}",
        str(figures.foreign),
        str(figures.removed),
        str(len(figures.rebuilt)),
        f"{median(figures.seconds):.2f}",
        f"{median(figures.anew):.2f}",
    ]
