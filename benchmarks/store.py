"""Measure what each element type of stored vectors saves on disk, and costs in use on real data.

Run as `python benchmarks/store.py --data FOLDER`, where FOLDER holds banking77 (train.csv,
test.csv with text and category), trashnet and eurosat (one folder a class).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
from precisions import HERE, SEEDS, cross_validated, fidelity
from results import write_section

import featurize
from downstream import Head
from featurize.config import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from featurize.table import EmbeddingTable

ROUNDS = 7


def main() -> None:
    """Measure a text encoder and an image encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    data = parser.parse_args().data
    with tempfile.TemporaryDirectory() as folder:
        lines = [*banking77(data / "banking77", Path(folder))]
        for name in ("trashnet", "eurosat"):
            lines += ["", *photos(data / name, Path(folder))]
    write_section("Stored vectors", "python benchmarks/store.py", lines)


def banking77(data: Path, runs: Path) -> Iterator[str]:
    """Train a head on each kind of table, and apply the one of float32 to all."""
    yield (
        "banking77, minilm, 384 dimensions: bytes of a vector in the Parquet files, seconds for "
        "`to_numpy()` on 10,003 rows, and heads trained on those rows, tested on 3,080. Cosines "
        "and neighbours are those of the test texts, to float32."
    )
    yield ""
    yield (
        "| store | bytes a vector | of float32 | seconds | cosine, least | mean "
        "| 10 nearest, the same | head of its own | head made with float32 |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    columns = {"text_column": "text", "label_column": "category"}
    exact: NDArray[np.float32] | None = None
    usual: Head | None = None
    for store in Store:
        train, test = (
            embedded(data / f"{part}.csv", runs / f"{part}-{store}", store, **columns)
            for part in ("train", "test")
        )
        head = Head().fit(train)
        vectors = unit(test.to_numpy())
        exact = vectors if exact is None else exact
        usual = head if usual is None else usual
        yield (
            f"| {store} | {size(train)} | {reading_seconds(train):.3f} | "
            f"{fidelity(vectors, exact)} | {head.score(test):.4f} | {usual.score(test):.4f} |"
        )


def photos(data: Path, runs: Path) -> Iterator[str]:
    """Cross-validate heads on each kind of table."""
    yield (
        f"{data.name}, efficientnet-lite0, 1,280 dimensions: heads in 5-fold cross-validation, "
        "mean over 5 fixed seeds."
    )
    yield ""
    yield (
        "| store | bytes a vector | of float32 | cosine, least | mean "
        "| 10 nearest, the same | accuracy |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|"
    exact: NDArray[np.float32] | None = None
    for store in Store:
        table = embedded(data, runs / f"{data.name}-{store}", store)
        features, labels = table.to_numpy(), table.labels.astype(str)
        vectors = unit(features)
        exact = vectors if exact is None else exact
        accuracy = np.mean([cross_validated(features, labels, seed) for seed in SEEDS])
        yield f"| {store} | {size(table)} | {fidelity(vectors, exact)} | {accuracy:.4f} |"


def embedded(source: Path, out: Path, store: Store, **columns: str) -> EmbeddingTable:
    """Embed a source into a table of one element type."""
    featurize.embed(source, out=out, device="cpu", store=store, **columns)
    return featurize.open_table(out)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors, (n, dim) float32, at unit length, which float16 does not keep to the bit."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / lengths).astype(np.float32)


def size(table: EmbeddingTable) -> str:
    """Return the cells of a vector's size: bytes in the files, and their share of plain float32."""
    held = sum(
        group.column(place).total_compressed_size
        for part in table.parts
        for group in row_groups(table.path / part.file)
        for place in range(group.num_columns)
        if group.column(place).path_in_schema.startswith("embedding.")
    )
    each = held / len(table)
    return f"{each:.0f} | {each / (4 * table.card.dim):.1%}"


def row_groups(path: Path) -> Iterator[pq.RowGroupMetaData]:
    """Yield what a Parquet file says of its row groups."""
    metadata = pq.read_metadata(path)
    yield from (metadata.row_group(number) for number in range(metadata.num_row_groups))


def reading_seconds(table: EmbeddingTable) -> float:
    """Return how long it takes to read all vectors, files checked and in the cache of the disk."""
    spent = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        table.to_numpy()
        spent.append(time.perf_counter() - began)
    return median(spent)


if __name__ == "__main__":
    main()
