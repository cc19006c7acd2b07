"""Calibrated probabilities, and whether probabilities are honest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.calibration import calibration_curve

from downstream import Head
from downstream.heads.calibration import (
    COLDEST,
    Isotonic,
    Method,
    Temperature,
    calibrate,
    cross_fitted,
)
from downstream.heads.model import Lesson
from downstream.heads.out_of_fold import HeldOutRows, out_of_fold
from downstream.heads.reliability import expected_calibration_error, reliability_bins
from downstream.heads.split import splits
from featurize.errors import UsageError

CLASSES = 4
KINDS = pytest.mark.parametrize("kind", [Temperature, Isotonic])


def _softmax(logits):
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def drawn(rows, heat=1.0, seed=0, bend=None):
    """Draw probabilities that are true of their classes at a temperature of `heat`."""
    rng = np.random.default_rng(seed)
    true = _softmax(1.5 * rng.normal(size=(rows, CLASSES)))
    classes = (rng.random(rows)[:, None] > true.cumsum(axis=1)).sum(axis=1)
    told = _softmax(np.log(true) * heat) if bend is None else bend(true)
    return HeldOutRows(told, classes, np.arange(rows))


def _error(held, calibration=None):
    found = held.probabilities if calibration is None else calibration.apply(held.probabilities)
    return expected_calibration_error(found, held.classes)


@pytest.mark.parametrize("heat", [0.5, 1.0, 3.0])
def test_the_temperature_is_found(heat):
    """Probabilities sharpened by a factor get the factor as their temperature."""
    held = drawn(5_000, heat)
    calibration = Temperature.fit(held.probabilities, held.classes)
    assert calibration.temperature == pytest.approx(heat, rel=0.1)
    new = drawn(5_000, heat, seed=1)
    assert _error(new, calibration) < 0.02


@KINDS
def test_calibration_makes_overconfidence_honest(kind):
    """On new rows the expected calibration error falls to a fraction."""
    held, new = drawn(5_000, 4), drawn(5_000, 4, seed=1)
    assert _error(new) > 0.15
    assert _error(new, kind.fit(held.probabilities, held.classes)) < 0.03


def test_isotonic_mends_what_no_temperature_can():
    """Where small probabilities are all cut to one, `auto` takes the isotonic functions."""

    def cut(true):
        told = np.sqrt(true) * (true > 0.3) + 0.05
        return told / told.sum(axis=1, keepdims=True)

    held, new = drawn(5_000, bend=cut), drawn(5_000, seed=1, bend=cut)
    calibration = calibrate(Method.AUTO, held, seed=0)
    assert calibration.method is Method.ISOTONIC
    temperature = Temperature.fit(held.probabilities, held.classes)
    assert _error(new, calibration) < 0.6 * _error(new, temperature)


def test_auto_prefers_the_temperature_and_needs_rows():
    """Isotonic functions have to be clearly better; of fewer than 50 rows nothing is learned."""
    assert calibrate(Method.AUTO, drawn(5_000, 2), seed=0).method is Method.TEMPERATURE
    assert calibrate(Method.AUTO, drawn(200, 4), seed=0).method is Method.TEMPERATURE
    assert calibrate(Method.AUTO, drawn(49, 4), seed=0) is None
    assert calibrate(Method.ISOTONIC, drawn(49, 2), seed=0).method is Method.ISOTONIC
    assert calibrate(Method.NONE, drawn(5_000, 2), seed=0) is None
    assert calibrate(Method.TEMPERATURE, drawn(0), seed=0) is None


def test_auto_leaves_honest_probabilities_alone():
    """Chance that looks like a gain is none: it has to be clear, the more so to be less sure."""
    assert all(calibrate(Method.AUTO, drawn(400, seed=seed), seed) is None for seed in range(10))
    found = [calibrate(Method.AUTO, drawn(60, heat), seed=0) for heat in (0.5, 2.0)]
    assert [each is None for each in found] == [False, True]


PROBABILITIES = arrays(np.float64, (40, CLASSES), elements=st.floats(0, 1)).map(
    lambda found: _softmax(20 * found) * (found > 0.1) + 1e-300
)


@settings(max_examples=50, deadline=None)
@given(PROBABILITIES, arrays(np.intp, 40, elements=st.integers(0, CLASSES - 1)))
def test_any_probabilities_become_probabilities(found, classes):
    """Also of zeros and ones, calibrated rows are finite, above zero, and sum to 1."""
    found = found / found.sum(axis=1, keepdims=True)
    for kind in (Temperature, Isotonic):
        calibration = kind.fit(found, classes)
        again = kind.load(calibration.parts(), CLASSES)
        applied = again.apply(found)
        assert np.array_equal(applied, calibration.apply(found))
        assert np.isfinite(applied).all() and (applied >= 0).all()
        assert np.allclose(applied.sum(axis=1), 1)


@pytest.mark.parametrize(("truth", "low", "high"), [(0, 0.9, 0.9999), (2, 0.25, 0.26)])
def test_no_rows_make_certain(truth, low, high):
    """Where all rows were right confidence stays short of 1; where none was, nothing is known."""
    found = np.tile([0.6, 0.2, 0.1, 0.1], (100, 1))
    applied = Temperature.fit(found, np.full(100, truth)).apply(found)
    assert low < applied[0, 0] < high


@KINDS
def test_damaged_arrays_are_refused(kind):
    """A calibration is loaded only from arrays that fit together."""
    held = drawn(200)
    parts = kind.fit(held.probabilities, held.classes).parts()
    wrong = {
        "temperature": [np.asarray(np.nan), np.asarray(COLDEST / 2), np.ones(2)],
        "starts": [parts.get("starts", np.ones(1))[:-1], np.zeros(CLASSES + 1, dtype=np.intp)],
        "meant": [np.ones(1)],
    }
    for name, values in wrong.items():
        for value in values if name in parts else ():
            with pytest.raises(ValueError, match=r"temperature|starts"):
                kind.load(parts | {name: value}, CLASSES)


@pytest.mark.parametrize("method", [Method.TEMPERATURE, Method.ISOTONIC])
def test_cross_fitting_never_looks_at_the_row_itself(method):
    """Were the row of another class, its own calibrated probabilities would be the same."""
    held = drawn(300, 2)
    classes = held.classes.copy()
    one, other = np.flatnonzero(classes == 0)[:2]
    groups = np.arange(300)
    groups[other] = one  # the pair stays together, so that no fold changes
    classes[one] = classes[other] = 0
    before = cross_fitted(method, HeldOutRows(held.probabilities, classes, groups), 0)
    classes = classes.copy()
    classes[other] = 1
    after = cross_fitted(method, HeldOutRows(held.probabilities, classes, groups), 0)
    assert np.array_equal(before[[one, other]], after[[one, other]])
    assert not np.array_equal(before, after)


def test_rows_are_predicted_by_models_that_never_saw_their_group(clustered):
    """Predictions are those of a model learned from the other folds with the settings chosen."""
    vectors, labels = clustered(120)
    numbers = np.unique(labels, return_inverse=True)[1]
    lesson = Lesson(vectors, numbers, np.arange(120) // 2, None, 0)
    model = Head(calibrate="none").fit(vectors, labels).model_
    held = out_of_fold(model, lesson)
    assert len(held) == 120
    fold = next(splits(numbers, lesson.groups, 5, 0))
    rest = Lesson(vectors[~fold], numbers[~fold], lesson.groups[~fold], None, 0)
    expected = model.refit(rest).probabilities(vectors[fold])
    assert np.array_equal(held.probabilities[fold], expected)
    few = out_of_fold(model, lesson, enough=30)
    assert 30 <= len(few) < 60


def test_the_error_is_that_of_its_definition():
    """Two bins: one 0.1 too sure of itself, one 0.3 not sure enough, weighted by their rows."""
    found = np.array([[0.7, 0.3]] * 5 + [[0.4, 0.6]] * 5)
    classes = np.array([0, 0, 0, 1, 1] + [1] * 5)
    assert expected_calibration_error(found, classes, bins=2) == pytest.approx(
        abs(-0.1 * 5 + 0.4 * 5) / 10
    )
    assert expected_calibration_error(found, classes) == pytest.approx((0.1 * 5 + 0.4 * 5) / 10)
    assert expected_calibration_error(np.empty((0, 2)), np.empty(0, dtype=np.intp)) is None


def test_bins_are_those_of_scikit_learn():
    """Confidence and accuracy of the bins are scikit-learn's; empty bins have neither."""
    held = drawn(500)
    bins = reliability_bins(held.probabilities, held.classes)
    confidence = held.probabilities.max(axis=1)
    correct = held.probabilities.argmax(axis=1) == held.classes
    accuracies, confidences = calibration_curve(correct, confidence, n_bins=15)
    full = [each for each in bins if each["rows"]]
    assert [each["accuracy"] for each in full] == pytest.approx(accuracies)
    assert [each["confidence"] for each in full] == pytest.approx(confidences)
    assert sum(each["rows"] for each in bins) == 500
    assert bins[0] == {"low": 0, "high": 1 / 15, "rows": 0, "confidence": None, "accuracy": None}
    assert bins[-1]["high"] == 1


