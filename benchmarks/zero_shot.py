"""Measure labels by their names alone: accuracy and log loss on banking77, by template.

Run as `python benchmarks/zero_shot.py --data FOLDER`, where FOLDER holds banking77 (test.csv with
text and category).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from results import write_section

import featurize
from downstream import ZeroShot
from downstream.zeroshot import measure_labels
from downstream.zeroshot.classifier import TEMPERATURE

HERE = Path(__file__).resolve().parent
TEMPLATES: dict[str, list[str]] = {
    "`{}`": ["{}"],
    "`This message is about {}.`": ["This message is about {}."],
    "`I have a question about {}.`": ["I have a question about {}."],
    "all three": ["{}", "This message is about {}.", "I have a question about {}."],
}
SCALES = (10, 20, 40, 100)


def main() -> None:
    """Measure the built-in text encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    data = parser.parse_args().data
    with tempfile.TemporaryDirectory() as folder:
        table = featurize.embed(
            data / "banking77" / "test.csv",
            out=Path(folder) / "table",
            device="cpu",
            label_column="category",
        ).path
        write_section("Zero-shot", "python benchmarks/zero_shot.py", list(rows(table)))


def rows(table: Path) -> Iterator[str]:
    """Yield the table of templates and that of temperatures."""
    names = np.unique(featurize.open_table(table).labels.astype(str)).tolist()
    yield (
        f"banking77 test, {len(names)} classes, minilm: `ZeroShot(names)` knows the names of the "
        "classes alone, with spaces for underscores; chance is 0.013. The temperature is "
        f"{TEMPERATURE}."
    )
    yield ""
    yield "| template | accuracy | macro F1 | log loss |"
    yield "|---|---:|---:|---:|"
    for told, templates in TEMPLATES.items():
        figures = measure_labels(ZeroShot(names, templates, device="cpu"), table)["metrics"]
        cells = (figures[name] for name in ("accuracy", "macro_f1", "log_loss"))
        yield f"| {told} | {' | '.join(f'{cell:.4f}' for cell in cells)} |"
    yield ""
    yield "| temperature, with `{}` | log loss |"
    yield "|---|---:|"
    for scale in SCALES:
        zero = ZeroShot(names, temperature=1 / scale, device="cpu")
        yield f"| {1 / scale:g} | {measure_labels(zero, table)['metrics']['log_loss']:.4f} |"


if __name__ == "__main__":
    main()
