"""Measure all-pairs neighbours and duplicates: time, recall, and which planted copies are found.

Run as `python benchmarks/neighbors.py --data FOLDER`, where FOLDER holds banking77 (train.csv with
text and category); `--rows` for another number of generated vectors than 100,000, `--only` for one
part.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
from changes import EDITS
from heads_scale import DIM, as_rows
from results import write_section

import featurize
from downstream.neighbors import Duplicates, duplicates, neighbors
from featurize.table import EmbeddingTable
from featurize.table.writer import Change, write_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
ROWS = 100_000
COPIES = 0.01  # of all rows
K = 10
PER_CLUSTER = 100
BLUR, SPREAD = 0.2, 0.8  # lengths of what parts a copy from its original, a row from its centre
LEAST = 0.95
THRESHOLDS = (0.8, 0.9, 0.95, 0.98, 1.0)
WAYS = (("flat", 1.0), ("ivf", 0.95), ("hnsw", 0.95))


def main() -> None:
    """Measure generated vectors and real texts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--only", choices=("generated", "planted"))
    given = parser.parse_args()
    command = "python benchmarks/neighbors.py" + f" --rows {given.rows}" * (given.rows != ROWS)
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        if given.only != "planted":
            lines = list(of_generated(generated(runs / "table", given.rows), runs))
            write_section("Neighbours and duplicates of many rows", command, lines)
        if given.only != "generated":
            lines = list(planted(given.data / "banking77" / "train.csv", runs))
            write_section("Duplicates planted in banking77", command, lines)


def of_generated(table: EmbeddingTable, runs: Path) -> Iterator[str]:
    """Find neighbours and duplicates of generated vectors, exactly and through an index."""
    yield (
        f"{len(table):,} x {DIM} vectors in clusters of {PER_CLUSTER}, generated; {COPIES:.0%} of "
        f"them blurred copies of others. Seconds for the {K} nearest other rows of every row, "
        "reading and building included, and the share of the true ones in the file."
    )
    yield ""
    yield "| neighbours | recall asked | seconds | rows/s | measured by the index | in the file |"
    yield "|---|---:|---:|---:|---:|---:|"
    exact: NDArray[np.float32] | None = None
    for kind, recall in WAYS:
        out = runs / "neighbors.parquet"
        began = time.perf_counter()
        done = neighbors(table, out, K, kind=kind, recall=recall)
        seconds = time.perf_counter() - began
        scores = pq.read_table(out, columns=["score"])["score"].to_numpy().reshape(-1, K)
        exact = scores if exact is None else exact
        found = (scores >= exact[:, -1:] - 1e-6).mean()
        yield (
            f"| {done['kind']} | {recall} | {seconds:.1f} | {len(table) / seconds:,.0f} | "
            f"{done['recall']['reached']:.4f} | {found:.4f} |"
        )
    yield ""
    yield (
        f"Groups of rows linked by a cosine of {LEAST} or more; recall is the share of the exact "
        "groups' rows that are in a group."
    )
    yield ""
    yield "| duplicates | seconds | groups | rows | links that hold, stated | recall |"
    yield "|---|---:|---:|---:|---:|---:|"
    true: set[int] | None = None
    for kind in ("flat", "ivf"):
        began = time.perf_counter()
        groups = duplicates(table, LEAST, kind=kind)
        seconds = time.perf_counter() - began
        places = set(groups.places.tolist())
        true = places if true is None else true
        yield (
            f"| {kind} | {seconds:.1f} | {len(groups):,} | {len(places):,} | "
            f"{groups.made['recall']['reached']:.4f} | {len(places & true) / len(true):.4f} |"
        )


