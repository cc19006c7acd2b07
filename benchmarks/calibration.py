"""Measure whether a head's probabilities are honest, its answers precise, and its scope known.

Run as `python benchmarks/calibration.py --data FOLDER`, where FOLDER holds banking77 (train.csv,
test.csv with text and category) and vaswani (physics abstracts, TREC format).
"""

from __future__ import annotations

import argparse
import csv
import re
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from results import write_section
from sklearn.metrics import roc_auc_score

import featurize
from downstream import Head
from downstream.heads.trust.reliability import expected_calibration_error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from featurize.table import EmbeddingTable

HERE = Path(__file__).resolve().parent
MODELS = ["logistic", "svm", "ridge", "centroid", "knn"]
PRECISIONS = [0.95, 0.97, 0.98]
SEEDS = range(5)
SHOTS = (3, 5, 10, 30)
UNSEEN = 20
ABSTRACTS = 1_000
MAX_ERROR = 0.03


def main() -> None:
    """Train on banking77 and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--models", nargs="+", default=MODELS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        columns = {"text_column": "text", "label_column": "category"}
        train, test = (
            embedded(options.data / "banking77" / f"{part}.csv", Path(folder) / part, **columns)
            for part in ("train", "test")
        )
        abstracts = embedded(written(options.data / "vaswani", Path(folder)), Path(folder) / "far")
        lines = [
            *errors(train, test, options.models),
            "",
            *few_labels(train, test),
            "",
            *answers(train, test),
            "",
            *scopes(train, test, abstracts.to_numpy()),
        ]
    write_section("Honest probabilities", "python benchmarks/calibration.py", lines)


def errors(train: EmbeddingTable, test: EmbeddingTable, models: list[str]) -> Iterator[str]:
    """Compare confidence with accuracy before and after calibration, model by model."""
    yield (
        "banking77, minilm: heads trained on 10,003 rows, tested on 3,080. Expected calibration "
        f"error in 15 bins of equal width, top label (limit {MAX_ERROR} after); `auto` calibrates. "
        "Seconds of one core are those of `fit`, the second with it."
    )
    yield ""
    yield "| model | method | error before | after | accuracy before | after | seconds | after |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    for model in models:
        cells, spent = [], []
        for calibrate in ("none", "auto"):
            began = time.process_time()
            head = Head(model, calibrate=calibrate).fit(train)
            spent.append(time.process_time() - began)
            probabilities = head.predict_proba(test)
            truth = numbers(head, test)
            error = expected_calibration_error(probabilities, truth)
            cells.append((error, (probabilities.argmax(axis=1) == truth).mean()))
        (before, plain), (after, kept) = cells
        method = (head.describe()["calibration"] or {"method": "none"})["method"]
        yield (
            f"| {model} | {method} | {before:.4f} | **{after:.4f}** | {plain:.4f} | {kept:.4f} "
            f"| {spent[0]:.1f} | {spent[1]:.1f} |"
        )


def few_labels(train: EmbeddingTable, test: EmbeddingTable) -> Iterator[str]:
    """Compare what `auto` does of few labels with calibrating never and always."""
    yield (
        f"Few labels: logistic heads of so many rows a class, mean expected calibration error of "
        f"{len(SEEDS)} seeds on the test rows, by calibration; and how often `auto` took one."
    )
    yield ""
    yield "| rows a class | none | temperature | auto | taken |"
    yield "|---:|---:|---:|---:|---:|"
    X, y, U = train.to_numpy(), train.labels.astype(str), test.to_numpy()
    for shots in SHOTS:
        found: dict[str, list[float | None]] = {"none": [], "temperature": [], "auto": []}
        taken = 0
        for seed in SEEDS:
            rng = np.random.default_rng(seed)
            drawn = [rng.choice(np.flatnonzero(y == n), shots, replace=False) for n in np.unique(y)]
            rows = np.concatenate(drawn)
            for calibrate, each in found.items():
                head = Head(calibrate=calibrate).fit(X[rows], y[rows])
                each.append(expected_calibration_error(head.predict_proba(U), numbers(head, test)))
            taken += head.describe()["calibration"] is not None
        cells = " | ".join(f"{np.mean(each):.4f}" for each in found.values())
        yield f"| {shots} | {cells} | {taken} of {len(SEEDS)} |"


def answers(train: EmbeddingTable, test: EmbeddingTable) -> Iterator[str]:
    """Let heads answer only from a precision on, and see what they do on the test rows."""
    yield (
        "Abstaining: the threshold is chosen on rows held out in training; with 95 % confidence "
        "(Clopper-Pearson, one-sided) the precision asked for is reached."
    )
    yield ""
    yield "| asked for | threshold | held out: precision | coverage | test: precision | coverage |"
    yield "|---:|---:|---:|---:|---:|---:|"
    for precision in PRECISIONS:
        head = Head(min_precision=precision).fit(train)
        found = head.describe()["abstention"]
        probabilities = head.predict_proba(test)
        given = head.trust_.answers(probabilities)
        correct = probabilities.argmax(axis=1) == numbers(head, test)
        yield (
            f"| {precision} | {found['threshold']:.3f} | {found['precision']:.4f} "
            f"| {found['coverage']:.1%} | **{correct[given].mean():.4f}** | {given.mean():.1%} |"
        )


def scopes(train: EmbeddingTable, test: EmbeddingTable, far: NDArray[np.float32]) -> Iterator[str]:
    """Tell rows of classes that were not trained, and texts of another world, from the others."""
    yield (
        f"Out of scope: {UNSEEN} of the 77 classes left out of training, mean of {len(SEEDS)} "
        f"seeds (spread); AUROC of the test rows of the other classes against those of the "
        f"{UNSEEN}, and against {len(far):,} physics abstracts."
    )
    yield ""
    yield "| score | unseen classes | physics abstracts |"
    yield "|---|---:|---:|"
    found: dict[str, list[tuple[float, float]]] = {"confidence": [], "`--scope`": []}
    vectors, labels = train.to_numpy(), train.labels.astype(str)
    for seed in SEEDS:
        unseen = np.random.default_rng(seed).choice(np.unique(labels), UNSEEN, replace=False)
        kept = ~np.isin(labels, unseen)
        head = Head(scope=True).fit(vectors[kept], labels[kept])
        near = np.isin(test.labels.astype(str), unseen)
        rows = [test.to_numpy()[~near], test.to_numpy()[near], far]
        told = [scored(head, each) for each in rows]
        for name in found:
            inside, *outside = (each[name] for each in told)
            found[name].append((auroc(inside, outside[0]), auroc(inside, outside[1])))
    for name, pairs in found.items():
        cells = (f"{np.mean(each):.4f} ({np.ptp(each):.4f})" for each in zip(*pairs, strict=True))
        yield f"| {name} | {' | '.join(cells)} |"


def scored(head: Head, vectors: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Return confidence and scope of every row."""
    probabilities = head.predict_proba(vectors)
    scope = head.trust_.scope
    return {
        "confidence": probabilities.max(axis=1),
        "`--scope`": scope.score(vectors, probabilities),
    }


def auroc(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> float:
    """Return the share of pairs in which the row inside has the higher score."""
    is_inside = np.repeat([True, False], [len(inside), len(outside)])
    return float(roc_auc_score(is_inside, np.concatenate([inside, outside])))


def numbers(head: Head, table: EmbeddingTable) -> NDArray[np.intp]:
    """Return the number of every row's class, (n,)."""
    return np.searchsorted(head.class_names, table.labels.astype(str))


def embedded(source: Path, out: Path, **columns: Any) -> EmbeddingTable:
    """Embed a source on the CPU."""
    featurize.embed(source, out=out, device="cpu", **columns)
    return featurize.open_table(out)


def written(corpus: Path, folder: Path) -> Path:
    """Write some physics abstracts as a CSV file."""
    text = next(corpus.glob("corpus/*.trec")).read_text()
    found = re.finditer(r"</DOCNO>\n(.*?)</DOC>", text, re.DOTALL)
    file = folder / "abstracts.csv"
    with file.open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["text"])
        rows.writerows([" ".join(each[1].split())] for each in islice(found, ABSTRACTS))
    return file


if __name__ == "__main__":
    main()
