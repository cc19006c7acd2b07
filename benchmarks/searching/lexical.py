"""Ranking by words: BM25 (Robertson and others, 1994) and TF-IDF, in sparse matrices."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from searching.metrics import DEPTH
from searching.porter import stem

if TYPE_CHECKING:
    from numpy.typing import NDArray

Tokenizer = Callable[[str], list[str]]
# the short list of Apache Lucene's EnglishAnalyzer
_STOPPED = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be but by for if in into is it no not of on or such that the their "
        "then there these they this to was will with",
    )
)


@dataclass(frozen=True, slots=True)
class Words:
    """How a text is cut into words: in lower case, without the commonest, cut to stems."""

    stopped: bool
    stemmed: bool

    def __call__(self, text: str) -> list[str]:
        """Return the words of a text."""
        words = re.findall(r"[a-z0-9]+", text.lower())
        kept = [word for word in words if not (self.stopped and word in _STOPPED)]
        return [stem(word) for word in kept] if self.stemmed else kept


def bm25(
    documents: Sequence[str], queries: Sequence[str], words: Tokenizer, k1: float, b: float
) -> list[NDArray[np.intp]]:
    """Return for each query the places of documents with a word of it, best first."""
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer=words)
    counts = counter.fit_transform(documents).tocsr().astype(np.float64)
    lengths = np.asarray(counts.sum(axis=1)).ravel()
    found = np.bincount(counts.indices, minlength=counts.shape[1])
    rarity = np.log1p((len(documents) - found + 0.5) / (found + 0.5))
    long = k1 * (1 - b + b * lengths / lengths.mean())
    lines = np.repeat(np.arange(len(documents)), np.diff(counts.indptr))
    weights = counts.data * (k1 + 1) / (counts.data + long[lines]) * rarity[counts.indices]
    counts.data = weights
    return _ranked(counter.transform(queries) @ counts.T)


def tf_idf(
    documents: Sequence[str], queries: Sequence[str], words: Tokenizer
) -> list[NDArray[np.intp]]:
    """Return for each query the places of documents with a word of it, by scikit-learn's cosine."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer=words, sublinear_tf=True)
    weights = vectorizer.fit_transform(documents)
    return _ranked(vectorizer.transform(queries) @ weights.T)


def _ranked(scores: Any) -> list[NDArray[np.intp]]:
    """Return the places of positive scores, (queries, documents) sparse, at most 1,000 each."""
    rankings = []
    for line in np.asarray(scores.todense()):
        order = np.argsort(-line, kind="stable")[:DEPTH]
        rankings.append(order[line[order] > 0])
    return rankings
