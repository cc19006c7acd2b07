"""What a saved index is, and whether it is sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from downstream.index.index import GRAPH, INDEX, ROWS, VECTORS, VectorIndex
from downstream.index.origin import outdated
from featurize.errors import FeaturizeError, OutdatedIndex
from featurize.table.verify import NORM_TOLERANCE
from featurize.types import Json, Problem, Verdict


def inspect_index(path: str | Path) -> Json:
    """Return the card of a saved index: kind, rows, encoder, and the table it was made from."""
    return INDEX.peek(Path(path))


def verify_index(path: str | Path) -> list[Problem]:
    """Check hashes, sizes, ids and vectors; return what is wrong, nothing for a sound index."""
    if problems := INDEX.problems(Path(path)):
        return problems
    try:
        index = VectorIndex.open(path)
    except OutdatedIndex as error:
        return [Problem(INDEX.card, error.message, error.fix, Verdict.OUTDATED)]
    except FeaturizeError as error:
        return [Problem(INDEX.card, error.message, error.fix)]
    problems = []
    if len(index.ids) < len(index):
        problems.append(Problem(ROWS, "an id occurs twice", INDEX.mend))
    norms = np.linalg.norm(index.vectors, axis=1)
    if not (np.abs(norms - 1) <= NORM_TOLERANCE).all():
        problems.append(Problem(VECTORS, "a vector has not unit length", INDEX.mend))
    if not np.array_equal(index.graph.reconstruct_n(0, len(index)), index.vectors):
        problems.append(Problem(GRAPH, f"its vectors differ from those of {VECTORS}", INDEX.mend))
    return problems


def remarks_on_index(path: str | Path) -> list[str]:
    """Say what a person should know of a sound index: that its table has moved on."""
    how = outdated(INDEX.peek(Path(path)))
    return [f"outdated: {how}: make it again with `{INDEX.command}`"] if how else []
