"""The encoder bundle: a folder with one frozen encoder, and the card that says what it is."""

from featurize.bundle.card import EncoderCard, VectorSpace
from featurize.bundle.folder import (
    CARD,
    GRAPH,
    LOWER,
    PREPROCESS,
    REFERENCE,
    TOKENIZER,
    Bundle,
    graph_names,
    lowered,
    write_card,
)

__all__ = [
    "CARD",
    "GRAPH",
    "LOWER",
    "PREPROCESS",
    "REFERENCE",
    "TOKENIZER",
    "Bundle",
    "EncoderCard",
    "VectorSpace",
    "graph_names",
    "lowered",
    "write_card",
]
