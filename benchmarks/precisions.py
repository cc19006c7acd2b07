"""Measure what each precision costs in fidelity, brings in rate and does to a head on real data.

Run as `python benchmarks/precisions.py --data FOLDER`, where FOLDER holds banking77 (train.csv,
test.csv with text and category), trashnet and eurosat (one folder a class).
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from results import write_section
from sklearn.model_selection import StratifiedKFold, cross_val_score

import featurize
from downstream import Head

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from featurize.encoder import Encoder

HERE = Path(__file__).resolve().parent
WAYS = {
    "fp32": ("onnxruntime", "fp32"),
    "fp32, OpenVINO": ("openvino", "fp32"),
    "bf16, OpenVINO": ("openvino", "bf16"),
    "fp16, which a CPU only emulates": ("onnxruntime", "fp16"),
    "int8": ("onnxruntime", "int8"),
}
ROUNDS = 5
TIMED = 600  # inputs
NEIGHBOURS = 10
SEEDS = range(5)


def main() -> None:
    """Measure a text encoder and an image encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    data = parser.parse_args().data
    lines = [*banking77(data / "banking77")]
    for name in ("trashnet", "eurosat"):
        lines += ["", *photos(data / name)]
    write_section("Precisions", "python benchmarks/precisions.py", lines)


def banking77(data: Path) -> Iterator[str]:
    """Train a head on vectors of each precision, and apply the one of fp32 to all."""
    (train, train_labels), (test, test_labels) = (
        read_texts(data / f"{part}.csv") for part in ("train", "test")
    )
    encoders = opened("minilm", tuple(WAYS))
    rates = measured_rates(encoders, test[:TIMED])
    yield (
        f"banking77, minilm: a head trained on {len(train):,} texts, {len(test):,} to test. "
        "Cosines and neighbours are those of the test texts, to fp32."
    )
    yield ""
    yield (
        "| precision | texts/s, ratio | cosine, least | mean | 10 nearest, the same "
        "| head of its own | head made with fp32 |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|"
    exact: NDArray[np.float32] | None = None
    usual: Head | None = None
    for way, encoder in encoders.items():
        head = Head().fit(encoder.encode(train), train_labels)
        vectors = encoder.encode(test)
        exact = vectors if exact is None else exact
        usual = head if usual is None else usual
        yield (
            f"| {way} | {rates[way]:.2f} | {fidelity(vectors, exact)} | "
            f"{np.mean(head.predict(vectors) == test_labels):.4f} | "
            f"{np.mean(usual.predict(vectors) == test_labels):.4f} |"
        )


def photos(data: Path) -> Iterator[str]:
    """Cross-validate heads on vectors of each precision."""
    files = sorted(path for path in data.rglob("*") if path.suffix in {".jpg", ".png"})
    labels = np.array([path.parent.name for path in files])
    encoders = opened("efficientnet-lite0", tuple(way for way in WAYS if way != "int8"))
    rates = measured_rates(encoders, files[:TIMED])
    yield (
        f"{data.name}, efficientnet-lite0, {len(files):,} photos: heads in 5-fold "
        "cross-validation, mean over 5 fixed seeds. int8 is refused: it has only convolutions."
    )
    yield ""
    yield "| precision | photos/s, ratio | cosine, least | mean | 10 nearest, the same | accuracy |"
    yield "|---|---:|---:|---:|---:|---:|"
    exact: NDArray[np.float32] | None = None
    for way, encoder in encoders.items():
        vectors = encoder.encode(files)
        exact = vectors if exact is None else exact
        accuracy = np.mean([cross_validated(vectors, labels, seed) for seed in SEEDS])
        yield f"| {way} | {rates[way]:.2f} | {fidelity(vectors, exact)} | {accuracy:.4f} |"


def opened(name: str, ways: Sequence[str]) -> dict[str, Encoder]:
    """Open an encoder in each way."""
    return {
        way: featurize.load_encoder(name, device="cpu", runtime=runtime, precision=precision)
        for way, (runtime, precision) in WAYS.items()
        if way in ways
    }


def measured_rates(
    encoders: dict[str, Encoder], inputs: Sequence[str] | Sequence[Path]
) -> dict[str, float]:
    """Return how many times as fast as the first each is, by turns."""
    spent: dict[str, list[float]] = {way: [] for way in encoders}
    for _ in range(ROUNDS + 1):
        for way, encoder in encoders.items():
            began = time.perf_counter()
            encoder.encode(inputs)
            spent[way].append(time.perf_counter() - began)
    first = spent[next(iter(encoders))][1:]
    return {
        way: median(theirs / own for theirs, own in zip(first, times[1:], strict=True))
        for way, times in spent.items()
    }


def fidelity(vectors: NDArray[np.float32], exact: NDArray[np.float32]) -> str:
    """Return the cells of cosines and of shared neighbours; all vectors have unit length."""
    cosines = np.einsum("ij,ij->i", vectors, exact, dtype=np.float64)
    shared = [
        len(np.intersect1d(found, wanted)) / NEIGHBOURS
        for found, wanted in zip(nearest(vectors), nearest(exact), strict=True)
    ]
    return f"{cosines.min():.6f} | {cosines.mean():.6f} | {np.mean(shared):.1%}"


def nearest(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the nearest others of each row, (n, NEIGHBOURS)."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -1)
    return np.argpartition(-scores, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]


def cross_validated(vectors: NDArray[np.float32], labels: NDArray[np.str_], seed: int) -> float:
    """Return the mean accuracy over five folds."""
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    return float(cross_val_score(Head(), vectors, labels, cv=folds).mean())


def read_texts(path: Path) -> tuple[list[str], NDArray[np.str_]]:
    """Read texts and their labels."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], np.array([row["category"] for row in rows])


if __name__ == "__main__":
    main()
