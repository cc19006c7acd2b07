"""What people call the figures and baselines of a report."""

from __future__ import annotations

_NAMES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "log_loss": "Log loss",
    "logme": "LogME",
    "knn_accuracy": "Nearest neighbours",
    "majority": "Largest class",
    "tfidf": "TF-IDF",
    "colours": "Colour histogram",
    "pixels": "Raw pixels",
    "permuted": "Permuted weights",
}


def called(name: str) -> str:
    """Return the words for a key of the facts; a key without any in its own letters."""
    return _NAMES.get(name, name.replace("_", " ").capitalize())
