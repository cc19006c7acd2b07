"""Measure what a transfer report finds of wrong labels, duplicates and leaks planted in real data.

Run as `python benchmarks/data_quality.py --data FOLDER`, where FOLDER holds banking77 (train.csv,
test.csv with text and category), trashnet and eurosat (one folder a class).
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from changes import EDITS, PICTURES
from PIL import Image
from planting import banking77, confused, generated, ordered_like, photos, with_copies
from results import write_section

import featurize
from downstream.report.held_out import held_out
from downstream.report.quality.leak import leak_of_split
from downstream.report.quality.noise import noise
from downstream.report.quality.twins import Twins
from downstream.report.study import Study

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
RATES = (0.01, 0.05, 0.1)
PHOTOS = ("trashnet", "eurosat")
CHANGES = len(EDITS)


def main() -> None:
    """Plant and look for faults, of each kind in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--runs", type=Path, help="keep the tables here, for another run")
    parser.add_argument("--only", choices=PARTS, help="measure one part")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = given.runs or Path(folder)
        for part in [given.only] if given.only else PARTS:
            lines = list(PARTS[part](given.data, runs))
            write_section(f"Data quality: {part}", "python benchmarks/data_quality.py", lines)


def wrong_labels(data: Path, runs: Path) -> Iterator[str]:
    """Flip labels, to any other class or to the one most like it, and see which are suspected."""
    yield (
        "A share of rows gets the label of another class: any, or the one that the head confuses "
        "it with most. Rows suspected before any label was flipped count as false in `precision, "
        "least` and are left out in `precision`: these data have wrong labels of their own. "
        "`estimate` is the report's share of wrong labels. The generated vectors lie around the "
        "class of banking77's rows, all labels right: their suspects at 0 % are false alarms. One "
        "repeat of cross-validation; a report makes two or more."
    )
    yield ""
    yield ("| data | flipped | to | suspects | recall | precision, least | precision | estimate |")
    yield "|---|---:|---|---:|---:|---:|---:|---:|"
    texts = banking77(data, runs)
    texts = texts.select(texts.split == "train.csv")
    yield from flipped("generated", generated(texts), rates=())
    yield from flipped("banking77", texts)
    for name in PHOTOS:
        yield from flipped(name, photos(data / name, runs / name))


def flipped(name: str, study: Study, rates: Sequence[float] = RATES) -> Iterator[str]:
    """Yield the lines of one study."""
    held = held_out(study, repeats=1)
    found = noise(study, held, len(study))
    before = suspected(found)
    yield f"| {name} | 0 % | | {found['found']} | | | | {percent(found['share'])} |"
    likest = confused(study, held.averaged())
    for rate in rates:
        for kind in ("any", "confused"):
            rng = np.random.default_rng(0)
            rows = rng.choice(len(study), round(rate * len(study)), replace=False)
            classes = study.classes.copy()
            shift = rng.integers(1, len(study.names), len(rows))
            other = (classes[rows] + shift) % len(study.names)
            classes[rows] = other if kind == "any" else likest[classes[rows]]
            wrong = replace(study, classes=classes)
            found = noise(wrong, held_out(wrong, repeats=1), len(wrong))
            yield (
                f"| {name} | {rate:.0%} | {kind} | {found['found']} | "
                f"{judged(suspected(found), set(study.data.ids[rows]), before)} | "
                f"{percent(found['share'])} |"
            )


def near_duplicates(data: Path, runs: Path) -> Iterator[str]:
    """Add slightly changed copies of texts and photos, and see which are found."""
    both = banking77(data, runs)
    yield from near_texts(both.select(both.split == "train.csv"))
    yield ""
    yield from near_photos(data, runs)


def near_texts(study: Study) -> Iterator[str]:
    """Add slightly changed copies of texts, and see which are found."""
    yield (
        "Near duplicates of texts, banking77: a share of rows has a copy with a typo, other letter "
        "case, a word more or other punctuation. Recall is the share of copies found with their "
        "original. A pair of rows is right if one is the copy of the other; pairs joined before "
        "anything was planted count as false in `precision, least` and are left out in `precision`."
    )
    yield ""
    yield (
        "| copies | compared | recall | typo | case | word | punctuation | precision, least "
        "| precision |"
    )
    yield "|---:|---|---:|---:|---:|---:|---:|---:|---:|"
    encoder = featurize.load_encoder("minilm", device="cpu")
    for rate in RATES:
        rng = np.random.default_rng(0)
        rows = rng.choice(len(study), round(rate * len(study)), replace=False)
        texts = [EDITS[at % CHANGES](study.texts[row], rng) for at, row in enumerate(rows)]
        more = with_copies(study, rows, encoder.encode(texts), texts)
        blind = replace(study, texts=None), replace(more, texts=None)
        for way, pair in (("texts", (study, more)), ("vectors alone", blind)):
            yield f"| {rate:.0%} | {way} | {found_copies(*pair, rows)} |"


