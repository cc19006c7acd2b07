"""Measure `train` and `predict` on a large table, `train` beside one fit of scikit-learn.

Run as `python benchmarks/heads_scale.py`; `--rows` for another number than a million. It takes
about 5 GB of disk in the folder for temporary files. The fit beside it has one thread for BLAS, as
ours has; `--all-cores` adds one with all: on a busy machine its threads wait for each other, and it
takes many times longer. What is measured runs in processes of its own,
which start this script with the name of a part and its arguments.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from results import write_section

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

MILLION = 1_000_000
DIM, CLASSES, SPREAD = 384, 10, 0.12
PART = 8_192
TRAIN_IMPORTS = ("featurize.cli.main", "downstream.heads", "sklearn.linear_model", "pandas")
FIT_IMPORTS = ("numpy", "sklearn.linear_model")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: seconds, those of its CPUs, bytes at most, and what it printed."""

    seconds: float
    work: float
    peak: int
    printed: str


def main() -> None:
    """Write a section to RESULTS.md, or be one of the processes that it measures."""
    if len(sys.argv) > 1 and (part := PARTS.get(sys.argv[1])):
        part(*sys.argv[2:])
        status = Path("/proc/self/status").read_text()  # of ru_maxrss a part is the parent's
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        print("\n", json.dumps([int(line.split()[1]) * 1024, time.process_time()]), sep="")
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=MILLION)
    parser.add_argument("--all-cores", action="store_true")
    options = parser.parse_args()
    rows, threads = options.rows, ["1", "0"] if options.all_cores else ["1"]
    with tempfile.TemporaryDirectory() as folder:
        lines = list(measured(rows, Path(folder), threads))
    write_section("Heads of many rows", f"python benchmarks/heads_scale.py --rows {rows}", lines)


