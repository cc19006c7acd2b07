"""Scores that say without training how well vectors tell classes apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from downstream.report.intervals import group_variance, share
from downstream.report.nearest import NONE, nearest
from downstream.report.study import Study
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 5
MAX_ASKED = 10_000
_STEPS = 100
_CLOSE = 1e-6  # relative change of alpha and beta at which they stand
_BLOCK = 8_192


def transferability(study: Study) -> Json:
    """Return `logme`, `knn_accuracy` with its interval, and what they were measured on."""
    return {
        "logme": logme(study.vectors, study.classes),
        "knn_accuracy": knn_accuracy(study.vectors, study.classes, study.groups, seed=study.seed),
        "neighbours": NEIGHBOURS,
        "rows": len(study),
        "asked": min(len(study), MAX_ASKED),
    }


def logme(X: NDArray[np.floating], y: NDArray[Any]) -> float:
    """Return the logarithm of the maximum evidence of vectors (n, d) for classes (n,).

    A Bayesian linear regression on each class's indicator, with the prior precision alpha and the
    noise precision beta that make the labels most probable; the mean of log p(y | X) / n over the
    classes. Higher is better, and only encoders on the same rows compare. Method: You et al.,
    "LogME: Practical Assessment of Pre-trained Models for Transfer Learning", ICML 2021, with the
    fixed point iteration of its sequel (JMLR 2022). Takes one pass over the rows, in blocks, and
    d x (d + k) memory.
    """
    names, classes = np.unique(y, return_inverse=True)
    gram, sums = _moments(X, classes, len(names))
    spectrum, axes = np.linalg.eigh(gram)
    kept = spectrum > spectrum[-1] * len(gram) * np.finfo(np.float64).eps
    spectrum, projected = spectrum[kept], axes[:, kept].T @ sums
    explained = np.square(projected) / spectrum[:, None]  # of |y|^2, along each axis
    counts = np.bincount(classes)
    evidence = [
        _evidence(spectrum, explained[:, number], float(count), len(classes), X.shape[1])
        for number, count in enumerate(counts)
    ]
    return float(np.mean(evidence))


def knn_accuracy(
    X: NDArray[np.floating],
    y: NDArray[Any],
    groups: NDArray[np.intp] | None = None,
    *,
    k: int = NEIGHBOURS,
    seed: int = 0,
) -> Json:
    """Return how often the `k` nearest others, by their cosines, vote for a row's own class.

    `X` (n, d), `y` (n,). Rows of one of the `groups` (n,) do not vote for each other; without them
    each row is its own. At most 10,000 rows, drawn at random, are asked; all vote. The interval is
    Wilson's, over the groups of the rows asked, at 95 %.
    """
    classes = np.unique(y, return_inverse=True)[1]
    groups = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    asked = np.sort(np.random.default_rng(seed).permutation(len(y))[:MAX_ASKED])
    places, cosines = nearest(X, groups, k, asked)
    correct = voted(classes[places], np.where(places == NONE, 0, cosines)) == classes[asked]
    correct &= places[:, 0] != NONE
    return _interval(correct, np.unique(groups[asked], return_inverse=True)[1])


def voted(classes: NDArray[np.intp], weights: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the class (m,) that has most weight among neighbours (m, k); the nearest of equals."""
    alike = classes[:, :, None] == classes[:, None, :]
    votes = (alike * np.maximum(weights, 0)[:, None, :]).sum(axis=2)
    return np.asarray(np.take_along_axis(classes, votes.argmax(axis=1)[:, None], axis=1)[:, 0])


def _interval(correct: NDArray[np.bool_], groups: NDArray[np.intp]) -> Json:
    """Return the interval of a share of rows, whose groups are the independent draws."""
    mean, count = float(correct.mean()), int(groups.max()) + 1
    variance = group_variance((correct - mean) / len(correct), groups, folds=len(correct))
    return share(mean, variance, count)


def _moments(
    X: NDArray[np.floating], classes: NDArray[np.intp], k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return X'X, (d, d), and X'Y, (d, k), where Y marks the class of each row."""
    gram = np.zeros((X.shape[1], X.shape[1]))
    sums = np.zeros((k, X.shape[1]))
    for start in range(0, len(X), _BLOCK):
        block = np.asarray(X[start : start + _BLOCK], dtype=np.float64)
        gram += block.T @ block
        np.add.at(sums, classes[start : start + _BLOCK], block)
    return gram, sums.T


def _evidence(
    spectrum: NDArray[np.float64],
    explained: NDArray[np.float64],
    length: float,
    rows: int,
    dim: int,
) -> float:
    """Return log p(y | X) / n at its maximum over alpha and beta.

    `spectrum` (r,) are the eigenvalues of X'X above zero, `explained` (r,) the squares of y along
    the axes they belong to, `length` the square of |y|.
    """
    unexplained = max(0.0, length - float(explained.sum()))
    ratio = 1.0  # alpha / beta, all that the regression depends on
    for _ in range(_STEPS):
        shrunk = spectrum + ratio
        gamma = float((spectrum / shrunk).sum())  # the number of parameters the data determine
        weights = float((spectrum * explained / np.square(shrunk)).sum())  # |m|^2
        residual = float((explained * np.square(ratio / shrunk)).sum()) + unexplained
        alpha, beta = gamma / (weights + 1e-12), (rows - gamma) / (residual + 1e-12)
        before, ratio = ratio, alpha / beta
        if abs(ratio - before) <= _CLOSE * before:
            break
    shrunk = spectrum + ratio
    residual = float((explained * np.square(ratio / shrunk)).sum()) + unexplained
    weights = float((spectrum * explained / np.square(shrunk)).sum())
    determinant = float(np.log(alpha + beta * spectrum).sum())
    determinant += (dim - len(spectrum)) * np.log(alpha)
    twice = dim * np.log(alpha) + rows * np.log(beta) - determinant - rows * np.log(2 * np.pi)
    return float((twice - beta * residual - alpha * weights) / (2 * rows))
