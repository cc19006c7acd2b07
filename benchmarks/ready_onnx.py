"""Measure heads on the vectors of a ready ONNX file, bare and with a card, beside the built-in.

Run as `python benchmarks/ready_onnx.py --data FOLDER`, where FOLDER holds trashnet (one folder a
class) and weights/mobilenet_v2_onnx with one ONNX file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np
from results import write_section
from sklearn.model_selection import StratifiedKFold, cross_val_score

import featurize
from downstream import Head

HERE = Path(__file__).resolve().parent
CARD = {
    "kind": "image",
    "layout": "NCHW",
    "channels": "RGB",
    "size": 224,
    "mean": 128,
    "std": 128,
    "license": "apache-2.0",
}
IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
SEEDS = range(3)


def main() -> None:
    """Embed photos with each encoder, and train heads through the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    data = parser.parse_args().data
    (file,) = (data / "weights" / "mobilenet_v2_onnx").glob("*.onnx")
    lines = [
        "`featurize embed FOLDER --encoder FILE.onnx`, then `featurize train TABLE`: accuracy on "
        "its stratified hold-out, and in 5-fold cross-validation, mean over 3 fixed seeds. The "
        "file quantises its input, from which its scale is read where no card states it; one card "
        "states ImageNet's on purpose, which the file was not made for. With 360 photos, two "
        "points are within chance.",
        "",
        "| photos | encoder | dim | photos/s | `train` | cross-validated |",
        "|---|---|---:|---:|---:|---:|",
    ]
    with TemporaryDirectory() as scratch:
        encoders = {
            "MobileNet v2, bare": str(file),
            "MobileNet v2, card": carded(file, CARD, Path(scratch) / "card"),
            "MobileNet v2, a wrong card": carded(file, IMAGENET, Path(scratch) / "imagenet"),
            "efficientnet-lite0": "efficientnet-lite0",
        }
        lines += measured(data / "trashnet", encoders, Path(scratch))
    write_section("Ready ONNX files", "python benchmarks/ready_onnx.py", lines)


def measured(photos: Path, encoders: dict[str, str], scratch: Path) -> Iterator[str]:
    """Yield a row for each encoder."""
    for number, (title, encoder) in enumerate(encoders.items()):
        table = scratch / f"{photos.name}-{number}"
        made = command("embed", photos, "--encoder", encoder, "--out", table)
        trained = command("train", table, "--out", table.with_suffix(".head"))
        opened = featurize.open_table(table)
        vectors, labels = opened.to_numpy(), np.array(opened.labels)
        accuracy = mean(
            cross_val_score(
                Head(), vectors, labels, cv=StratifiedKFold(5, shuffle=True, random_state=seed)
            ).mean()
            for seed in SEEDS
        )
        yield (
            f"| {photos.name}, {made['rows']:,} | {title} | {vectors.shape[1]} | "
            f"{made['rows'] / made['seconds']:.0f} | {trained['metrics']['accuracy']:.4f} | "
            f"{accuracy:.4f} |"
        )


def carded(file: Path, card: dict[str, object], folder: Path) -> str:
    """Export the file with a card; return the bundle."""
    folder.mkdir()
    (folder / "card.json").write_text(json.dumps(card))
    command("export", file, "--card", folder / "card.json", "--out", folder / "bundle")
    return str(folder / "bundle")


def command(*arguments: str | Path) -> dict[str, object]:
    """Run the command as a user does, and return what it says as JSON."""
    words = [sys.executable, "-m", "featurize", *map(str, arguments), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    result: dict[str, object] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    main()
