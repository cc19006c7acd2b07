"""What people call the figures and baselines of a report."""

from __future__ import annotations

_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "logme": "LogME",
    "knn_accuracy": "nearest neighbours",
    "majority": "the largest class",
    "tfidf": "TF-IDF",
    "colours": "the colour histogram",
    "pixels": "raw pixels",
}


def called(name: str) -> str:
    """Return the words for a key of the facts, as they stand in a sentence."""
    return _NAMES.get(name, name.replace("_", " "))


def heading(name: str) -> str:
    """Return the words for a key of the facts, as they stand alone."""
    words = called(name).removeprefix("the ")
    return words[:1].upper() + words[1:]
