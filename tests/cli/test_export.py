"""export: lower precisions and revisions, from the command line to a table."""

import json
import subprocess
import sys

import pytest
import tiny_models
from hub_cache import keep

from featurize.bundle import Bundle

COMMIT = "a" * 40
WITHOUT_ONNX = (
    "import sys; sys.modules['onnx'] = None; from featurize.cli.main import run; "
    "sys.exit(run(sys.argv[1:]))"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Save a small transformer."""
    return tiny_models.save_transformer(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def bundle(model, tmp_path_factory):
    """Export it."""
    from featurize.export import export

    return export(model, tmp_path_factory.mktemp("bundles") / "tiny").path


@pytest.fixture
def source(tmp_path):
    """Write two texts."""
    path = tmp_path / "in.csv"
    path.write_text("id,text\na,one two\nb,the word\n")
    return path


def test_a_precision_is_added_shown_and_used(told, command, bundle, source, tmp_path):
    """The copy says what it loses; embed computes in it without the package onnx."""
    out = tmp_path / "lower"
    code, made, _ = command("export", bundle, "--out", out, "--precision", "int8", "--json")
    assert code == 0
    assert made["precisions"]["int8"]["min_cosine"] > 0.95
    code, text, _ = told("inspect", out)
    assert (code, "neighbours_kept" in text, "model.int8.onnx" in text) == (0, True, True)
    assert told("verify", out)[0] == 0

    table = tmp_path / "table"
    embed = ("embed", source, "--encoder", out, "--precision", "int8", "--out", table, "--json")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ONNX, *map(str, embed)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["precision"] == "int8"
    origin = command("inspect", table, "--json")[1]["origin"]
    assert origin["variant"]["graph"] == made["files"]["model.int8.onnx"]

    with (out / "model.int8.onnx").open("ab") as file:
        file.write(b"x")
    code, text, _ = told("verify", out)
    assert (code, "model.int8.onnx" in text) == (1, True)


def test_people_read_what_is_lost(told, bundle, tmp_path):
    """One line names precision, cosines and neighbours."""
    code, out, _ = told("export", bundle, "--out", tmp_path / "half", "--precision", "fp16")
    assert code == 0
    assert "In fp16, vectors have a cosine of 0.999" in out
    assert "of their 10 nearest neighbours." in out
    assert "accepted" not in out


def test_a_loss_is_accepted_by_name(command, told, bundle, tmp_path, monkeypatch):
    """What is refused without the option is made with it, and said."""
    monkeypatch.setattr("featurize.export.precision.LEAST_NEIGHBOURS", {"int8": 1.01})
    asked = ("export", bundle, "--out", tmp_path / "out", "--precision", "int8")
    code, data, _ = command(*asked, "--json")
    assert (code, data["error"]["kind"]) == (1, "export")
    assert "--accept-loss" in data["error"]["fix"]
    assert not (tmp_path / "out").exists()
    code, out, _ = told(*asked, "--accept-loss")
    assert (code, "which was accepted" in out) == (0, True)
    assert Bundle.open(tmp_path / "out").export["precisions"]["int8"]["accepted_loss"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--precision", "bf16"), "graphs of fp16 and int8"),
        (("--precision", "fp8"), "expects one of"),
        (("--accept-loss",), "--accept-loss goes with --precision"),
        (("--precision", "int8", "--max-length", "9"), "--max-length is settled"),
        (("--precision", "int8", "--revision", "main"), "--revision is settled"),
        (("--revision", "main"), "--revision goes with"),
        ((), "already"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(command, bundle, tmp_path, options, message):
    """Nothing is written, and the message says what goes together."""
    code, data, _ = command("export", bundle, "--out", tmp_path / "out", *options, "--json")
    assert (code, data["error"]["kind"]) == (2, "usage")
    assert message in data["error"]["message"]
    assert data["error"]["fix"]
    assert not (tmp_path / "out").exists()


@pytest.fixture
def hub(model, tmp_path, monkeypatch):
    """Keep the model in a cache of the Hub, and use it and an empty one of our own."""
    from huggingface_hub import constants

    keep(tmp_path / "hub", "owner/tiny", model, COMMIT, refs=("main", "v1"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "own"))


def test_a_table_is_made_from_a_revision(hub, command, source, tmp_path):
    """`embed --revision` exports it once; what it was is in the bundle that the table names."""
    table = tmp_path / "table"
    asked = ("embed", source, "--encoder", "owner/tiny", "--revision", "v1", "--out", table)
    code, made, err = command(*asked, "--device", "cpu", "--json")
    assert (code, made["rows"], err.count("Exporting")) == (0, 2, 1)
    bundle = command("inspect", table, "--json")[1]["origin"]["bundle"]
    assert command("inspect", bundle, "--json")[1]["export"]["revision"] == COMMIT
    code, again, err = command(*asked, "--device", "cpu", "--json")
    assert (code, again["unchanged"], err.count("Exporting")) == (0, 2, 0)


@pytest.mark.parametrize("asked", [(), ("--revision", "v9")])
def test_what_is_not_there_offline_is_one_sentence(hub, command, source, tmp_path, asked):
    """The first use of an id that is not cached exits 1 with the fix, and begins no table."""
    name = "owner/tiny" if asked else "nobody/nothing"
    embed = ("embed", source, "--encoder", name, *asked, "--out", tmp_path / "table")
    code, data, _ = command(*embed, "--json")
    assert (code, data["error"]["kind"]) == (1, "export")
    assert "\n" not in data["error"]["message"]
    assert name in data["error"]["message"]
    assert "HF_HUB_OFFLINE" in data["error"]["fix"]
    assert not (tmp_path / "table").exists()


@pytest.mark.parametrize("encoder", [("--encoder", "minilm"), ()])
def test_only_hub_models_have_revisions(command, source, tmp_path, encoder):
    """The default and the built-in ones are no models of the Hub."""
    embed = ("embed", source, *encoder, "--revision", "v1", "--out", tmp_path / "table")
    for plan in ((), ("--plan",)):
        code, data, _ = command(*embed, *plan, "--json")
        assert (code, data["error"]["kind"]) == (2, "usage")
        assert "--revision goes with" in data["error"]["message"]
