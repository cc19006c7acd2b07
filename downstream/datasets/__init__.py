"""Embedding tables, with labels, as arrays."""

from downstream.datasets.dataset import LABEL, Dataset, computed, load_dataset
from downstream.datasets.labels import column_among
from downstream.datasets.opening import Table, open_table
from downstream.datasets.sources import LabelSource
from downstream.datasets.tasks import Task, strata

__all__ = [
    "LABEL",
    "Dataset",
    "LabelSource",
    "Table",
    "Task",
    "column_among",
    "computed",
    "load_dataset",
    "open_table",
    "strata",
]
