"""Wrong labels planted among right ones."""

import json

import numpy as np
import pytest

from downstream.report.held_out import NEVER, HeldOut, held_out
from downstream.report.quality.confusion import confusion
from downstream.report.quality.noise import noise, wrong_share
from downstream.report.study import Study


def _planted(make_table, clustered, rate, spread=0.15):
    vectors, labels = clustered(600, spread=spread)
    rng = np.random.default_rng(2)
    bad = rng.choice(600, round(rate * 600), replace=False)
    for row in bad:
        labels[row] = f"class-{(int(labels[row][-1]) + rng.integers(1, 3)) % 3}"
    study = Study.open(make_table(vectors, labels))
    return study, {f"row-{row:05d}" for row in bad}


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
def test_flipped_labels_are_found(make_table, clustered, rate):
    """Of labels flipped in separable classes nearly all are suspects, and little else."""
    study, bad = _planted(make_table, clustered, rate)
    found = noise(study, held_out(study, repeats=2))
    suspects = {row["id"] for row in found["suspects"]}
    assert len(suspects & bad) >= 0.8 * len(bad)
    assert len(suspects & bad) >= 0.95 * len(suspects)
    assert found["share"]["low"] <= rate <= found["share"]["high"]
    assert found["rows"] == 600
    assert found["found"] == len(suspects)
    json.dumps(found)


def test_clean_labels_give_hardly_a_suspect(make_table, clustered):
    """Where no label is wrong, fewer than one row in a hundred is suspected."""
    study, _ = _planted(make_table, clustered, 0.0, spread=0.2)
    assert noise(study, held_out(study, repeats=2))["found"] <= 6


def test_a_suspect_names_its_own_class_and_the_better_one(make_table, clustered):
    """Each suspect comes with its text, label and proposal; the surest stands first."""
    study, _ = _planted(make_table, clustered, 0.05)
    rows = noise(study, held_out(study, repeats=2))["suspects"]
    labels = dict(zip(study.data.ids, study.data.y, strict=True))
    assert all(row["label"] == labels[row["id"]] != row["proposed"] for row in rows)
    assert all(row["text"] == f"text of {row['id']}" for row in rows)
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)


def test_rows_never_held_out_are_not_judged(table):
    """Rows without out-of-fold predictions are neither counted nor suspected."""
    study = Study.open(table)
    held = held_out(study, repeats=1)
    probabilities, folds = held.probabilities.copy(), held.folds.copy()
    probabilities[:, :100], folds[:, :100] = np.nan, NEVER
    found = noise(study, HeldOut(probabilities, folds))
    assert found["rows"] == 140
    assert {row["id"] for row in found["suspects"]}.isdisjoint(study.data.ids[:100])


def test_the_wrong_share_of_certain_predictions_is_their_error():
    """Where the head is always certain, the estimate is the share it contradicts."""
    labels = np.arange(100) % 2
    predicted = labels.copy()
    predicted[:10] = 1 - predicted[:10]
    assert wrong_share(np.eye(2)[predicted], labels) == pytest.approx(0.1)


def test_without_held_out_rows_nothing_is_judged(table):
    """Where no row could be held out, the sections that need them say so."""
    study = Study.open(table)
    never = HeldOut(
        np.full((1, len(study), 3), np.nan), np.full((1, len(study)), NEVER, dtype=np.intp)
    )
    assert set(noise(study, never)) == set(confusion(study, never)) == {"skipped"}
