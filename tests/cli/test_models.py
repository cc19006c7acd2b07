"""models: every encoder at hand, whatever state it is in."""

import json
import shutil
import subprocess
import sys

import pytest

from featurize.bundle import Bundle
from featurize.catalog import BUILT_IN
from featurize.inventory import list_encoders


@pytest.fixture
def cached(cache, tiny_text):
    """Put a bundle into the cache."""
    shutil.copytree(tiny_text, cache / "bundles" / "owner--tiny")
    return cache / "bundles" / "owner--tiny"


@pytest.fixture
def listed(command):
    """Return a function that lists the encoders by name."""

    def run(*options):
        code, data, _ = command("models", *options, "--json")
        assert code == 0
        return {entry["name"]: entry for entry in data["models"]}

    return run


def test_built_in_encoders_are_listed_before_they_are_exported(listed, cache):
    """What their pinned weights stand for is known; nothing is made to say it."""
    entries = listed()
    assert list(entries) == list(BUILT_IN)
    minilm = entries["minilm"]
    assert (minilm["state"], minilm["path"], minilm["bytes"]) == ("exported at first use", None, 0)
    assert (minilm["modality"], minilm["dim"], minilm["max_length"]) == ("text", 384, 256)
    assert {entry["license"] for entry in entries.values()} == {"apache-2.0"}
    assert not cache.exists()


@pytest.mark.export
@pytest.mark.parametrize("bundle", ["minilm_bundle", "image_bundle"])
def test_what_is_said_of_built_in_encoders_is_so(bundle, request, monkeypatch, tmp_path):
    """Before and after their export, they have the same size, limit and licence."""
    name = request.getfixturevalue(bundle).card.name
    facts = ("modality", "dim", "max_length", "license", "built_in")
    after = next(entry for entry in list_encoders() if entry.name == name)
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path))
    before = next(entry for entry in list_encoders() if entry.name == name)
    assert [getattr(before, fact) for fact in facts] == [getattr(after, fact) for fact in facts]


def test_a_cached_encoder_is_described(listed, cached):
    """Where, what it takes and gives, what it takes on the disk, and how it can be computed."""
    card = Bundle.peek(cached).card
    entry = listed()["tiny-text"]
    assert entry["path"] == str(cached)
    assert (entry["state"], entry["built_in"]) == ("ready", False)
    assert (entry["dim"], entry["max_length"]) == (8, 16)
    assert entry["fingerprint"] == card.fingerprint
    assert entry["bytes"] == sum(path.stat().st_size for path in cached.iterdir())
    assert "fp32" in entry["precisions"]
    assert "fp16" not in entry["precisions"]
    assert (entry["license"], entry["rates"], entry["problem"]) == (None, [], None)


def test_a_derived_graph_is_at_hand_and_counts(listed, cached, command, tmp_path):
    """Once it was used in fp16, it need not be derived again."""
    before = listed()["tiny-text"]
    (tmp_path / "in.csv").write_text("id,text\na,the fox\n")
    embed = ("embed", tmp_path / "in.csv", "--out", tmp_path / "t", "--encoder", cached)
    assert command(*embed, "--precision", "fp16", "--device", "cpu", "--json")[0] == 0
    after = listed()["tiny-text"]
    assert "fp16" in after["precisions"]
    assert after["bytes"] > before["bytes"]


def test_a_rate_is_measured_on_request_and_kept(listed, cached, monkeypatch):
    """Without the option, what was measured before is told."""
    monkeypatch.setattr("featurize.inventory._SECONDS", 0.05)
    assert listed()["tiny-text"]["rates"] == []
    (rate,) = listed("--measure")["tiny-text"]["rates"]
    assert rate["per_second"] > 0
    assert rate["precision"] in {"fp32", "fp16"}
    assert listed()["tiny-text"]["rates"] == [rate]
    assert listed("--measure")["tiny-text"]["rates"] == [rate]


def _truncated(folder):
    graph = folder / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-10])


def _without_card(folder):
    (folder / "encoder.json").unlink()


def _nonsense(folder):
    (folder / "encoder.json").write_text('{"format": 1, "encoder": [], "files": 3, "export": {}}')


def _no_object(folder):
    (folder / "encoder.json").write_text("[1]")


def _provenance_of_another_kind(folder):
    card = json.loads((folder / "encoder.json").read_text())
    (folder / "encoder.json").write_text(json.dumps(card | {"export": [["license", {"a": 1}]]}))


def _file(folder):
    shutil.rmtree(folder)
    folder.write_text("no folder")


@pytest.mark.parametrize("damage", [_truncated, _without_card, _nonsense, _no_object, _file])
def test_a_damaged_entry_is_listed_as_such(listed, told, cached, damage):
    """Its name in the cache, what is wrong and what to do; the others are listed all the same."""
    damage(cached)
    entries = listed("--measure")
    assert entries["owner--tiny"]["state"] == "damaged"
    assert entries["owner--tiny"]["problem"]
    assert list(entries)[:2] == list(BUILT_IN)
    code, out, _ = told("models")
    assert code == 0
    assert f"Remove {cached}" in out


def test_odd_provenance_does_no_harm(told, cached):
    """What a stranger's card states about the export is only shown."""
    _provenance_of_another_kind(cached)
    assert told("models")[0] == 0


def test_a_half_written_export_is_listed_as_such(listed, cache):
    """What a killed export left is neither hidden nor taken for an encoder."""
    staged = cache / "bundles" / f".owner--half.{'0' * 32}"
    staged.mkdir(parents=True)
    (staged / "model.onnx").write_bytes(b"12345")
    (cache / "bundles" / ".owner--half.lock").touch()
    entry = listed()["owner--half"]
    assert (entry["state"], entry["bytes"]) == ("unfinished", 5)


def test_measurements_that_cannot_be_read_are_passed_over(listed, cached, cache):
    """They cost the figure, not the list."""
    folder = cache / "measured" / "rate"
    folder.mkdir(parents=True)
    graph = Bundle.peek(cached).graph_sha256
    partial = json.dumps({"key": {"graph": graph}, "value": 1})
    for number, text in enumerate(["{", "[]", partial]):
        (folder / f"{number}.json").write_text(text)
    entry = listed()["tiny-text"]
    assert (entry["state"], entry["rates"]) == ("ready", [])


def test_people_read_lines(told, cached):
    """The text names state, size, limits and licence."""
    code, out, _ = told("models")
    assert code == 0
    assert "tiny-text: cached, ready" in out
    assert "texts, 8 dimensions, up to 16 tokens, licence of the weights not stated" in out
    assert "minilm: built in, exported at first use" in out


def test_listing_loads_no_torch(cached):
    """It reads the cache, and neither exports nor connects."""
    code = (
        "import sys; from featurize.cli.main import run; code = run(['models', '-q']); "
        "print(code, [m for m in ('torch', 'transformers', 'socketserver') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0 []"
