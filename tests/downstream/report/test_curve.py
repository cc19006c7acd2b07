"""The learning curve and its forecasts."""

import json

import numpy as np
import pytest

from downstream.report.curve import curve, measured
from downstream.report.power_law import PowerLaw, bootstrapped
from downstream.report.study import Study

SIZES = np.array([80, 160, 320, 640, 1280])


def test_a_power_law_is_found_again():
    """Errors that follow a law exactly give it back, and what it forecasts."""
    law = PowerLaw(0.05, 3.0, 0.5)
    errors = np.array([law.error(size) for size in SIZES])
    found = PowerLaw.fit(SIZES, errors)
    assert found.floor == pytest.approx(0.05, abs=1e-3)
    assert found.error(10_000) == pytest.approx(law.error(10_000), abs=1e-3)
    assert found.rows_for(0.08) == pytest.approx(10_000, rel=0.05)
    assert found.rows_for(0.04) == np.inf


def test_forecasts_are_as_uncertain_as_draws_differ():
    """Intervals of noisy draws are wider, and hold the truth."""
    law, rng = PowerLaw(0.05, 3.0, 0.5), np.random.default_rng(0)
    truth = np.array([law.error(size) for size in SIZES])
    widths = []
    for noise in (0.002, 0.02):
        errors = truth * (1 + noise * rng.normal(size=(5, 5)))
        found = [each.error(10_000) for each in bootstrapped(SIZES, errors, 60, 0)[1]]
        widths.append(np.ptp(found))
        assert min(found) <= law.error(10_000) <= max(found)
    assert widths[0] < widths[1]


def test_curve_of_a_table(make_table, clustered):
    """Accuracy rises with the labels; points, forecast and need are plain JSON."""
    study = Study.open(make_table(*clustered(400, 4, spread=0.5)))
    found = json.loads(json.dumps(curve(study)))
    rows = [point["rows"] for point in found["points"]]
    assert rows == [4, 8, 16, 32, 64, 128, 320]
    means = [point["accuracy"]["mean"] for point in found["points"]]
    assert means[0] < means[-1]
    forecast = found["forecast"]
    assert forecast["rows"] == 2000
    assert forecast["accuracy"]["low"] <= forecast["accuracy"]["mean"] <= 1
    assert found["needed"]["target"] > means[-1] - 0.05


def test_a_target_out_of_reach_is_said(make_table, clustered):
    """Labels at random never bring an accuracy, whatever their number."""
    vectors, labels = clustered(200, 4)
    labels = np.random.default_rng(0).permutation(labels)
    needed = curve(Study.open(make_table(vectors, labels)), target=0.9)["needed"]
    assert needed["per_class"] is None
    assert "does not reach 90.0%" in needed["why"]


def test_smaller_sizes_have_every_class(make_table, clustered):
    """Rare classes are in every training, and each size holds the rows of the smaller ones."""
    vectors, labels = clustered(300)
    labels = ["rare" if row < 10 else label for row, label in enumerate(labels)]
    sizes, accuracy = measured(Study.open(make_table(vectors, labels)))
    assert sizes[0] == 4
    assert accuracy.shape == (5, len(sizes))
    assert not np.isnan(accuracy).any()


def test_too_few_labels_have_no_curve(make_table, clustered):
    """A table with two or three rows a class says what a curve needs."""
    assert "skipped" in curve(Study.open(make_table(*clustered(8))))


def test_a_table_without_anything_to_hold_out_has_no_curve(make_table, clustered):
    """Where each class is one group, the section is skipped."""
    vectors, labels = clustered(60)
    study = Study.open(make_table(vectors, labels, owner=labels), group="owner")
    assert "skipped" in curve(study)


def test_a_forecast_is_never_below_what_was_measured(make_table, clustered):
    """Where all is right already, more labels are not forecast to harm."""
    found = curve(Study.open(make_table(*clustered(300, spread=0.02))), target=0.9)
    last = found["points"][-1]["accuracy"]["mean"]
    assert last > 0.99
    assert found["forecast"]["accuracy"]["mean"] >= last
    assert found["needed"]["why"].endswith("are reached already.")
