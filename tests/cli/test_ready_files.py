"""A bare ONNX file turns photos into a table on which a head learns."""

import json

import pytest

CARD = {"mean": 128, "std": 128, "size": 224, "layout": "NCHW", "license": "apache-2.0"}


@pytest.fixture
def mobilenet(shared_data):
    """Return a file that states neither mean nor scale."""
    (path,) = (shared_data / "weights" / "mobilenet_v2_onnx").glob("*.onnx")
    return path


def test_photos_are_learned_from_a_bare_file(command, mobilenet, shared_data, tmp_path):
    """`embed --encoder FILE.onnx` says what it assumes; a head on its vectors tells six classes."""
    table, head = tmp_path / "table", tmp_path / "head"
    photos = shared_data / "trashnet"
    code, summary, err = command("embed", photos, "--encoder", mobilenet, "--out", table, "--json")
    assert (code, summary["rows"]) == (0, 360)
    assert err.count("Assumed: RGB, (value - 128) / 128") == 1
    code, trained, _ = command("train", table, "--out", head, "--json")
    assert code == 0
    assert trained["metrics"]["accuracy"] >= 0.8
    code, summary, err = command("embed", photos, "--encoder", mobilenet, "--out", table, "--json")
    assert (code, summary["unchanged"], summary["encoded"]) == (0, 360, 0)
    assert "Assumed" not in err


def test_a_card_may_lie_anywhere(told, mobilenet, tmp_path):
    """`export FILE.onnx --card CARD.json` assumes nothing, and keeps the licence."""
    card = tmp_path / "card.json"
    card.write_text(json.dumps(CARD))
    code, out, err = told("export", mobilenet, "--card", card, "--out", tmp_path / "bundle")
    assert (code, err) == (0, "")
    assert "1280 dimensions" in out
    assert json.loads((tmp_path / "bundle" / "encoder.json").read_text())["export"]["license"]


def test_what_is_assumed_is_said(told, mobilenet, tmp_path):
    """Without a card, one sentence says how images are fed, and how to mend that."""
    code, _, err = told("export", mobilenet, "--out", tmp_path / "bundle")
    assert code == 0
    assert err.count("Assumed") == err.count(f"{mobilenet.stem}.json") == 1
