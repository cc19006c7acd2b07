"""Embedding tables to labels, neighbours and answers; the encoder is never trained."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from downstream.embedders import ImageEmbedder, TextEmbedder
    from downstream.heads import (
        Head,
        MultilabelHead,
        RegressionHead,
        evaluate,
        open_head,
        predict_table,
        train,
    )
    from downstream.index import Hit, VectorIndex
    from downstream.neighbors import Duplicates, duplicates
    from downstream.ranking import rank
    from downstream.report import Study, TransferReport
    from downstream.search import Searcher
    from downstream.zeroshot import ZeroShot

__all__ = [
    "Duplicates",
    "Head",
    "Hit",
    "ImageEmbedder",
    "MultilabelHead",
    "RegressionHead",
    "Searcher",
    "Study",
    "TextEmbedder",
    "TransferReport",
    "VectorIndex",
    "ZeroShot",
    "duplicates",
    "evaluate",
    "open_head",
    "predict_table",
    "rank",
    "train",
]

_HOMES = {
    "Duplicates": "downstream.neighbors",
    "Head": "downstream.heads",
    "Hit": "downstream.index",
    "ImageEmbedder": "downstream.embedders",
    "MultilabelHead": "downstream.heads",
    "RegressionHead": "downstream.heads",
    "Searcher": "downstream.search",
    "Study": "downstream.report",
    "TextEmbedder": "downstream.embedders",
    "TransferReport": "downstream.report",
    "VectorIndex": "downstream.index",
    "ZeroShot": "downstream.zeroshot",
    "duplicates": "downstream.neighbors",
    "evaluate": "downstream.heads",
    "open_head": "downstream.heads",
    "predict_table": "downstream.heads",
    "rank": "downstream.ranking",
    "train": "downstream.heads",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `import downstream` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'downstream' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return [*__all__]
