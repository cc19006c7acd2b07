"""Scores of held-out predictions and their intervals."""

import json

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, precision_score

from downstream.report.held_out import HeldOut, held_out
from downstream.report.scores import scores
from downstream.report.study import Study


@pytest.fixture(scope="module")
def study(table):
    """Open the shared table."""
    return Study.open(table)


def test_means_are_those_of_scikit_learn(study):
    """Of one repeat, every figure is what scikit-learn computes."""
    held = held_out(study, repeats=1)
    found = scores(study, held)
    given = held.probabilities[0].argmax(axis=1)
    expected = {
        "accuracy": np.mean(given == study.classes),
        "balanced_accuracy": balanced_accuracy_score(study.classes, given),
        "macro_f1": f1_score(study.classes, given, average="macro"),
        "log_loss": log_loss(study.classes, held.probabilities[0]),
    }
    assert {name: found[name]["mean"] for name in expected} == pytest.approx(expected)
    of_classes = [each["precision"]["mean"] for each in found["per_class"].values()]
    assert of_classes == pytest.approx(precision_score(study.classes, given, average=None))
    of_classes = [each["f1"]["mean"] for each in found["per_class"].values()]
    assert of_classes == pytest.approx(f1_score(study.classes, given, average=None))


def test_intervals_hold_their_means_within_bounds(study):
    """Every interval holds its mean, and those of shares lie within 0 and 1; all of it is JSON."""
    found = json.loads(json.dumps(scores(study, held_out(study))))
    shares = [found[name] for name in ("accuracy", "balanced_accuracy", "macro_f1")]
    shares += [
        each[name] for each in found["per_class"].values() for name in ("precision", "recall", "f1")
    ]
    assert all(0 <= each["low"] < each["mean"] < each["high"] <= 1 for each in shares)
    assert (found["folds"], found["repeats"], found["rows"]) == (5, 3, 240)
    assert found["per_class"]["class-0"]["support"] == 80


def test_rows_of_a_group_count_less_than_rows(make_table, clustered):
    """An interval is about twice as wide where each row is there four times."""
    vectors, labels = clustered(60)
    once = Study.open(make_table(vectors, labels))
    four = [str(row // 4) for row in range(240)]
    again = Study.open(
        make_table(
            vectors.repeat(4, axis=0),
            np.repeat(labels, 4),
            **{
                "content_sha256": four,
            },
        )
    )
    widths = []
    for study in (once, again):
        sure = np.eye(3)[np.where(study.data.X[:, 0] > 0.3, 0, study.classes)][None]
        folds = np.unique(study.groups, return_inverse=True)[1][None] % 5
        found = scores(study, HeldOut(sure, folds))["accuracy"]
        widths.append(found["high"] - found["low"])
    assert widths[1] == pytest.approx(widths[0], rel=0.05)


def test_perfection_is_not_certainty(study):
    """A class that was always right still has an interval, the wider the fewer rows it has."""
    folds = np.arange(len(study))[None] % 5
    perfect = np.eye(3)[study.classes][None]
    found = scores(study, HeldOut(perfect, folds))
    assert found["accuracy"]["high"] == 1
    assert 0.95 < found["accuracy"]["low"] < 0.985
    assert 0.9 < found["per_class"]["class-1"]["recall"]["low"] < 0.96


def test_classes_that_were_never_held_out_are_counted(make_table, clustered):
    """A class in one group has no figures and is counted instead."""
    vectors, labels = clustered(60)
    labels[7] = "lonely"
    study = Study.open(make_table(vectors, labels))
    found = scores(study, held_out(study, repeats=2))
    assert "lonely" not in found["per_class"]
    assert found["classes_unmeasured"] == 1
    assert found["rows_scored"] == 59


def test_intervals_cover_the_truth(clustered):
    """About 95 of 100 intervals hold the accuracy on fresh rows."""
    from downstream.report.intervals import group_variance, share

    rng = np.random.default_rng(0)
    groups = np.arange(100).repeat(2)
    hits = 0
    for _ in range(400):
        correct = (rng.random(100) < 0.8).repeat(2).astype(float)
        mean = correct.mean()
        found = share(mean, group_variance((correct - mean) / 200, groups, 10**6), 100)
        hits += found["low"] <= 0.8 <= found["high"]
    assert 0.92 <= hits / 400 <= 0.98
