"""Scores that need no training, against what they are defined as."""

import numpy as np
import pytest

from downstream.report.nearest import NONE, nearest
from downstream.report.study import Study
from downstream.report.transferability import knn_accuracy, logme, transferability


@pytest.mark.parametrize("shape", [(60, 8), (20, 30)])
def test_logme_is_the_greatest_evidence(shape):
    """The score is the mean over classes of log p(y | X) / n at the best alpha and beta."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(0)
    X = rng.normal(size=shape)
    y = (X[:, 0] + rng.normal(size=shape[0]) > 0).astype(int) + (X[:, 1] > 1)

    def evidence(target):
        def negative(logs):
            alpha, beta = np.exp(logs)
            covariance = np.eye(len(X)) / beta + X @ X.T / alpha
            logdet = np.linalg.slogdet(covariance)[1]
            squares = target @ np.linalg.solve(covariance, target)
            return 0.5 * (logdet + squares + len(X) * np.log(2 * np.pi))

        return -minimize(negative, [0.0, 0.0], method="Nelder-Mead", tol=1e-10).fun / len(X)

    expected = np.mean([evidence((y == number).astype(float)) for number in np.unique(y)])
    assert logme(X, y) == pytest.approx(expected, abs=1e-4)


def test_logme_survives_dimensions_that_say_nothing():
    """Dimensions without any values neither break nor help the score."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 5))
    y = (X[:, 0] > 0).astype(str)
    padded = np.hstack([X, np.zeros((100, 3))])
    assert logme(padded, y) == pytest.approx(logme(X, y), abs=1e-6)


def test_both_scores_rank_tables_as_their_noise_does(clustered):
    """The more the classes overlap, the lower both scores."""
    tables = [clustered(300, spread=spread) for spread in (0.1, 0.5, 2.0)]
    evidence = [logme(X, np.array(y)) for X, y in tables]
    votes = [knn_accuracy(X, np.array(y))["mean"] for X, y in tables]
    assert evidence == sorted(evidence, reverse=True)
    assert votes == sorted(votes, reverse=True)
    assert votes[0] > 0.99


def test_rows_of_one_group_do_not_vote_for_each_other():
    """Copies of random rows with random labels are no evidence once they are grouped."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(200, 16)), 3, axis=0)
    y, groups = np.repeat(rng.integers(2, size=200), 3), np.repeat(np.arange(200), 3)
    assert knn_accuracy(X, y, k=1)["mean"] == 1
    grouped = knn_accuracy(X, y, groups, k=1)
    assert grouped["low"] < 0.5 < grouped["high"]


@pytest.mark.parametrize("size", [1, 7, 90])
def test_nearest_is_exact_outside_groups_of_any_size(size):
    """The neighbours are those of a plain search with the row's group struck out."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 6)).astype(np.float32)
    groups = np.arange(200) // size
    places, cosines = nearest(X, groups, 4)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    all_cosines = np.where(groups[:, None] == groups, -np.inf, unit @ unit.T)
    np.testing.assert_array_equal(places, np.argsort(-all_cosines, axis=1)[:, :4])
    np.testing.assert_allclose(cosines, -np.sort(-all_cosines, axis=1)[:, :4], atol=1e-5)


def test_nearest_says_where_there_are_too_few_others():
    """A row with fewer others than asked for has -1 in their place."""
    places, cosines = nearest(np.eye(3), np.array([0, 0, 1]), 3)
    np.testing.assert_array_equal((places != NONE).sum(axis=1), [1, 1, 2])
    assert np.isneginf(cosines[places == NONE]).all()


def test_the_section_holds_both_scores(table):
    """The section has LogME as a number and the vote with its interval."""
    found = transferability(Study.open(table))
    assert isinstance(found["logme"], float)
    votes = found["knn_accuracy"]
    assert 0 <= votes["low"] <= votes["mean"] <= votes["high"] <= 1
