"""Filters inside the index: as many hits as there are, the right ones, however many rows hold."""

import threading

import numpy as np
import pytest

from downstream import VectorIndex
from featurize.errors import UsageError

KINDS = ("flat", "ivf", "hnsw")
ROWS, DIM = 30_000, 12


def draw(rows, seed=0):
    """Draw vectors around 40 centres that all seeds share, and which centre it is."""
    centres = np.random.default_rng(99).normal(size=(40, DIM))
    rng = np.random.default_rng(seed)
    centre = rng.integers(40, size=rows)
    vectors = centres[centre] + 0.5 * rng.normal(size=(rows, DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), centre


@pytest.fixture(scope="module")
def big(make_table):
    """Make a table with columns of shares: half, a hundredth, one in ten thousand."""
    rng = np.random.default_rng(3)
    share = rng.random(ROWS)
    vectors, centre = draw(ROWS)
    return make_table(
        vectors,
        labels=np.where(share < 0.5, "half", "other").tolist(),
        share=share.tolist(),
        centre=centre.tolist(),
        price=[str(number) if number % 7 else "n/a" for number in range(ROWS)],
    )


@pytest.fixture(scope="module", params=KINDS)
def index(request, big):
    """Index it in one of the kinds."""
    return VectorIndex.build(big, request.param, 0.95)


CONDITIONS = {
    "label = 'half'": lambda rows: rows["label"] == "half",
    "share < 0.25": lambda rows: rows["share"] < 0.25,
    "share < 0.01": lambda rows: rows["share"] < 0.01,
    "share < 0.0003": lambda rows: rows["share"] < 0.0003,
    "centre < 20": lambda rows: rows["centre"] < 20,
    "centre = 3": lambda rows: rows["centre"] == 3,
    "label != 'half' AND centre >= 10": lambda rows: (
        (rows["label"] != "half") & (rows["centre"] >= 10)
    ),
}


@pytest.mark.parametrize("where", CONDITIONS)
def test_filtered_recall_is_that_of_the_index(index, big, where):
    """Against exact search of the rows that hold, at every share, k hits wherever k rows hold."""
    rows = big.to_pandas()
    holds = CONDITIONS[where](rows).to_numpy()
    queries = draw(300, seed=1)[0]
    cosines = np.where(holds, queries.astype(np.float64) @ big.to_numpy().T.astype(np.float64), -2)
    k = min(10, holds.sum())
    last = -np.sort(-cosines, axis=1)[:, k - 1]
    places, scores = index.find(queries, 10, where=where)
    assert ((places >= 0).sum(axis=1) == k).all()
    assert holds[places[places >= 0]].all()
    assert (scores[:, :k] >= last[:, np.newaxis] - 1e-6).mean() >= 0.95


@pytest.mark.parametrize("k", [10, 60])
def test_queries_from_afar_have_their_recall(index, big, k):
    """Where a filter hides the surroundings of every query, they find what others find."""
    queries, centre = draw(600, seed=4)
    queries = queries[centre >= 20]
    holds = (big.to_pandas()["centre"] < 20).to_numpy()
    cosines = np.where(holds, queries.astype(np.float64) @ big.to_numpy().T.astype(np.float64), -2)
    last = -np.sort(-cosines, axis=1)[:, k - 1]
    _, scores = index.find(queries, k, where="centre < 20")
    assert (scores >= last[:, np.newaxis] - 1e-6).mean() >= 0.95


def test_a_filter_goes_with_every_search(index):
    """Range search, search by id and a least score keep to it as well."""
    query = draw(1, seed=2)[0]
    everything = index.search(query, None, min_score=0.5)[0]
    half = index.search(query, None, min_score=0.5, where="label = 'half'")[0]
    assert half == [hit for hit in everything if hit.columns["label"] == "half"]
    near = index.search_id("row-00005", 5, where="centre = 3")
    assert len(near) == 5
    assert {hit.columns["centre"] for hit in near} == {3}


def test_nothing_holds_and_nothing_is_found(index):
    """A filter no row satisfies gives no hits."""
    query = draw(2, seed=2)[0]
    assert index.search(query, 5, where="label = 'nowhere'") == [[], []]
    assert index.search(query, None, min_score=0.1, where="label IS NULL") == [[], []]


def test_filters_of_several_threads_do_not_interfere(index):
    """Each reads columns of its own hits, from the one file that all share."""
    queries, conditions = draw(30, seed=6)[0], ["label = 'half'", "label = 'other'"] * 2
    found = {}

    def ask(number, where):
        found[number] = [index.search(query[np.newaxis], 5, where=where)[0] for query in queries]

    threads = [threading.Thread(target=ask, args=asked) for asked in enumerate(conditions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, where in enumerate(conditions):
        labels = {hit.columns["label"] for hits in found[number] for hit in hits}
        assert labels == {where.split("'")[1]}


def test_values_that_are_no_numbers_are_counted(index):
    """They are not selected."""
    where = "price < 100"
    assert index.uncast(where) == {"price": len(range(0, ROWS, 7))}
    found = index.search(draw(1)[0], 100, where=where)[0]
    assert len(found) == 100 - len(range(0, 100, 7))


@pytest.mark.parametrize("where", ["prize < 10", "price <", "embedding IS NULL", ""])
def test_impossible_filters_are_refused(index, where):
    """An unknown column and half a condition are usage errors."""
    with pytest.raises(UsageError):
        index.search(draw(1)[0], where=where)
