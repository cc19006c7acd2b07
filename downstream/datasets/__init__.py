"""Embedding tables, with labels, as arrays."""

from downstream.datasets.dataset import LABEL, Dataset, computed, load_dataset
from downstream.datasets.opening import Table, open_table

__all__ = ["LABEL", "Dataset", "Table", "computed", "load_dataset", "open_table"]
