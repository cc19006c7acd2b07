"""Embedding tables, with labels, as arrays."""

from downstream.datasets.dataset import LABEL, Dataset, load_dataset
from downstream.datasets.opening import Table, open_table

__all__ = ["LABEL", "Dataset", "Table", "load_dataset", "open_table"]
