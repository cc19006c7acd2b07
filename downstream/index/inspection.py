"""What a saved index is, and whether it is sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from downstream.index.content import GRAPH, INDEX, ROWS, VECTORS, open_content
from downstream.index.index import VectorIndex
from downstream.index.origin import outdated
from featurize.errors import FeaturizeError, OutdatedIndex
from featurize.table.verify import NORM_TOLERANCE
from featurize.types import Json, Problem, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 1 << 14


def inspect_index(path: str | Path) -> Json:
    """Return the card of a saved index: kind, rows, encoder, and the table it was made from."""
    return INDEX.peek(Path(path))


def verify_index(path: str | Path) -> list[Problem]:
    """Check hashes, sizes, ids and vectors; return what is wrong, nothing for a sound index."""
    if problems := INDEX.problems(Path(path)):
        return problems
    try:
        facts, content = open_content(Path(path))
        index = VectorIndex(facts, content)
    except OutdatedIndex as error:
        return [Problem(INDEX.card, error.message, error.fix, Verdict.OUTDATED)]
    except FeaturizeError as error:
        return [Problem(INDEX.card, error.message, error.fix)]
    problems = []
    if len(set(index.ids)) < len(index):
        problems.append(Problem(ROWS, "an id occurs twice", INDEX.mend))
    if not _has_unit_length(content.vectors):
        problems.append(Problem(VECTORS, "a vector has not unit length", INDEX.mend))
    elif shortfall := index.shortfall():
        problems.append(Problem(GRAPH, shortfall, INDEX.mend))
    return problems


def _has_unit_length(vectors: NDArray[np.float32]) -> bool:
    blocks = (vectors[start : start + _BLOCK] for start in range(0, len(vectors), _BLOCK))
    norms = (np.linalg.norm(block, axis=1) for block in blocks)
    return all((np.abs(norm - 1) <= NORM_TOLERANCE).all() for norm in norms)


def remarks_on_index(path: str | Path) -> list[str]:
    """Say what a person should know of a sound index: that its table has moved on."""
    how = outdated(INDEX.peek(Path(path)))
    return [f"outdated: {how}: make it again with `{INDEX.command}`"] if how else []
