"""Kill `featurize index` at random moments: the old or the new index must always be there."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from comparison.tables import table

from downstream import VectorIndex
from downstream.index import verify_index
from featurize.errors import FeaturizeError
from searching.options import Options
from searching.tables import add_rows, remove_rows, write_rows
from searching.updates import Stream

if TYPE_CHECKING:
    from tests.torture.kills import Way

TITLE = "Search: kills"
KINDS = ("flat", "ivf", "hnsw")
ALL, QUICK = 1000, 27
ONE_IN_PLAIN = 20  # kills of the plain command, imports and all, among those of prepared forks
ROWS, _DIM = 3000, 16
_RECALL = "0.9"


@dataclass(frozen=True, slots=True)
class Scene:
    """A command that makes an index of a table which has changed; `old`, if any, is replaced."""

    name: str
    words: list[str]
    out: Path
    old: Path | None

    def reset(self) -> None:
        """Bring the folder to where runs start."""
        for path in (self.out, *self.leftovers()):
            shutil.rmtree(path, ignore_errors=True)
        if self.old is not None:
            shutil.copytree(self.old, self.out)

    def leftovers(self) -> list[Path]:
        """Return the folders under temporary names beside the index."""
        return list(self.out.parent.glob(f".{self.out.name}.*"))


@dataclass(slots=True)
class Figures:
    """What was found after all kills; `hit` says what a kill hit, `wrong` what must not be."""

    scenes: Counter[str] = field(default_factory=Counter)
    hit: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)

    @property
    def kills(self) -> int:
        """Return how many processes were killed."""
        return self.hit.total()


def lines(options: Options) -> Iterator[str]:
    """Yield the section."""
    figures = tortured(options.folder, QUICK if options.quick else ALL)
    yield (
        f"SIGKILL at random moments of `featurize index TABLE --out INDEX`, a table of "
        f"{ROWS:,} rows of {_DIM} numbers, kinds {', '.join(KINDS)}; half of the kills at any "
        f"moment, half from the first written file on. One in {ONE_IN_PLAIN} is of the whole "
        "command, the others of forks of a process that has imported everything."
    )
    yield ""
    moments = ["before anything was written", "while saving", "after the new one was there"]
    rows = [
        [name, f"{count:,}", *(f"{figures.hit[name, moment]:,}" for moment in moments)]
        for name, count in figures.scenes.items()
    ]
    yield from table(["", "kills", *moments], rows)
    yield ""
    wrong = +figures.wrong
    named = ", ".join(f"{count:,} {name}" for name, count in wrong.items())
    yield (
        f"After each of {figures.kills:,} kills the old or the new index was opened, verified and "
        f"asked, and a run to the end made the new one: **{named}**."
        if wrong
        else f"After each of {figures.kills:,} kills the old or the new index (where there was "
        "none, none or the new one) opened, verified and answered, and the last run made the new "
        "one: reached."
    )
    yield ""
    yield (
        f"{figures.left['kills']:,} of the kills left a folder under a temporary name beside the "
        f"index; of {figures.left['before a run to the end']:,} such folders a later run to the "
        f"end left {figures.left['after it']:,} where they were."
    )


def tortured(folder: Path, kills: int, kinds: Sequence[str] = KINDS, rows: int = ROWS) -> Figures:
    """Kill runs of all scenes in turn, in all so many times."""
    from tests.torture.kills import Forks, Way, plain

    chance, figures, scenes = random.Random(0), Figures(), list(_scenes(folder, kinds, rows))
    with Forks() as forks:
        ways = [Way("fork", forks.run, 0.05), Way("plain", plain, 0.3)]
        turns = [(scene, Torture(scene, ways[0], figures)) for scene in scenes]
        real = Torture(scenes[-1], ways[1], figures)
        number = 0
        while figures.kills < kills:
            is_plain = number % ONE_IN_PLAIN == ONE_IN_PLAIN - 1
            one = real if is_plain else turns[number % len(turns)][1]
            one.go(min(chance.randint(1, 5), kills - figures.kills), chance)
            number += 1
    return figures


class Torture:
    """Kills runs of one scene."""

    def __init__(self, scene: Scene, way: Way, figures: Figures) -> None:
        self._scene, self._way, self._figures = scene, way, figures
        scene.reset()
        self._before = _state(scene.out)
        began = time.time()
        whole = way.run(scene.words, None)
        assert whole.code == 0, whole
        self._seconds = whole.seconds
        files = [path.stat().st_mtime for path in scene.out.iterdir()]
        self._saving = max(0.0, min(files) - began)
        self._after = _state(scene.out)
        assert self._after not in (None, self._before)

    def go(self, kills: int, chance: random.Random) -> None:
        """Kill runs from one state up to so many times, then run to the end."""
        scene, figures = self._scene, self._figures
        scene.reset()
        for _ in range(kills):
            starts = (self._way.start * self._seconds, 0.97 * self._saving)
            delay = chance.uniform(chance.choice(starts), self._seconds)
            before = len(scene.leftovers())
            if not self._way.run(scene.words, delay).killed:
                break
            is_left = len(scene.leftovers()) > before
            self._look(is_left)
        left = len(scene.leftovers())
        code = self._way.run(scene.words, None).code
        figures.wrong["runs to the end that failed"] += code != 0
        figures.wrong["runs to the end that made no new index"] += _state(scene.out) != self._after
        figures.left["before a run to the end"] += left
        figures.left["after it"] += len(scene.leftovers())

    def _look(self, is_left: bool) -> None:
        """Open, verify and ask what a kill left."""
        figures, state = self._figures, _state(self._scene.out)
        is_new = state == self._after
        moment = "after the new one was there" if is_new else "before anything was written"
        figures.hit[self._scene.name, "while saving" if is_left and not is_new else moment] += 1
        figures.scenes[self._scene.name] += 1
        figures.left["kills"] += is_left
        figures.wrong["neither old nor new"] += state not in (self._before, self._after)
        if state is not None:
            figures.wrong["unsound"] += not _answers(self._scene.out)


def _state(index: Path) -> tuple[int, int, int] | None:
    """Return what tells an old index from a new one; None where there is none."""
    if not index.exists():
        return None
    try:
        facts = VectorIndex.open(index).facts
    except FeaturizeError:
        return (-1, -1, -1)
    return facts["origin"]["version"], facts["rows"], facts["removed"]


def _answers(index: Path) -> bool:
    """Say whether an index is sound and finds rows."""
    queries = np.random.default_rng(0).normal(size=(3, _DIM))
    hits = VectorIndex.open(index).search(queries, 10)
    return verify_index(index) == [] and all(len(found) == 10 for found in hits)


def _scenes(folder: Path, kinds: Sequence[str], rows: int) -> Iterator[Scene]:
    """Yield first builds, builds over an older index, and updates, of each kind."""
    stream, added = Stream(_DIM), rows // 10
    for kind in kinds:
        place = folder / kind
        place.mkdir()
        path, old = place / "table", place / "old"
        ids = [f"row-{number:05}" for number in range(rows)]
        write_rows(path, ids, stream.draw(rows))
        VectorIndex.build(path, kind, float(_RECALL)).save(old)
        add_rows(path, [f"new-{number:05}" for number in range(added)], stream.draw(added))
        remove_rows(path, ids[:added])
        words = ["index", str(path), "--quiet", "--out"]
        aims = ["--kind", kind, "--recall", _RECALL]
        first, again, later = (place / name / "index" for name in ("first", "again", "later"))
        yield Scene("first build", [*words, str(first), *aims], first, None)
        yield Scene("build over an older one", [*words, str(again), *aims], again, old)
        yield Scene("update", [*words, str(later), "--update"], later, old)
