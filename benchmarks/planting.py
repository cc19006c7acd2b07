"""Real data as studies, and the same with copies of some rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import featurize
from downstream.report.study import Study

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPREAD = 4.0  # of generated vectors, in standard deviations of the centres


def banking77(data: Path, runs: Path) -> Study:
    """Embed both parts of banking77 as one table, unless that is done."""
    columns = {"text_column": "text", "label_column": "category"}
    for part in ("train.csv", "test.csv"):
        if not (runs / "banking77").exists() or part == "test.csv":
            featurize.embed(
                data / "banking77" / part,
                out=runs / "banking77",
                device="cpu",
                append=part == "test.csv",
                **columns,
            )
    return Study.open(runs / "banking77", split="source")


def photos(data: Path, table: Path) -> Study:
    """Embed a folder of photos, unless that is done."""
    if not table.exists():
        featurize.embed(data, out=table, device="cpu")
    return Study.open(table, source=data)


def generated(study: Study) -> Study:
    """Return a study with vectors drawn around the class of each row: no label is wrong."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(len(study.names), study.vectors.shape[1]))
    vectors = centres[study.classes] + SPREAD * rng.normal(size=study.vectors.shape)
    return replace(study, data=replace(study.data, X=vectors.astype(np.float32)))


def with_copies(
    study: Study,
    rows: NDArray[np.intp],
    vectors: NDArray[np.float32],
    texts: list[str],
    split: str | None = None,
) -> Study:
    """Return a study with copies of rows at its end, of other texts, on one side of the split."""
    every = np.concatenate([np.arange(len(study)), rows])
    more = study.select(every)
    ids = [f"copy-{at}" for at in range(len(rows))]
    contents = [
        study.contents[row] if text == study.texts[row] else f"copy {text}"
        for row, text in zip(rows, texts, strict=True)
    ]
    old = len(study)
    more.data.X[old:], more.data.ids[old:], more.contents[old:] = vectors, ids, contents
    more.texts[old:] = texts
    more.split[old:] = split
    groups = np.unique(more.contents, return_inverse=True)[1]
    return replace(more, groups=groups, data=replace(more.data, groups=groups))


def ordered_like(study: Study, more: Study) -> Study:
    """Return a study of photos with those of another first, in its order, and the copies last."""
    place = {key: at for at, key in enumerate(study.data.ids)}
    keys = [(place.get(key, len(place)), Path(key).name) for key in more.data.ids.tolist()]
    return more.select(np.array(sorted(range(len(more)), key=keys.__getitem__)))


def confused(study: Study, probabilities: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the class that each class is taken for most, (k,)."""
    sums = np.zeros((len(study.names), len(study.names)))
    np.add.at(sums, study.classes, np.nan_to_num(probabilities))
    np.fill_diagonal(sums, -1)
    return sums.argmax(axis=1)
