"""Nearest neighbours among the rows of an embedding table."""

from downstream.index.content import INDEX
from downstream.index.hits import Hit
from downstream.index.index import VectorIndex
from downstream.index.inspection import inspect_index, remarks_on_index, verify_index

__all__ = ["INDEX", "Hit", "VectorIndex", "inspect_index", "remarks_on_index", "verify_index"]
