"""Heads that answer only when they are sure enough."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from downstream import Head, evaluate, predict_table, train
from downstream.heads.trust.abstention import Abstention, lower_bound
from featurize.errors import HeadError, UsageError


def drawn(rows, seed=0):
    """Draw honest confidences, and whether each answer is right."""
    rng = np.random.default_rng(seed)
    confidence = rng.beta(3, 0.35, rows)
    return confidence, rng.random(rows) < confidence


def test_the_bound_is_clopper_and_pearsons():
    """It is scipy's exact bound; of no hit nothing is sure."""
    hits, counts = np.array([0, 1, 18, 20, 950]), np.array([5, 3, 20, 20, 1000])
    expected = [
        binomtest(int(hit), int(count), alternative="greater").proportion_ci(0.95, "exact").low
        for hit, count in zip(hits, counts, strict=True)
    ]
    assert lower_bound(hits, counts) == pytest.approx(expected)


def test_answers_reach_the_precision_asked_for():
    """On new rows of the same kind 95 of 100 thresholds, or more, keep what they promise."""
    confidence, correct = drawn(100_000, seed=1_000)
    kept = 0
    for seed in range(100):
        found = Abstention.choose(*drawn(1_000, seed), 0.95)
        kept += correct[confidence >= found.threshold].mean() >= 0.95
        assert 0.5 < found.coverage < 0.9
    assert kept >= 95


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1_000), st.sampled_from([0.5, 0.8, 0.9]))
def test_the_threshold_is_the_lowest_that_keeps_the_bound(seed, target):
    """Coverage and precision are those of the rows from the threshold on, and the bound holds."""
    confidence, correct = drawn(400, seed)
    confidence = confidence.round(2)  # many are equal
    found = Abstention.choose(confidence, correct, target)
    given = confidence >= found.threshold
    assert found.coverage == given.mean()
    assert found.precision == pytest.approx(correct[given].mean())
    assert found.precision_low >= target
    for lower in np.unique(confidence[~given]):
        more = confidence >= lower
        assert lower_bound(correct[more].sum(), more.sum()) < target


def test_nothing_is_held_back_where_all_is_right_enough():
    """The threshold is then zero, so that rows of any confidence are answered."""
    found = Abstention.choose(np.linspace(0.3, 1, 200), np.ones(200, dtype=bool), 0.95)
    assert (found.threshold, found.coverage) == (0.0, 1.0)


@pytest.mark.parametrize("rows", [0, 20])
def test_a_precision_out_of_reach_is_said(rows):
    """Few rows, though all right, make no precision sure; the message says how sure they make."""
    with pytest.raises(HeadError, match="held out") as error:
        Abstention.choose(np.linspace(0.3, 1, rows), np.ones(rows, dtype=bool), 0.95)
    assert "--min-precision" in error.value.fix


@pytest.mark.parametrize("target", [0, 1, 1.5, -0.1, float("nan")])
def test_a_precision_is_between_none_and_all(clustered, target):
    """Another target is a usage error, before anything is learned."""
    with pytest.raises(UsageError, match="cannot be promised"):
        Head(min_precision=target).fit(*clustered(40))


@pytest.fixture(scope="module")
def careful(table):
    """Train a head that answers if it is right in 9 of 10 cases."""
    return Head(min_precision=0.9).fit(table)


def test_predictions_below_the_threshold_are_null(careful, table, tmp_path):
    """Confidence and probabilities stay; `predict` of the head itself answers all rows."""
    out = tmp_path / "p.parquet"
    assert predict_table(careful, table, out) == 240
    rows = pq.read_table(out).to_pandas()
    threshold = careful.describe()["abstention"]["threshold"]
    held_back = rows["confidence"] < np.float32(threshold)
    assert 0 < held_back.sum() < 240
    assert rows["prediction"].isna().equals(held_back)
    assert (rows["prediction"] == careful.predict(table))[~held_back].all()
    assert rows["probabilities"].map(len).eq(3).all()


def test_evaluation_measures_the_answers(careful, head, table):
    """Precision is that of the rows answered, coverage their share; other heads have none."""
    found = evaluate(careful, table)["answers"]
    confidence = careful.predict_proba(table).max(axis=1)
    given = confidence >= found["threshold"]
    correct = careful.predict(table) == table.labels
    assert (found["rows"], found["coverage"]) == (given.sum(), pytest.approx(given.mean()))
    assert found["precision"] == pytest.approx(correct[given].mean())
    assert found["min_precision"] == 0.9
    assert evaluate(head, table)["answers"] is None


def test_the_threshold_is_saved(careful, table, tmp_path):
    """A loaded head abstains as the trained one did."""
    careful.save(tmp_path / "head")
    again = Head.load(tmp_path / "head")
    assert again.describe()["abstention"] == careful.describe()["abstention"]
    assert evaluate(again, table)["answers"] == evaluate(careful, table)["answers"]


def test_a_head_that_cannot_reach_it_is_not_trained(make_table, clustered):
    """Labels without sense leave no answer to be sure of."""
    vectors, labels = clustered(120)
    shuffled = np.random.default_rng(0).permutation(labels).tolist()
    with pytest.raises(HeadError, match=r"99\.0%"):
        Head(min_precision=0.99).fit(make_table(vectors, shuffled))


def test_a_loaded_head_would_learn_again_as_it_was_asked_to(table, tmp_path):
    """Its options are those it was trained with."""
    trained = Head(calibrate="isotonic", min_precision=0.8, scope=True).fit(table)
    trained.save(tmp_path / "head")
    assert Head.load(tmp_path / "head").get_params() == trained.get_params()


def test_only_heads_of_one_class_a_row_take_the_options(table):
    """A number has no confidence; asked for one, training stops."""
    with pytest.raises(UsageError, match="one class a row"):
        train(table, task="number", min_precision=0.9)
