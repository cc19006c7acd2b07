"""What a saved head is, and whether it is sound."""

from __future__ import annotations

from pathlib import Path

from downstream.heads.opening import open_head
from downstream.heads.store import ARRAYS, HEAD
from downstream.heads.unsound import Unsound
from featurize.errors import FeaturizeError, OutdatedHead
from featurize.types import Json, Problem, Verdict


def inspect_head(path: str | Path) -> Json:
    """Return the card of a saved head: model, classes, metrics, encoder, what it was made from."""
    return HEAD.peek(Path(path))


def verify_head(path: str | Path) -> list[Problem]:
    """Check hashes, arrays and probe rows; return what is wrong, nothing for a sound head."""
    if problems := HEAD.problems(Path(path)):
        return problems
    try:
        open_head(path)
    except OutdatedHead as error:
        return [Problem(HEAD.card, error.message, error.fix, Verdict.OUTDATED)]
    except FeaturizeError as error:
        cause = error.__cause__
        file = cause.file if isinstance(cause, Unsound) else ARRAYS
        return [Problem(file, error.message, error.fix)]
    return []
