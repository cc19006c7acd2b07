"""Which classes are confused, and how many rows they have."""

import json

import numpy as np
import pytest

from downstream.report.held_out import HeldOut
from downstream.report.quality.balance import balance
from downstream.report.quality.confusion import confusion
from downstream.report.study import Study

NAMES = ["cat", "dog", "fox"]


@pytest.fixture(scope="module")
def study(make_table, clustered):
    """Make a study of 40 cats, 15 dogs and 5 foxes."""
    labels = ["cat"] * 40 + ["dog"] * 15 + ["fox"] * 5
    return Study.open(make_table(clustered(60)[0], labels))


def _held(study, predicted, sure):
    probabilities = np.full((len(study), len(study.names)), 0.0)
    probabilities[np.arange(len(study)), predicted] = sure
    return HeldOut(probabilities[None], np.zeros((1, len(study)), dtype=np.intp))


def test_confusions_are_counted_and_shown(study):
    """The matrix counts rows; the most confused pair comes first, with its surest rows."""
    predicted = study.classes.copy()
    predicted[:6] = 1  # six cats for dogs
    predicted[55] = 0  # one fox for a cat
    sure = np.linspace(0.5, 0.9, 60)
    found = confusion(study, _held(study, predicted, sure))
    assert found["names"] == NAMES
    assert found["matrix"] == [[34, 6, 0], [0, 15, 0], [1, 0, 4]]
    assert (found["rows"], found["wrong"]) == (60, 7)
    first, second = found["most"]
    assert (first["truth"], first["predicted"], first["rows"]) == ("cat", "dog", 6)
    assert first["share"] == pytest.approx(6 / 40)
    assert [row["id"] for row in first["examples"]] == [f"row-{row:05d}" for row in (5, 4, 3, 2)]
    assert first["examples"][0]["confidence"] == pytest.approx(sure[5])
    assert first["examples"][0]["text"] == "text of row-00005"
    assert (second["truth"], second["predicted"]) == ("fox", "cat")
    json.dumps(found)


def test_without_a_confusion_there_is_no_pair(study):
    """A head that is always right leaves nothing to show."""
    assert confusion(study, _held(study, study.classes, 1.0))["most"] == []


def test_of_many_classes_the_matrix_keeps_the_confused(make_table, clustered):
    """Beyond 200 classes only those of the most confused pairs are in the matrix."""
    labels = [f"class-{row % 210:03d}" for row in range(420)]
    study = Study.open(make_table(clustered(420)[0], labels))
    predicted = study.classes.copy()
    predicted[[3, 213]] = 7
    found = confusion(study, _held(study, predicted, 0.9))
    assert found["names"] == ["class-003", "class-007"]
    assert found["matrix"] == [[0, 2], [0, 2]]


def test_balance_counts_classes_and_names_the_small(study):
    """The section names the largest and smallest class, their ratio and the rare ones."""
    found = balance(study)
    assert found["classes"] == {"cat": 40, "dog": 15, "fox": 5}
    assert (found["largest"], found["smallest"], found["ratio"]) == ("cat", "fox", 8.0)
    assert (found["under_5"], found["under_10"]) == ([], ["fox"])
    assert 1 < found["effective"] < 3
    json.dumps(found)


def test_even_classes_are_as_effective_as_they_are_many(table):
    """Classes of equal size have their number as the effective one."""
    assert balance(Study.open(table))["effective"] == pytest.approx(3)