def measured(rows: int, folder: Path, threads: list[str]) -> Iterator[str]:
    """Yield the costs of training, of the fit alone, and of prediction."""
    table, tenth, head, out = (folder / name for name in ("table", "tenth", "head", "out.parquet"))
    run("write", table, rows)
    run("write", tenth, rows // 10)
    ours = run("command", "train", table, "--out", head, "--json")
    learned = json.loads(ours.printed)
    run("standardise", table, folder)
    fits = [run("fit", folder, learned["settings"]["C"], each) for each in threads]
    trained, none = ours.peak - bare(*TRAIN_IMPORTS), bare(*FIT_IMPORTS)
    told = [json.loads(each.printed) for each in fits]
    steps, accuracy = told[0]["steps"], told[0]["accuracy"]
    metrics = learned["metrics"]
    yield (
        f"{rows:,} vectors of {DIM} numbers in {CLASSES} overlapping classes. `featurize train` as "
        f"a whole (reading the table, choosing C, the hold-out, calibration, saving), beside one "
        f"`LogisticRegression(C={learned['settings']['C']:g}).fit` on the same vectors, "
        f"standardised and memory-mapped: {steps} steps. Memory is the peak resident set without "
        f"that of bare imports; pages of the mapped file are in it."
    )
    yield ""
    yield "| | seconds | of the CPUs | memory, MB |"
    yield "|---|---:|---:|---:|"
    yield f"| `featurize train` | {ours.seconds:.1f} | {ours.work:.1f} | {trained / 1e6:,.0f} |"
    for each, fit_told, count in zip(fits, told, threads, strict=True):
        seconds, work, memory = fit_told["seconds"], fit_told["work"], each.peak - none
        name = "one thread for BLAS" if count == "1" else "all cores"
        yield f"| one fit, {name} | {seconds:.1f} | {work:.1f} | {memory / 1e6:,.0f} |"
        yield (
            f"| ratio (limits: seconds 3, memory 2) | **{ours.seconds / seconds:.2f}** "
            f"| {ours.work / work:.2f} | **{trained / memory:.2f}** |"
        )
    yield ""
    yield (
        f"Accuracy on the hold-out of {metrics['rows_test']:,} rows, after learning from "
        f"{metrics['rows_train']:,}: {metrics['accuracy']:.4f}; of the one fit on its own rows: "
        f"{accuracy:.4f}."
    )
    few, many = (run("command", "predict", head, each, "--out", out) for each in (tenth, table))
    yield ""
    yield (
        f"`featurize predict` on {rows // 10:,} and on {rows:,} rows: {few.seconds:.1f} s and "
        f"{many.seconds:.1f} s, peak resident set {few.peak / 1e6:,.0f} MB and "
        f"{many.peak / 1e6:,.0f} MB: **{many.peak / few.peak:.2f}** times."
    )


def run(*words: object) -> Cost:
    """Run a part of this script in a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, __file__, *map(str, words)]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
    printed, _, last = done.stdout.rstrip().rpartition("\n")
    peak, work = json.loads(last)
    return Cost(time.perf_counter() - began, work, peak, printed)


def bare(*modules: str) -> int:
    """Return the peak memory of a process that imports some modules."""
    return run("imports", *modules).peak


def write(table: str, rows: str) -> None:
    """Write clustered vectors, part by part as `embed` does."""
    import numpy as np

    from featurize.table.writer import Change, write_table

    rng = np.random.default_rng(0)
    centres = SPREAD * rng.normal(size=(CLASSES, DIM)).astype(np.float32)
    turn = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
    mixing = (turn * np.arange(1, DIM + 1) ** -0.5).astype(np.float32)  # few directions say most
    with write_table(Path(table)) as writer:
        writer.origin = {"source": "rows.csv", "bundle": "minilm", "variant": {}}
        staged = []
        for start in range(0, int(rows), PART):
            numbers = np.arange(start, min(start + PART, int(rows)))
            vectors = rng.normal(size=(len(numbers), DIM)).astype(np.float32)
            vectors = (vectors + centres[numbers % CLASSES]) @ mixing.T
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            staged.append(writer.stage(as_rows(numbers, vectors)))
        writer.commit(Change(staged, complete=True))


def as_rows(numbers: NDArray[np.intp], vectors: NDArray[np.float32]) -> pa.Table:
    """Return rows of a table: vectors (n, d) and what stands beside them."""
    import hashlib

    import pyarrow as pa

    from featurize.bundle import EncoderCard, VectorSpace
    from featurize.table.layout import EMBEDDING, RowColumns, embedding_type
    from featurize.types import Modality

    space = VectorSpace("w" * 64, "p" * 64, "invented", "mean", True, 64, DIM)
    schema = RowColumns(pa.string(), {}, pa.schema([])).schema(
        EncoderCard("invented", (Modality.TEXT,), space)
    )
    ids = [f"rows.csv#{row:07}" for row in numbers]
    columns = {
        "id": ids,
        "source": ["rows.csv"] * len(ids),
        "content_sha256": [hashlib.sha256(key.encode()).hexdigest() for key in ids],
        "label": [f"class-{number}" for number in numbers % CLASSES],
        EMBEDDING: pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.ravel()), type=embedding_type(DIM)
        ),
    }
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def command(*words: str) -> None:
    """Run the command in this process."""
    sys.argv = ["featurize", *words]
    with contextlib.suppress(SystemExit):
        runpy.run_module("featurize", run_name="__main__")


def standardise(table: str, folder: str) -> None:
    """Lay standardised vectors and labels beside a table, block by block."""
    import numpy as np
    from sklearn.preprocessing import StandardScaler

    from featurize.table import EmbeddingTable

    opened, scaler = EmbeddingTable.open(table), StandardScaler()
    vectors = np.lib.format.open_memmap(Path(folder, "X.npy"), "w+", np.float32, (len(opened), DIM))
    vectors[:] = opened.to_numpy()
    np.save(Path(folder, "y.npy"), opened.labels.astype("U"))
    scaler.fit(vectors)
    for start in range(0, len(vectors), PART):
        vectors[start : start + PART] = scaler.transform(vectors[start : start + PART])


def fit(folder: str, strength: str, threads: str) -> None:
    """Fit scikit-learn's LogisticRegression as our head does at last; 0 threads are all."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    vectors = np.load(Path(folder, "X.npy"), mmap_mode="r")
    labels = np.load(Path(folder, "y.npy"))
    regression = LogisticRegression(C=float(strength), tol=1e-4, max_iter=1000)
    began, worked = time.perf_counter(), time.process_time()
    with threadpool_limits(int(threads) or None, user_api="blas"):
        regression.fit(vectors, labels)
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    accuracy = np.mean(regression.predict(vectors[:PART]) == labels[:PART])
    steps = int(regression.n_iter_.max())
    told = {"seconds": seconds, "work": work, "steps": steps, "accuracy": float(accuracy)}
    print(json.dumps(told))


def imports(*modules: str) -> None:
    """Import modules."""
    for module in modules:
        importlib.import_module(module)


PARTS = {each.__name__: each for each in (write, command, standardise, fit, imports)}

if __name__ == "__main__":
    main()
