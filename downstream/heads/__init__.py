"""Classifiers that are trained on an embedding table and never touch the encoder."""

from downstream.heads.differences import differences
from downstream.heads.evaluation import evaluate
from downstream.heads.head import Head
from downstream.heads.inspection import inspect_head, verify_head
from downstream.heads.multilabel import MultilabelHead
from downstream.heads.opening import open_head
from downstream.heads.prediction import predict_table
from downstream.heads.regression import RegressionHead
from downstream.heads.store import HEAD
from downstream.heads.training import train

__all__ = [
    "HEAD",
    "Head",
    "MultilabelHead",
    "RegressionHead",
    "differences",
    "evaluate",
    "inspect_head",
    "open_head",
    "predict_table",
    "train",
    "verify_head",
]
