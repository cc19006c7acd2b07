"""The report's calibration: confidence against accuracy, before and after."""

import json

import numpy as np
import pytest

from downstream.heads.trust.reliability import expected_calibration_error
from downstream.report.held_out import HeldOut, held_out
from downstream.report.reliability import calibration
from downstream.report.study import Study


@pytest.fixture(scope="module")
def study(make_table, clustered):
    """Open a study of 240 rows in three overlapping classes."""
    return Study.open(make_table(*clustered(240)))


def _overconfident(study, heat):
    """Sharpen what heads say of held-out rows."""
    found = held_out(study, repeats=2)
    told = found.probabilities**heat
    return HeldOut(told / told.sum(axis=2, keepdims=True), found.folds)


def test_the_figures_are_those_of_the_first_repeat(study):
    """Bins cover all rows held out; the error before is theirs; all of it is plain JSON."""
    predictions = held_out(study, repeats=2)
    found = calibration(study, predictions)
    assert json.loads(json.dumps(found)) == found
    assert found["rows"] == sum(each["rows"] for each in found["bins"]) == 240
    before = expected_calibration_error(predictions.probabilities[0], study.classes)
    assert found["expected_calibration_error"]["before"] == before


def test_calibration_mends_overconfidence(study):
    """Of heads that are too sure of themselves the error falls, by other rows' classes."""
    found = calibration(study, _overconfident(study, 4))
    error = found["expected_calibration_error"]
    assert found["method"] == "temperature"
    assert error["after"] < 0.6 * error["before"]
    assert sum(each["rows"] for each in found["calibrated_bins"]) == 240


def test_few_rows_are_measured_but_not_calibrated(make_table, clustered):
    """Of fewer than 50 rows no calibration is learned."""
    small = Study.open(make_table(*clustered(30)))
    found = calibration(small, held_out(small))
    assert found["method"] is found["calibrated_bins"] is None
    assert found["expected_calibration_error"]["after"] is None
    assert sum(each["rows"] for each in found["bins"]) == 30


def test_nothing_held_out_is_said(make_table, clustered):
    """Where each class is one group, the section says why there is nothing."""
    made = make_table(clustered(10)[0], ["x"] * 5 + ["y"] * 5, content_sha256=["a"] * 5 + ["b"] * 5)
    study = Study.open(made)
    assert list(calibration(study, held_out(study))) == ["skipped"]
    assert np.isnan(held_out(study).probabilities).all()
