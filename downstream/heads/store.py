"""A head on disk: `head.json`, the card, `head.npz`, the arrays, and skops archives, if any."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from downstream.artifact import Artifact
from downstream.heads.arrays import read_arrays
from featurize.errors import HeadError, OutdatedHead
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from downstream.heads.models.model import Parts

    Predict = Callable[[NDArray[np.floating]], NDArray[np.float64]]

ARRAYS = "head.npz"
ARCHIVE = ".skops"
ARCHIVES = ("model.skops", "columns.skops")
HEAD = Artifact(
    noun="head",
    command="featurize train TABLE --out HEAD",
    card="head.json",
    files=(ARRAYS,),
    error=HeadError,
    outdated=OutdatedHead,
    optional=ARCHIVES,
)
PROBES = 16
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class SavedHead:
    """The facts of a card and the arrays beside it."""

    facts: Json
    parts: Parts

    def check(self, predict: Predict, shape: tuple[int, int]) -> None:
        """Raise HeadError unless the stored probe rows get the probabilities they had."""
        rows, expected = self.parts["probe_rows"], self.parts["probe_probabilities"]
        classes, dim = shape
        if rows.shape != (PROBES, dim) or expected.shape != (PROBES, classes):
            raise ValueError(f"probe rows {rows.shape} with probabilities {expected.shape}")
        found = predict(rows)
        worst = np.abs(found - expected).max() if found.shape == expected.shape else np.inf
        if not worst <= TOLERANCE:
            raise HeadError(
                f"The head predicts other probabilities than when it was saved: they differ by "
                f"{worst:.2g} on its {PROBES} probe rows, at most {TOLERANCE:g} is allowed.",
                fix="Train the head again with the libraries that are installed here.",
            )


def write_head(path: Path, head: SavedHead, predict: Predict) -> None:
    """Save a head with probe rows: random unit vectors, so that no row of the data leaves."""
    noise = np.random.default_rng(0).standard_normal((PROBES, head.facts["dim"]))
    rows = (noise / np.linalg.norm(noise, axis=1, keepdims=True)).astype(np.float32)
    probes = {"probe_rows": rows, "probe_probabilities": predict(rows)}
    with HEAD.saving(path, head.facts) as folder:
        for name, content in head.parts.items():
            if name.endswith(ARCHIVE):
                (folder / name).write_bytes(content.tobytes())
        with (folder / ARRAYS).open("wb") as file:
            arrays = {k: v for k, v in head.parts.items() if not k.endswith(ARCHIVE)}
            np.savez(file, allow_pickle=False, **arrays, **probes)


def read_head(path: Path) -> SavedHead:
    """Read a saved head whose files have the hashes that its card states.

    Raises HeadError for one that keeps rows of a table from which ids were forgotten since.
    """
    facts = HEAD.read(path)
    if facts.get("keeps_rows") and facts.get("table"):
        HEAD.require_not_forgotten(facts["table"], facts["table_version"], facts["table_id"])
    archives = {
        name: np.frombuffer((path / name).read_bytes(), np.uint8)
        for name in facts["files"]
        if name.endswith(ARCHIVE)
    }
    try:
        return SavedHead(facts, read_arrays(path / ARRAYS) | archives)
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise HeadError(f"{path / ARRAYS} holds no arrays: {error}.", fix=HEAD.mend) from error