def near_photos(data: Path, runs: Path) -> Iterator[str]:
    """Add slightly changed copies of photos, and see which are found."""
    yield (
        "Near duplicates of photos: a share has a copy that is cropped to 90 %, brighter or "
        "darker by a quarter, encoded again as JPEG of quality 50, or two thirds the size."
    )
    yield ""
    yield (
        "| data | copies | compared | recall | crop | light | encoding | size | precision, least "
        "| precision |"
    )
    yield "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|"
    for name in PHOTOS:
        study = photos(data / name, runs / name)
        for rate in RATES:
            rng = np.random.default_rng(0)
            rows = rng.choice(len(study), max(CHANGES, round(rate * len(study))), replace=False)
            folder = runs / f"{name}-{rate}"
            shutil.copytree(data / name, folder)
            for at, row in enumerate(rows):
                original = folder / study.data.ids[row]
                image = Image.open(original).convert("RGB")
                PICTURES[at % CHANGES](image, rng).save(
                    original.with_name(f"copy{at:03}-{original.stem}.png")
                )
            more = ordered_like(study, photos(folder, runs / f"{name}-{rate}-table"))
            blind = replace(study, source=None), replace(more, source=None)
            for way, pair in (("pictures", (study, more)), ("vectors alone", blind)):
                yield f"| {name} | {rate:.0%} | {way} | {found_copies(*pair, rows)} |"


def leaks(data: Path, runs: Path) -> Iterator[str]:
    """Copy test rows into training, half of them changed, and see which are named."""
    yield (
        "Leaks, banking77: copies of a share of the test rows go into training, half of them "
        "changed slightly; the split is the data's own (`--split source`). Rows named before "
        "anything was planted count as false in `precision, least` and are left out in "
        "`precision`. A score without the leak is right if it is that of 0 %."
    )
    yield ""
    yield ("| copied | named | recall | precision, least | precision | score | without the leak |")
    yield "|---:|---:|---:|---:|---:|---:|---:|"
    study = banking77(data, runs)
    encoder = featurize.load_encoder("minilm", device="cpu")
    before: set[str] = set()
    for rate in (0.0, *RATES):
        rng = np.random.default_rng(0)
        tested = np.flatnonzero(study.split == "test.csv")
        rows = rng.choice(tested, round(rate * len(tested)), replace=False)
        texts = [
            EDITS[at // 2 % CHANGES](study.texts[row], rng) if at % 2 else study.texts[row]
            for at, row in enumerate(rows)
        ]
        more = study
        if rate:
            more = with_copies(study, rows, encoder.encode(texts), texts, split="train.csv")
        group = Twins.of(more).group
        split = leak_of_split(more, group)
        named = leaked(more, group)
        if not rate:
            before = named
        yield (
            f"| {rate:.0%} | {split['rows']} | "
            f"{judged(named, set(study.data.ids[rows]), before) if rate else '| |'} | "
            f"{percent(split['score'])} | {percent(split['score_without'])} |"
        )


def found_copies(study: Study, more: Study, rows: NDArray[np.intp]) -> str:
    """Return the cells of recall, in all and by kind of change, and of both precisions.

    The first rows of `more` are those of `study`, the others are copies of `rows`.
    """
    twins, natural = Twins.of(more), Twins.of(study)
    found = twins.group[len(study) :] == twins.group[rows]
    kinds = np.arange(len(rows)) % CHANGES
    origin = np.concatenate([np.arange(len(study)), rows])[twins.pairs]
    right = origin[:, 0] == origin[:, 1]
    known = ~right & (natural.group[origin[:, 0]] == natural.group[origin[:, 1]])
    recalls = [found.mean(), *(found[kinds == kind].mean() for kind in range(CHANGES))]
    least, precision = right.mean(), right.sum() / max(1, (~known).sum())
    return " | ".join(f"{figure:.3f}" for figure in (*recalls, least, precision))


def judged(found: set[str], planted: set[str], before: set[str]) -> str:
    """Return the cells of recall and of the precision with and without what was found before."""
    right = found & planted
    fresh = found - (before - planted)
    return (
        f"{len(right) / len(planted):.3f} | {len(right) / max(1, len(found)):.3f} | "
        f"{len(right) / max(1, len(fresh)):.3f}"
    )


def suspected(found: dict) -> set[str]:
    """Return the ids of all suspects."""
    return {row["id"] for row in found["suspects"]}


def leaked(study: Study, group: NDArray[np.intp]) -> set[str]:
    """Return the ids of test rows with a twin in training."""
    test = study.split == "test.csv"
    return set(study.data.ids[test & np.isin(group, group[~test])])


def percent(interval: dict) -> str:
    """Return an interval in per cent."""
    mean, low, high = (100 * interval[end] for end in ("mean", "low", "high"))
    return f"{mean:.1f} % ({low:.1f} to {high:.1f})"


PARTS: dict[str, Callable[[Path, Path], Iterator[str]]] = {
    "near duplicates": near_duplicates,
    "wrong labels": wrong_labels,
    "leaks": leaks,
}


if __name__ == "__main__":
    main()