def test_a_label_that_is_no_class_is_never_right():
    """A row numbered -1 counts with its confidence against the accuracy."""
    found = np.array([[0.9, 0.1], [0.9, 0.1]])
    assert expected_calibration_error(found, np.array([0, -1])) == pytest.approx(0.4)


def test_a_head_calibrates_unless_told_not_to(clustered, tmp_path):
    """The classes stay as predicted; card and saved head hold the calibration."""
    vectors, labels = clustered(300)
    plain = Head(calibrate="none").fit(vectors, labels)
    head = Head(calibrate="temperature").fit(vectors, labels)
    assert plain.describe()["calibration"] is None
    found = head.describe()["calibration"]
    assert (found["method"], found["rows"]) == ("temperature", 300)
    assert set(found["expected_calibration_error"]) == {"before", "after"}
    assert np.array_equal(plain.predict(vectors), head.predict(vectors))
    assert not np.allclose(plain.predict_proba(vectors), head.predict_proba(vectors), atol=1e-4)
    for name in ("temperature", "isotonic"):
        head = Head(calibrate=name).fit(vectors, labels)
        head.save(tmp_path / name)
        again = Head.load(tmp_path / name)
        assert np.array_equal(again.predict_proba(vectors), head.predict_proba(vectors))
        assert again.describe() == head.describe()


def test_an_unknown_calibration_is_refused_before_training(clustered):
    """A slip in the name is a usage error that lists the names."""
    with pytest.raises(UsageError, match="isotonic"):
        Head(calibrate="platt").fit(*clustered(40))
