"""The facts of a head: what its card says, and a head made again from them."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from downstream.heads.columns import Columns
from downstream.heads.store import HEAD
from downstream.heads.unsound import reading
from featurize.bundle import EncoderCard
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from downstream.heads.base import TableHead
    from downstream.heads.models.model import Parts

_REQUIRED = ("label", "table_version", "unmatched", "rows", "libraries")
# as earlier heads have it
_UNSAID = ("table", "table_id", "rows_sha256", "precision", "prompt", "labels", "merged")
_UNRECORDED: Json = {**dict.fromkeys(_UNSAID), "incomplete": False}


def of_arrays(rows: int) -> Json:
    """Return what is known of a training on arrays."""
    return {
        "label": None,
        "unmatched": {},
        "table_version": None,
        **_UNRECORDED,
        "rows": rows,
        "libraries": {name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn")},
    }


def common(head: TableHead) -> Json:
    """Return what the card of every kind of head says, but for its training."""
    return {
        "task": str(head.task),
        "model": head.model,
        "seed": head.seed,
        "dim": int(head.n_features_in_),
        "columns": None if head.columns_ is None else head.columns_.to_json(),
        "encoder": head.encoder_.to_json() if head.encoder_ else None,
        "metrics": head.metrics_,
    }


def require_types(facts: Json) -> None:
    """Raise Unsound where what is taken from a card as it is has another type."""
    with reading(HEAD.card):
        _require_types(facts)


def restore(head: TableHead, facts: Json, parts: Parts) -> None:
    """Give a new head what all have; raise KeyError, TypeError or ValueError where it is wrong."""
    head.n_features_in_ = facts["dim"]
    columns = facts.get("columns")
    head.columns_ = None if columns is None else Columns.load(columns, parts)
    card = facts["encoder"]
    head.encoder_ = None if card is None else EncoderCard.from_json(card)
    head.metrics_ = facts["metrics"]
    head.training_ = {name: facts[name] for name in _REQUIRED}
    head.training_ |= {name: facts.get(name, old) for name, old in _UNRECORDED.items()}


def column_names(facts: Json) -> tuple[str, ...]:
    """Return the columns that a head reads beside the vectors."""
    stated = facts.get("columns") or {"numeric": [], "categorical": []}
    return (*stated["numeric"], *stated["categorical"])


def classes(values: list[Any], dtype: str) -> NDArray[Any]:
    """Return classes of a card in their type, (k,); raise ValueError for a type that none have."""
    kind = np.dtype(dtype)
    if kind.kind not in "OUbiuf":
        raise ValueError(f"classes of type {dtype}")
    return np.array(values, dtype=kind)


def class_weight(facts: Json) -> Any:
    """Return what the card says of class weights: None, `balanced` or a mapping."""
    stated = facts.get("class_weight")
    return dict(stated) if isinstance(stated, list) else stated


def weight_pairs(stated: Any) -> Any:
    """Return class weights as JSON, whose objects have no keys but strings."""
    return [list(pair) for pair in stated.items()] if isinstance(stated, Mapping) else stated


def _require_types(facts: Json) -> None:
    seed, settings, labels = facts["seed"], facts["settings"], facts.get("labels")
    if isinstance(seed, bool) or not isinstance(seed, int | None):
        raise TypeError(f"seed is no integer: {seed!r}")
    if not isinstance(settings, dict):
        raise TypeError(f"settings are no object: {settings!r}")
    if labels is not None and not (isinstance(labels, list) and all(map(_is_source, labels))):
        raise TypeError(f"labels are no list of sources: {labels!r}")


def _is_source(stated: Any) -> bool:
    """Say whether a value is what `LabelSource.to_json` gives."""
    return (
        isinstance(stated, dict)
        and isinstance(stated.get("label"), str)
        and all(isinstance(stated[name], str | None) for name in ("file", "sha256"))
    )
