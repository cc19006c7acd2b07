"""Learners on raw inputs, without the encoder: what a head has to beat."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from downstream.heads.linear import log_losses
from downstream.heads.split import splits
from downstream.report.held_out import Learner, head_learner
from downstream.report.study import Study
from featurize.errors import InputRejected
from featurize.processors.decoding import decode
from featurize.sources.files import Files, read_bytes
from featurize.storage import sha256_bytes
from featurize.types import Modality, RejectReason

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

TOKENS = r"\w+|[^\w\s]"
MAX_CHARACTERS = 2_000
STRENGTHS = (100.0, 10.0, 1.0)
PASSES = 100_000  # rows that the solver sees in a fit, however few there are: 8 to 100 times each
SIDE = 32  # pixels
BINS = 8  # of each colour channel
MAX_LOST = 0.05

Predict: TypeAlias = "Callable[[csr_matrix], NDArray[np.float64]]"


class Lacking(Exception):
    """A study lacks what some raw features are made of; the message says what would bring it."""


class Kind(Protocol):
    """A kind of raw data and the names of the baselines on it."""

    names: tuple[str, ...]

    def learners(self, study: Study) -> dict[str, Learner]:
        """Return the baselines by name; raise Lacking where the study has no such raw data."""


class Texts:
    """Words and pairs of words, and runs of 2 to 5 characters, as TF-IDF; their case is kept.

    The frequencies are those of all rows, which tells nothing of any label and spares counting
    again in each fold.
    """

    names: tuple[str, ...] = ("tfidf",)

    def learners(self, study: Study) -> dict[str, Learner]:
        """Return the logistic regression on TF-IDF."""
        _require(study, Modality.TEXT)
        if study.texts is None:
            raise Lacking("The table keeps no texts: embed texts without --no-text.")
        texts = [(text or "")[:MAX_CHARACTERS] for text in study.texts]
        return {"tfidf": _sparse_learner(study, tfidf(texts))}


class Images:
    """Colours and coarse shapes of the image files that the table was made of."""

    names: tuple[str, ...] = ("colours", "pixels")

    def learners(self, study: Study) -> dict[str, Learner]:
        """Return the head's own method on colour histograms and on small images."""
        _require(study, Modality.IMAGE)
        if study.source is None:
            raise Lacking("Name the folder that the table was made of with --source.")
        small = np.stack(list(_small_images(study, study.source)))
        known = ~np.isnan(small).any(axis=(1, 2, 3))
        lost = int((~known).sum())
        if lost > MAX_LOST * len(study):
            raise Lacking(
                f"{lost} of {len(study)} files of --source are not there, or not those that were "
                "embedded: name the folder the table was made of."
            )
        small[~known] = small[known].mean(axis=0)
        return {
            "colours": head_learner(study, colours(small)),
            "pixels": head_learner(study, pixels(small)),
        }


KINDS: tuple[Kind, ...] = (Texts(), Images())


def tfidf(texts: list[str]) -> csr_matrix:
    """Return the weights of words and of runs of characters, (n, terms) float32, each at length 1.

    Terms that one text alone has are left out.
    """
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    settings = {"lowercase": False, "min_df": 2, "sublinear_tf": True, "dtype": np.float32}
    words = TfidfVectorizer(token_pattern=TOKENS, ngram_range=(1, 2), **settings)
    runs = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **settings)
    parts = []
    for vectorizer in (words, runs):
        try:
            parts.append(vectorizer.fit_transform(texts))
        except ValueError:  # no term is in two texts
            parts.append(csr_matrix((len(texts), 1), dtype=np.float32))
    return csr_matrix(hstack(parts))


def colours(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return root shares of 8 x 8 x 8 colours, (n, 512) float32, of images (n, h, w, 3) in 0..1."""
    steps = np.clip(images * BINS, 0, BINS - 1).astype(np.intp)
    cells = (steps @ np.array([BINS * BINS, BINS, 1])).reshape(len(images), -1)
    counts = np.stack([np.bincount(row, minlength=BINS**3) for row in cells])
    return np.asarray(np.sqrt(counts / cells.shape[1]), dtype=np.float32)


def pixels(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return images (n, 2 s, 2 s, 3) at half their size, as rows: (n, 3 s s) float32."""
    count, height, width, channels = images.shape
    blocks = images.reshape(count, height // 2, 2, width // 2, 2, channels)
    return np.asarray(blocks.mean(axis=(2, 4)).reshape(count, -1))


def _require(study: Study, modality: Modality) -> None:
    if modality not in study.data.encoder.modalities:
        raise Lacking(f"The table was not made of {modality}s.")


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


def _small_images(study: Study, source: Path) -> Iterator[NDArray[np.float32]]:
    """Yield every row's image at 64 x 64 pixels, (64, 64, 3) float32 in 0..1, NaN for lost ones."""
    files = Files(source.resolve(), (Modality.IMAGE,))
    size = (2 * SIDE, 2 * SIDE)
    for name, content in zip(study.data.ids, study.contents, strict=True):
        try:
            data = read_bytes(files.root / files.locate(name)[0])
            if sha256_bytes(data) != content:
                raise InputRejected(RejectReason.UNREADABLE, "not what was embedded")
            image = decode(data).resize(size, reducing_gap=2.0)
            yield np.asarray(image, dtype=np.float32) / np.float32(255)
        except InputRejected:
            yield np.full((*size, 3), np.nan, dtype=np.float32)
