"""Classes by their names alone: rows go to the label whose sentence lies nearest."""

from downstream.zeroshot.answers import classify_table, measure_labels
from downstream.zeroshot.classifier import ZeroShot
from downstream.zeroshot.naming import read_names, split_names

__all__ = ["ZeroShot", "classify_table", "measure_labels", "read_names", "split_names"]
