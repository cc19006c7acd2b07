"""Out-of-fold predictions: every row by models that know neither it nor its group."""

import numpy as np
import pytest

from downstream import Head
from downstream.report.held_out import NEVER, held_out
from downstream.report.study import Study
from featurize.errors import UsageError


def test_every_row_is_predicted_once_in_each_repeat(table):
    """Each repeat holds every row out once, and its probabilities sum to one."""
    study = Study.open(table)
    found = held_out(study, repeats=3)
    assert found.probabilities.shape == (3, len(study), 3)
    assert found.folds.shape == (3, len(study))
    assert (found.folds >= 0).all()
    assert found.scored.all()
    np.testing.assert_allclose(found.probabilities.sum(axis=2), 1)
    np.testing.assert_allclose(found.averaged(), found.probabilities.mean(axis=0))


def test_repeats_differ_and_a_seed_repeats_them(table):
    """The groups are dealt anew in every repeat, alike for one seed."""
    study = Study.open(table)
    first, again = held_out(study, repeats=2), held_out(study, repeats=2)
    assert (first.folds[0] != first.folds[1]).any()
    np.testing.assert_array_equal(first.probabilities, again.probabilities)


def test_predicts_what_a_head_trained_on_the_other_folds_does(table):
    """A fold's probabilities are those of a head trained on the rest."""
    study = Study.open(table)
    found = held_out(study, repeats=1)
    held = found.folds[0] == 2
    head = Head(calibrate="none").fit_dataset(study.data, ~held)
    np.testing.assert_allclose(found.probabilities[0, held], head.predict_proba(study.data.X[held]))


@pytest.mark.parametrize("named", [False, True])
def test_groups_stay_whole(make_table, clustered, named):
    """Rows of equal content, or of one value of the column named, are held out together."""
    vectors, labels = clustered(60)
    pairs = [str(row // 6) for row in range(60)]
    columns = {"customer": pairs} if named else {"content_sha256": pairs}
    study = Study.open(make_table(vectors, labels, **columns), group="customer" if named else None)
    found = held_out(study, repeats=2)
    folds_of = found.folds.reshape(2, 10, 6)
    assert (folds_of == folds_of[:, :, :1]).all()


def test_rows_without_a_group_are_groups_of_their_own(make_table, clustered):
    """A missing value in the column of groups joins nothing."""
    owners = [None] * 30 + ["a"] * 15 + [""] * 15
    study = Study.open(make_table(*clustered(60), owner=owners), group="owner")
    assert len(np.unique(study.groups)) == 46


def test_a_column_that_is_not_there_is_named(table):
    """An unknown column of groups is refused with those there are."""
    with pytest.raises(UsageError, match="no column 'nope' for --group"):
        Study.open(table, group="nope")


def test_a_class_in_one_group_is_never_held_out(make_table, clustered):
    """A class that cannot be learned without its rows is left out of the predictions alone."""
    vectors, labels = clustered(60)
    labels[7] = "lonely"
    found = held_out(Study.open(make_table(vectors, labels)), repeats=2)
    assert (found.folds[:, 7] == NEVER).all()
    assert np.isnan(found.averaged()[7]).all()
    assert found.scored.sum() == 59


def test_a_row_without_a_value_is_a_group_of_its_own(make_table, clustered):
    """Null, NaN and the empty string are no value; a list is none that could be compared."""
    owners = [None, float("nan"), 7.0, 7.0, None, float("nan")]
    table = make_table(*clustered(6), owner=owners, tags=[["a"]] * 6)
    assert len(np.unique(Study.open(table, group="owner").groups)) == 5
    for option in ("group", "split"):
        with pytest.raises(UsageError, match="one text, number, truth value or date"):
            Study.open(table, **{option: "tags"})


def test_a_bounded_study_keeps_groups_and_proportions(make_table, clustered):
    """A sample has whole groups and each class in proportion, and says of how many rows it is."""
    vectors, labels = clustered(600)
    contents = [str(row % 300) for row in range(600)]
    study = Study.open(make_table(vectors, labels, content_sha256=contents))
    few = study.bounded(100)
    assert 95 <= len(few) <= 130
    assert few.total == 600
    assert np.ptp(np.bincount(few.classes)) <= 4
    assert (np.unique(few.groups, return_counts=True)[1] == 2).all()
    assert (few.vectors == study.vectors[np.isin(study.data.ids, few.data.ids)]).all()
    assert len(study.bounded(600)) == 600


def test_a_bounded_study_keeps_rare_classes(make_table, clustered):
    """A class of a few rows is in every sample, with enough of them to hold some out."""
    vectors, labels = clustered(900)
    labels[:6] = ["rare"] * 6
    few = Study.open(make_table(vectors, labels)).bounded(60)
    assert 60 <= len(few) <= 80
    assert few.names[-1] == "rare"
    assert (few.classes == 3).sum() == 5


def test_a_group_of_several_classes_costs_none_its_rows(make_table, clustered):
    """A rare class keeps its first groups where one of its rows equals a row of another class."""
    vectors, _ = clustered(60)
    labels = ["a"] * 50 + ["b"] * 10
    contents = [f"{number:064}" for number in [*range(59), 0]]
    few = Study.open(make_table(vectors, labels, content_sha256=contents)).bounded(12)
    assert (few.data.y == "b").sum() >= 5
