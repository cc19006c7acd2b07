"""embetter: `SentenceEncoder.transform` of texts in memory."""

from __future__ import annotations

from typing import Any

from embetter.text import SentenceEncoder
from protocol import Work, read_texts, serve


def load(options: dict[str, Any]) -> Work:
    """Load the folder of the model."""
    encoder = SentenceEncoder(options["model"])
    texts = read_texts(options["inputs"])
    encoder.transform(texts[:32])
    return Work(len(texts), lambda: encoder.transform(texts))


if __name__ == "__main__":
    serve(load, ("embetter", "sentence-transformers", "torch"))
