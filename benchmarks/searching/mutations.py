"""Damaged files of saved indexes: each must be refused, and none may end the process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from comparison.contestant import ROOT
from comparison.tables import table

from downstream import VectorIndex
from searching.options import Options
from searching.tables import add_rows, remove_rows, write_rows
from searching.updates import Stream

TITLE = "Search: damaged files"
KINDS = ("flat", "ivf", "hnsw")
WAYS = ("a bit flipped", "cut off", "bytes added", "blocks swapped")
ALL, QUICK, BATCH = 10_000, 300, 100
_ROWS, _DIM = 600, 12


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is done to which file of which index; `resealed`: the card then states its hash."""

    folder: Path
    file: str
    way: str
    seed: int
    resealed: bool = False

    def words(self) -> list[str | int | bool]:
        """Return it as JSON can hold it."""
        return [str(self.folder), self.file, self.way, self.seed, self.resealed]


def lines(options: Options) -> Iterator[str]:
    """Yield the section."""
    folders = saved_indexes(options.folder)
    count = QUICK if options.quick else ALL
    plain = tried(mutations(folders, count), options.folder)
    sealed = tried(mutations(folders, count // 5, resealed=True), options.folder)
    files = sum(len(_files(folder)) for folder in folders)
    yield (
        f"{files} files of {len(folders)} saved indexes ({', '.join(KINDS)}; each as built, and "
        f"after an update), {', '.join(WAYS)}; `VectorIndex.open` in processes of {BATCH} files "
        "each, so that a crash would be seen."
    )
    yield ""
    head = ["", "files", "refused", "loaded", "crashes", "errors of libraries"]
    rows = [_row("damaged", plain), _row("damaged, and the card states its new hash", sealed)]
    yield from table(head, rows)
    yield ""
    is_met = set(plain) == {"refused"} and not sealed["crash"]
    yield f"No crash, no damaged file loaded: {'reached' if is_met else '**missed**'}."
    yield ""
    yield (
        "The second line is what only a forger does: hashes protect from damage, not from one who "
        "writes them anew, so that other vectors or columns may load; what was loaded was also "
        "searched."
    )


def saved_indexes(folder: Path) -> list[Path]:
    """Save an index of each kind, as built and after an update that removed rows."""
    stream, saved = Stream(_DIM), []
    ids = [f"row-{number:05}" for number in range(_ROWS)]
    for kind in KINDS:
        path = folder / f"table-{kind}"
        write_rows(path, ids, stream.draw(_ROWS))
        index = VectorIndex.build(path, kind, 0.9)
        saved.append(folder / kind)
        index.save(saved[-1])
        add_rows(path, ["row-new"], stream.draw(1))
        remove_rows(path, ids[7:30])
        index.update()
        saved.append(folder / f"{kind}-updated")
        index.save(saved[-1])
    return saved


def mutations(folders: Sequence[Path], count: int, *, resealed: bool = False) -> list[Mutation]:
    """Return so many mutations, in turn over all files and ways; those resealed leave the card."""
    files = [(folder, name) for folder in folders for name in _files(folder)]
    files = [each for each in files if not (resealed and each[1] == "index.json")]
    return [
        Mutation(
            *files[number % len(files)], WAYS[number // len(files) % len(WAYS)], number, resealed
        )
        for number in range(count)
    ]


def tried(asked: Sequence[Mutation], scratch: Path) -> Counter[str]:
    """Open each mutated index in processes of their own; count what came of it."""
    outcomes: Counter[str] = Counter()
    waiting = [list(asked[start : start + BATCH]) for start in range(0, len(asked), BATCH)]
    while waiting:
        batch = waiting.pop()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.searching.opening", str(scratch)],
            input=json.dumps([mutation.words() for mutation in batch]),
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        told = done.stdout.split("\n")[:-1]
        outcomes.update(told)
        if len(told) < len(batch):
            outcomes["crash"] += 1
            waiting.append(batch[len(told) + 1 :])
            print(f"crash, {done.returncode}: {batch[len(told)]}", file=sys.stderr)
    return outcomes


def mutated(data: bytes, way: str, seed: int) -> bytes:
    """Return the bytes of a file, damaged; never the same as before."""
    chance = np.random.default_rng(seed)
    place = int(chance.integers(len(data)))
    if way == "cut off":
        return data[:place]
    if way == "bytes added":
        return data + chance.bytes(1 + place % 4096)
    if way == "blocks swapped":
        start, middle, end = sorted(int(cut) for cut in chance.integers(len(data) + 1, size=3))
        damaged = data[:start] + data[middle:end] + data[start:middle] + data[end:]
        if damaged != data:
            return damaged
    flipped = bytearray(data)
    flipped[place] ^= 1 << int(chance.integers(8))
    return bytes(flipped)


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _row(name: str, outcomes: Counter[str]) -> list[str]:
    others = {name: n for name, n in outcomes.items() if name not in ("refused", "loaded", "crash")}
    named = f" ({', '.join(sorted(others))})" * bool(others)
    counts = [f"{outcomes[outcome]:,}" for outcome in ("refused", "loaded", "crash")]
    return [name, f"{outcomes.total():,}", *counts, f"{sum(others.values()):,}{named}"]
