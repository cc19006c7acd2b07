"""Logistic regression on words, runs of characters and the surface of texts."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from downstream.heads.models.choice import log_losses
from downstream.heads.split import splits
from downstream.report.baselines.raw import Lacking, require
from downstream.report.held_out import Learner
from downstream.report.study import Study
from featurize.types import Modality

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

TOKENS = r"\w+|[^\w\s]"
MAX_CHARACTERS = 2_000
MAX_DIGITS = 8
STRENGTHS = (100.0, 10.0, 1.0)
PASSES = 100_000  # rows that the solver sees in a fit, however few there are: 8 to 100 times each
SHAPES: dict[str, Callable[[str], bool]] = {
    "upper": str.isupper,
    "title": str.istitle,
    "lower": str.islower,
    "digits": str.isdigit,
    "mixed": str.isalnum,
}

Predict: TypeAlias = "Callable[[csr_matrix], NDArray[np.float64]]"


class Texts:
    """Words and pairs of words, runs of 2 to 5 characters and the surface, as TF-IDF.

    Letter case and digits are kept: encoders may have lost them. The frequencies are those of all
    rows, which tells nothing of any label and spares counting again in each fold.
    """

    names: tuple[str, ...] = ("tfidf",)

    def learners(self, study: Study) -> dict[str, Learner]:
        """Return the logistic regression on TF-IDF."""
        require(study, Modality.TEXT)
        if study.texts is None:
            raise Lacking("The table keeps no texts: embed texts without --no-text.")
        texts = [(text or "")[:MAX_CHARACTERS] for text in study.texts]
        return {"tfidf": _sparse_learner(study, tfidf(texts))}


def tfidf(texts: list[str]) -> csr_matrix:
    """Return the weights of three kinds of terms, (n, terms) float32, each kind at length 1.

    They are words, runs of characters, and `surface`; terms that one text alone has are left out.
    """
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    settings = {"lowercase": False, "min_df": 2, "sublinear_tf": True, "dtype": np.float32}
    words = TfidfVectorizer(token_pattern=TOKENS, ngram_range=(1, 2), **settings)
    runs = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **settings)
    parts = []
    for vectorizer in (words, runs, TfidfVectorizer(analyzer=surface, **settings)):
        try:
            parts.append(vectorizer.fit_transform(texts))
        except ValueError:  # no term is in two texts
            parts.append(csr_matrix((len(texts), 1), dtype=np.float32))
    return csr_matrix(hstack(parts))


def surface(text: str) -> Iterator[str]:
    """Yield the shape of every word, punctuation, and the place of each digit from both ends."""
    for token in re.findall(TOKENS, text):
        yield next((name for name, has in SHAPES.items() if has(token)), token)
        if any(map(str.isdigit, token)):
            yield from (f"{place}{sign}" for place, sign in enumerate(token[:MAX_DIGITS]))
            ending = token[: -MAX_DIGITS - 1 : -1]
            yield from (f"-{place}{sign}" for place, sign in enumerate(ending))


def _sparse_learner(study: Study, features: csr_matrix) -> Learner:
    """Return a logistic regression on sparse features; C is kept from the first training."""
    chosen: list[float] = []

    def learn(train: NDArray[np.intp], test: NDArray[np.intp]) -> NDArray[np.float64]:
        vectors, classes = features[train], study.classes[train]
        if not chosen:
            chosen.append(_best_strength(vectors, classes, study.groups[train], study.seed))
        return _fitted(vectors, classes, chosen[0])(features[test])

    return learn


def _best_strength(
    vectors: csr_matrix, classes: NDArray[np.intp], groups: NDArray[np.intp], seed: int
) -> float:
    """Return the C that gives the least log loss on a third of the rows."""
    held = next(splits(classes, groups, 3, seed))
    if not held.any():
        return STRENGTHS[1]
    losses = [
        log_losses(
            _fitted(vectors[~held], classes[~held], strength)(vectors[held]), classes[held]
        ).sum()
        for strength in STRENGTHS
    ]
    return STRENGTHS[int(np.argmin(losses))]


def _fitted(vectors: csr_matrix, classes: NDArray[np.intp], strength: float) -> Predict:
    """Return what gives probabilities after a fit on sparse vectors."""
    from sklearn.linear_model import LogisticRegression

    passes = int(np.clip(PASSES // len(classes), 8, 100))
    model = LogisticRegression(C=strength, solver="saga", tol=1e-3, max_iter=passes, random_state=0)
    with warnings.catch_warnings(action="ignore"):  # of steps run out
        model.fit(vectors, classes)
    predict: Predict = model.predict_proba
    return predict