def generated(path: Path, rows: int) -> EmbeddingTable:
    """Write a table of clustered vectors, the last of them blurred copies of others."""
    rng = np.random.default_rng(0)
    originals = rows - round(COPIES * rows)
    centres = unit(rng.normal(size=(rows // PER_CLUSTER, DIM)))
    weights = np.arange(1, DIM + 1) ** -0.5  # few directions say most
    vectors = np.empty((rows, DIM), np.float32)
    for start in range(0, originals, 8192):
        count = min(start + 8192, originals) - start
        near = centres[rng.integers(len(centres), size=count)]
        vectors[start : start + count] = near + SPREAD * unit(
            weights * rng.normal(size=(count, DIM))
        )
    vectors[:originals] = unit(vectors[:originals])
    chosen = rng.choice(originals, rows - originals, replace=False)
    vectors[originals:] = vectors[chosen] + BLUR * unit(rng.normal(size=(len(chosen), DIM)))
    with write_table(path) as writer:
        writer.origin = {"source": "rows.csv", "bundle": "minilm", "variant": {}}
        parts = [
            writer.stage(as_rows(np.arange(start, min(start + 8192, rows)), unit(block)))
            for start in range(0, rows, 8192)
            if len(block := vectors[start : start + 8192])
        ]
        writer.commit(Change(parts, complete=True))
    return EmbeddingTable.open(path)


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return vectors (n, dim) at unit length."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def planted(source: Path, runs: Path) -> Iterator[str]:
    """Add changed copies of texts, and see which are found, beside what was there before."""
    with source.open(newline="", encoding="utf-8") as file:
        texts = [line["text"] for line in csv.DictReader(file)]
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(texts), round(COPIES * len(texts)), replace=False)
    ways = [*EDITS, lambda text, _rng: text]
    copies = [ways[at % len(ways)](texts[row], rng) for at, row in enumerate(chosen)]
    yield (
        f"{len(texts):,} texts, minilm, and copies of {len(chosen)} of them: a fifth each with a "
        "typo, in other letter case, with a word more, with other punctuation, and as they were. "
        "Recall is the share of copies in a group with their original; precision, of the copies in "
        "groups, the share beside none but rows that were grouped with the original before "
        "anything was planted. These data have near duplicates of their own: `before` counts the "
        "rows that repeat others without the copies."
    )
    yield ""
    yield (
        "| threshold | recall | typo | case | word | punctuation | equal | precision | before "
        "| after | largest group |"
    )
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    before = embedded(texts, runs / "before")
    after = embedded([*texts, *copies], runs / "after")
    for threshold in THRESHOLDS:
        yield row_of(*(duplicates(table, threshold) for table in (before, after)), chosen)


def embedded(texts: list[str], path: Path) -> EmbeddingTable:
    """Embed texts into a table, whose rows are in their order."""
    rows = path.with_suffix(".csv")
    with rows.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "text"), *((f"{n:06}", t) for n, t in enumerate(texts))])
    featurize.embed(rows, out=path, device="cpu")
    return featurize.open_table(path)


def row_of(before: Duplicates, after: Duplicates, chosen: NDArray[np.intp]) -> str:
    """Return the line of a threshold; the copies of the chosen rows are the last ones."""
    count = len(after.rows) - len(chosen)
    old, new = grouped(before), grouped(after)
    groups = [set(np.flatnonzero(new == new[count + at])) for at in range(len(chosen))]
    found = np.array([row in group for row, group in zip(chosen, groups, strict=True)])
    clean = [
        all(old[other] == old[row] for other in group if other < count)
        for row, group, is_grouped in zip(chosen, groups, new[count:] >= 0, strict=True)
        if is_grouped
    ]
    ways = len(EDITS) + 1
    each = " | ".join(f"{found[way::ways].mean():.2f}" for way in range(ways))
    return (
        f"| {after.made['threshold']} | {found.mean():.3f} | {each} | {np.mean(clean):.3f} | "
        f"{before.counts['redundant']:,} | {after.counts['redundant']:,} | "
        f"{after.counts['largest']:,} |"
    )


def grouped(found: Duplicates) -> NDArray[np.intp]:
    """Return the group of each row, (n,); a number below 0, of its own, for one that has none."""
    group = -1 - np.arange(len(found.rows))
    group[found.places] = np.repeat(np.arange(len(found)), found.sizes)
    return group


if __name__ == "__main__":
    main()
