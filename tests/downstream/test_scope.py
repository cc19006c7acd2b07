"""Telling what belongs to none of the classes of the training."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from downstream import Head, evaluate, predict_table, train
from downstream.heads import inspect_head
from downstream.heads.trust import scope
from downstream.heads.trust.scope import Scope
from featurize.errors import HeadError


@pytest.fixture(scope="module")
def keeper(make_table, clustered):
    """Train a head on three of six clusters, and make a table of all six."""
    vectors, labels = clustered(600, classes=6, spread=0.15)
    known = np.isin(labels, ["class-0", "class-1", "class-2"])
    halves = np.arange(600) < 300
    made = make_table(vectors[known & halves], np.array(labels)[known & halves].tolist())
    return train(made, scope=True), make_table(vectors[~halves], np.array(labels)[~halves].tolist())


def test_the_score_is_the_expected_cosine_to_the_nearest_row_of_the_class():
    """By definition, class by class, weighted by the probabilities."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 4)), np.arange(50) % 3
    new, probabilities = rng.normal(size=(7, 4)), rng.dirichlet(np.ones(3), 7)
    unit, rows = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (new, X))
    nearest = np.stack([(unit @ rows[y == number].T).max(axis=1) for number in range(3)], axis=1)
    found = Scope.learn(X, y, seed=0).score(new, probabilities)
    assert found == pytest.approx((nearest * probabilities).sum(axis=1), abs=1e-6)


def test_every_class_keeps_rows(monkeypatch):
    """Of many rows each class keeps an equal number, and small ones all they have."""
    monkeypatch.setattr(scope, "MAX_ROWS", 30)
    y = np.array([0] * 1_000 + [1] * 12 + [2])
    found = Scope.learn(np.random.default_rng(0).normal(size=(len(y), 4)), y, seed=0)
    assert found.starts.tolist() == [0, 10, 20]
    assert len(found.rows) == 21


def test_blocks_change_nothing(monkeypatch):
    """Rows are scored in blocks, to bound memory; the scores are the same."""
    rng = np.random.default_rng(0)
    found = Scope.learn(rng.normal(size=(50, 4)), np.arange(50) % 3, seed=0)
    new, probabilities = rng.normal(size=(25, 4)), rng.dirichlet(np.ones(3), 25)
    whole = found.score(new, probabilities)
    monkeypatch.setattr(scope, "BLOCK", 7)
    assert found.score(new, probabilities) == pytest.approx(whole, abs=1e-6)
    assert found.score(new[:0], probabilities[:0]).shape == (0,)


def test_unseen_classes_are_told(keeper, head, table):
    """Evaluation scores the rows with labels unseen in training by AUROC, by scope if kept."""
    trained, mixed = keeper
    found = evaluate(trained, mixed)
    assert found["unseen"]["rows"] == found["metrics"]["unknown_label_rows"] == 150
    assert found["unseen"]["by"] == "scope"
    assert found["unseen"]["auroc"] > 0.9
    trained = Head().fit(*(part[:300] for part in (table.to_numpy(), table.labels)))
    assert evaluate(head, table)["unseen"] is None


def test_without_scope_confidence_tells(keeper):
    """A head that keeps no rows is scored by its confidence."""
    trained, mixed = keeper
    plain = Head().fit(trained.training_["table"])
    found = evaluate(plain, mixed)["unseen"]
    assert found["by"] == "confidence"
    assert found["auroc"] < evaluate(trained, mixed)["unseen"]["auroc"]


def test_predictions_gain_a_column_only_if_rows_are_kept(keeper, head, table, tmp_path):
    """It comes last; what replaces older predictions may have it or not."""
    trained, mixed = keeper
    out = tmp_path / "p.parquet"
    predict_table(trained, mixed, out)
    rows = pq.read_table(out)
    assert rows.column_names == ["id", "prediction", "confidence", "probabilities", "scope"]
    expected = trained.trust_.scope.score(mixed.to_numpy(), trained.predict_proba(mixed))
    assert rows["scope"].to_numpy() == pytest.approx(expected, abs=1e-6)
    predict_table(head, table, out)
    assert "scope" not in pq.read_schema(out).names
    predict_table(trained, mixed, out)


def test_kept_rows_are_said_and_saved(keeper, tmp_path):
    """The card says that the head keeps rows; a loaded head scores bit for bit the same."""
    trained, mixed = keeper
    trained.save(tmp_path / "head")
    card = inspect_head(tmp_path / "head")
    assert card["keeps_rows"] is True
    assert card["scope"] == {"rows": 150}
    again = Head.load(tmp_path / "head")
    X, probabilities = mixed.to_numpy(), trained.predict_proba(mixed)
    assert np.array_equal(
        again.trust_.scope.score(X, probabilities), trained.trust_.scope.score(X, probabilities)
    )


def test_arrays_that_do_not_fit_are_refused(keeper, tmp_path, rewrite_card):
    """Rows of another dimension, or classes without rows, make the head incomplete."""
    trained, _ = keeper
    trained.save(tmp_path / "head")
    file = tmp_path / "head" / "head.npz"
    with np.load(file) as found:
        sound = dict(found)
    for name, value in (
        ("scope_rows", sound["scope_rows"][:, :-1]),
        ("scope_rows", sound["scope_rows"].astype(str)),
        ("scope_starts", np.array([0, 5, 5])),
        ("scope_starts", np.array([-3, 2, 5])),
        ("scope_starts", sound["scope_starts"].astype(float)),
    ):
        np.savez(file, **sound | {name: value})
        rewrite_card(tmp_path / "head" / "head.json")
        with pytest.raises(HeadError, match="no complete head"):
            Head.load(tmp_path / "head")
    assert json.loads((tmp_path / "head" / "head.json").read_text())["keeps_rows"]
