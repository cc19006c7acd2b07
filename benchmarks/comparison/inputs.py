"""The texts and images of the comparison, as files on disk, and the models as peers take them."""

from __future__ import annotations

import csv
import random
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comparison.models import MAX_TOKENS

TEXTS = {"short": 1600, "medium": 450, "long": 120}
IMAGES = 360
QUICK = 12  # times fewer
_LEAST_WORDS = {"medium": 20, "long": MAX_TOKENS + 4}  # joined documents; 55 to 60 tokens, and cut
_GENERATED_WORDS = {"short": (6, 14), "medium": (25, 55), "long": (260, 300)}


@dataclass(frozen=True, slots=True)
class Workload:
    """The same inputs for everyone: `inputs` holds `count` of them, `single` just one."""

    name: str
    inputs: Path
    single: Path
    count: int
    remark: str

    @property
    def options(self) -> dict[str, object]:
        """Return what a contestant is told of it."""
        return {"inputs": str(self.inputs), "single": str(self.single), "count": self.count}


def text_workload(name: str, data: Path, folder: Path, quick: bool) -> Workload:
    """Write distinct texts of one length to a CSV file: real ones, generated where `data` is not.

    Ids sort as the rows stand.
    """
    count = TEXTS[name] // (QUICK if quick else 1)
    found = _real_texts(name, data)
    remark = _ORIGIN[name] if found else f"generated, for {data} is missing"
    texts = list(dict.fromkeys(found or _generated(name, 3 * count)))
    random.Random(0).shuffle(texts)
    inputs, single = folder / f"{name}.csv", folder / f"{name}-single.csv"
    _write(inputs, texts[:count])
    _write(single, texts[count : count + 1])
    return Workload(name, inputs, single, count, remark)


def image_workload(data: Path, folder: Path, quick: bool) -> Workload:
    """Copy distinct JPEG files into one folder: real ones, generated where `data` is not."""
    count = IMAGES // (QUICK if quick else 1)
    inputs, single = folder / "images", folder / "single"
    for target in (inputs, single):
        target.mkdir()
    found = sorted((data / "trashnet").glob("*/*.jpg"))
    random.Random(0).shuffle(found)
    for number, path in enumerate(found[:count]):
        shutil.copyfile(path, inputs / f"{number:05}.jpg")
    if not found:
        _draw(inputs, count)
    files = sorted(inputs.iterdir())
    shutil.copyfile(files[0], single / "0.jpg")
    remark = "trashnet, JPEG, 512x384" if found else f"generated, for {data} is missing"
    return Workload("images", inputs, single, len(files), remark)


_ORIGIN = {
    "short": "banking77, train",
    "medium": "Vaswani abstracts, joined to at least 20 words",
    "long": f"Vaswani abstracts, joined to more than {MAX_TOKENS} tokens",
}


def _real_texts(name: str, data: Path) -> list[str]:
    """Read the texts of a length; an empty list where the data is missing."""
    if name == "short":
        path = data / "banking77" / "train.csv"
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return [row["text"].strip() for row in csv.DictReader(file)]
    path = data / "vaswani" / "corpus" / "doc-text.trec"
    if not path.is_file():
        return []
    found = re.findall(r"<DOCNO>\d+</DOCNO>(.*?)</DOC>", path.read_text("utf-8"), re.DOTALL)
    documents = [document.split() for document in found]
    random.Random(0).shuffle(documents)
    return _joined(documents, _LEAST_WORDS[name])


def _joined(documents: Sequence[list[str]], least: int) -> list[str]:
    """Join documents until each text has at least so many words."""
    texts, words = [], []
    for document in documents:
        words += document
        if len(words) >= least:
            texts.append(" ".join(words))
            words = []
    return texts


def _generated(name: str, count: int) -> list[str]:
    """Make texts of short made-up words."""
    chance = random.Random(0)
    syllables = [a + b for a in "bdfklmnprstvz" for b in ("a", "e", "i", "o", "an", "er")]
    words = ["".join(chance.choices(syllables, k=chance.randint(1, 3))) for _ in range(2000)]
    return [
        " ".join(chance.choices(words, k=chance.randint(*_GENERATED_WORDS[name])))
        for _ in range(count)
    ]


def _write(path: Path, texts: Sequence[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows((f"{number:06}", text) for number, text in enumerate(texts))


def _draw(folder: Path, count: int) -> None:
    """Draw photos of smooth noise."""
    import numpy as np
    from PIL import Image

    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 256, (24, 32, 3), np.uint8)
        picture = Image.fromarray(noise).resize((512, 384), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:05}.jpg", quality=90)
