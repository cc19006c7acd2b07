"""What a report advises, from its facts."""

import copy
import json
from pathlib import Path

import pytest

from downstream.report.advice import advice

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
CALM = {
    "curve": {"skipped": "too few"},
    "noise": {"suspects": []},
    "duplicates": {"leak": {"rows": 0}, "split": None, "conflicts": {"groups": 0, "rows": 0}},
    "confusion": {"most": []},
    "balance": {"classes": {"a": 50, "b": 50}, "ratio": 1.0, "smallest": "a", "largest": "b"},
    "calibration": {"expected_calibration_error": {"before": 0.01, "after": 0.01}},
}


@pytest.fixture
def facts():
    """Return facts that give no reason to do anything but to use the head."""
    return copy.deepcopy(FACTS | CALM)


def test_nothing_wrong_means_train(facts):
    """Where all is well, the advice is to train the head, and no more."""
    assert advice(facts) == ["Train the head: `featurize train TABLE --out HEAD`."]
    named = advice(facts | {"label": "a topic"})
    assert named == ["Train the head: `featurize train TABLE --out HEAD --label 'a topic'`."]


def test_negative_transfer_comes_first(facts):
    """Where a baseline wins, the first advice is to take it, and none is to train."""
    told = advice(FACTS | {"verdict": "negative"})
    assert told[0].startswith("Do not use this encoder")
    assert "TF-IDF" in told[0]
    assert not any("Train the head" in sentence for sentence in told)


def test_neutral_transfer_is_not_relied_on(facts):
    """Where nothing is shown, not even against the largest class, the advice says so."""
    majority = facts["baselines"]["majority"]
    facts["scores"]["balanced_accuracy"] = majority["balanced_accuracy"]
    (told,) = advice(facts | {"verdict": "neutral"})
    assert told.startswith("Do not rely on this transfer yet")


def test_where_all_is_right_nothing_is_said_of_more_labels(facts):
    """A curve that has arrived is no reason to clean labels or to change the encoder."""
    facts["curve"] = {
        "points": [{"per_class": 12.0, "rows": 24, "accuracy": {"mean": 1.0}}],
        "forecast": {"rows": 120, "accuracy": {"mean": 1.0}},
        "needed": {"target": 0.99, "per_class": None, "why": "100.0% are reached already."},
    }
    assert [told for told in advice(facts) if "ore labels" in told] == []


def test_a_simpler_rival_that_does_as_well_is_advised(facts):
    """Where raw features tie with a head that is far better than the largest class, they do."""
    (told,) = advice(facts | {"verdict": "neutral"})
    assert told.startswith("For this label alone take TF-IDF")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("duplicates", "4 rows of its tests repeat rows of 'train'"),
        ("noise", "Check the 2 labels that may be wrong, beginning with tickets.csv#44"),
        ("curve", "about 190 per class (130 to 310) should give 95.0% accuracy"),
        ("balance", "fewer than 10: 'refund_not_showing_up' (9)."),
    ],
)
def test_each_finding_has_its_advice(facts, key, words):
    """What a section found is said with what to do about it, before the head is trained."""
    told = advice(facts | {key: FACTS[key]})
    assert words in told[0]
    assert told[-1].startswith("Train the head")


def test_confused_pair_is_named_from_a_tenth_on(facts):
    """Two classes are worth a word where a tenth of one is taken for the other."""
    pair = {"truth": "bill", "predicted": "invoice", "rows": 30, "share": 0.2, "examples": []}
    told = advice(facts | {"confusion": {"most": [pair]}})
    assert told[0].startswith("Sharpen the definitions of 'bill' and 'invoice', or merge them: 20%")
    assert len(advice(facts | {"confusion": {"most": [pair | {"share": 0.05}]}})) == 1


def test_flat_curve_asks_for_no_more_labels(facts):
    """Where more labels promise less than a point, none are asked for."""
    curve = copy.deepcopy(FACTS["curve"])
    curve["forecast"]["accuracy"]["mean"] = curve["points"][-1]["accuracy"]["mean"] + 0.001
    assert advice(facts | {"curve": curve})[0].startswith("More labels of this kind will help")


def test_rising_curve_without_a_target_in_reach(facts):
    """Where no number of labels can be told, the gain of twice as many is."""
    curve = FACTS["curve"] | {"needed": {"target": 0.99, "per_class": None, "why": "too far"}}
    told = advice(facts | {"curve": curve})[0]
    assert told == "Label more: the curve still rises, by 2.7 points to 94.8% at 3,035 rows."


def test_unsure_confidence_is_to_be_calibrated(facts):
    """Confidences that are far off are to be calibrated."""
    error = {"expected_calibration_error": {"before": 0.12, "after": 0.02}}
    told = advice(facts | {"calibration": error})[0]
    assert "--calibrate auto`" in told
    assert "brings this to 2.0%" in told


def test_every_section_may_be_missing():
    """With every section skipped there is still advice."""
    skipped = {key: {"skipped": "no input"} for key in CALM}
    assert advice(FACTS | skipped)
