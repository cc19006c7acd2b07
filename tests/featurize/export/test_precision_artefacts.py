"""A bundle can hold graphs of lower precision, which are measured before they are let in."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from featurize.bundle import GRAPH, LOWER, Bundle, lowered, write_card
from featurize.config import Precision
from featurize.encoder import Encoder
from featurize.errors import BundleError, ExportError, MissingExtra, RuntimeUnavailable, UsageError
from featurize.export import Lower, export, lower_bundle
from featurize.fidelity import Fidelity
from featurize.inventory import list_encoders
from featurize.known import KnownInputs, check_fidelity
from featurize.storage import sha256_bytes
from featurize.variants import is_at_hand, read_graph

REPO = Path(__file__).resolve().parents[3]
FP16, INT8 = Lower(Precision.FP16), Lower(Precision.INT8)
ACCEPTED = Lower(Precision.INT8, accept_loss=True)
WITHOUT_ONNX = """
import sys
sys.modules["onnx"] = None
import featurize
for precision in ("fp16", "int8"):
    encoder = featurize.load_encoder(sys.argv[1], device="cpu", precision=precision)
    print(encoder.encode(["one"]).shape)
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep what is derived and measured in a folder of the test."""
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def both(tiny_bundle, tmp_path_factory):
    """Add both graphs to the tiny model's bundle."""
    root = tmp_path_factory.mktemp("lower")
    half = lower_bundle(tiny_bundle.path, root / "half", FP16)
    return lower_bundle(half.path, root / "both", INT8)


@pytest.fixture
def lossy(monkeypatch):
    """Plant a derivation of int8 that loses a lot."""
    from featurize.variants.int8 import to_int8

    monkeypatch.setattr("featurize.variants._DERIVATIONS", {Precision.INT8: _spoiled(to_int8)})


def _spoiled(derive):
    """Return a derivation from weights with noise added."""

    def spoil(graph):
        import onnx
        from onnx import numpy_helper

        model = onnx.load_from_string(graph)
        for tensor in model.graph.initializer:
            values = numpy_helper.to_array(tensor)
            if values.ndim == 2 and values.dtype == np.float32:
                noise = np.random.default_rng(0).normal(0, 0.6 * values.std(), values.shape)
                tensor.CopyFrom(
                    numpy_helper.from_array((values + noise).astype(np.float32), tensor.name)
                )
        return derive(model.SerializeToString())

    return spoil


def test_a_bundle_holds_graphs_and_their_figures(both, tiny_bundle):
    """Names, hashes and figures stand in the card; what was there stays as it was."""
    assert both.files.keys() == tiny_bundle.files.keys() | {
        lowered(GRAPH, precision) for precision in LOWER
    }
    assert {name: both.files[name] for name in tiny_bundle.files} == tiny_bundle.files
    assert (both.card, both.export["parity"]) == (tiny_bundle.card, tiny_bundle.export["parity"])
    for precision in (Precision.FP16, Precision.INT8):
        stated = both.export["precisions"][precision]
        assert 0.95 < stated["min_cosine"] <= stated["mean_cosine"] <= 1.000001
        assert 0.8 <= stated["neighbours_kept"] <= 1
        assert stated["inputs"] == tiny_bundle.export["parity"]["inputs"]
        assert stated["accepted_loss"] is False
        assert stated["libraries"].keys() == {"onnx", "onnxruntime"}


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_figures_are_those_of_its_vectors(both, precision):
    """What is stated is what an encoder of the bundle gives on the known inputs."""
    encoder = Encoder.open(both, device="cpu", precision=precision)
    stated = both.export["precisions"][precision]
    found = KnownInputs(encoder).fidelity()
    assert (found.min_cosine, found.neighbours_kept) == pytest.approx(
        (stated["min_cosine"], stated["neighbours_kept"])
    )
    assert check_fidelity(encoder) == pytest.approx(stated["min_cosine"])
    assert encoder.variant["graph"] == both.files[lowered(GRAPH, precision)]


def test_a_model_is_exported_with_a_graph_at_once(make_model, tiny_bundle, both, tmp_path, hashes):
    """Export and addition in one step give the bundle that two steps give."""
    bundle = export(make_model(), tmp_path / "bundle", lower=INT8)
    apart = lower_bundle(tiny_bundle.path, tmp_path / "apart", INT8)
    assert hashes(bundle.path) == hashes(apart.path)
    assert bundle.files[lowered(GRAPH, "int8")] == both.files[lowered(GRAPH, "int8")]


def test_the_bundles_own_graph_comes_first(both, tmp_path):
    """It is read from the bundle after its hash was checked, and nothing is derived."""
    for precision in (Precision.FP16, Precision.INT8):
        assert is_at_hand(both, precision)
        assert (
            sha256_bytes(read_graph(both, GRAPH, precision))
            == both.files[lowered(GRAPH, precision)]
        )
    assert not (tmp_path / "cache").exists()


def test_a_changed_graph_is_refused(both, tmp_path):
    """Opening checks it as every file, and so does reading it later."""
    copy = Path(shutil.copytree(both.path, tmp_path / "copy"))
    opened = Bundle.open(copy)
    with (copy / lowered(GRAPH, "int8")).open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"model\.int8\.onnx"):
        read_graph(opened, GRAPH, Precision.INT8)
    with pytest.raises(BundleError, match=r"model\.int8\.onnx"):
        Bundle.open(copy)


def test_other_names_are_no_files_of_a_bundle(tiny_bundle, tmp_path):
    """Only the known graphs may lie beside the first."""
    copy = Path(shutil.copytree(tiny_bundle.path, tmp_path / "copy"))
    shutil.copy(copy / "model.onnx", copy / "model.bf16.onnx")
    write_card(copy, tiny_bundle.card, {})
    with pytest.raises(BundleError, match=r"at most model\.fp16\.onnx, model\.int8\.onnx, ref"):
        Bundle.open(copy)


def test_without_onnx_the_bundle_suffices(both):
    """Both precisions run and are checked where the package onnx cannot be imported."""
    paths = [str(REPO), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ONNX, both.path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "(1, 32)\n" * 2), done.stderr


def test_without_onnx_nothing_is_derived(tiny_bundle, tmp_path, monkeypatch):
    """Making one takes the package, which is named."""
    monkeypatch.setattr("featurize.variants.find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match="precisions"):
        lower_bundle(tiny_bundle.path, tmp_path / "out", INT8)


def test_what_loses_too_much_is_refused(lossy, make_model, tiny_bundle, tmp_path):
    """The figures stand in the message, and no folder is left, not even an unfinished one."""
    for work in (
        lambda: lower_bundle(tiny_bundle.path, tmp_path / "bundle", INT8),
        lambda: export(make_model(), tmp_path / "bundle", lower=INT8),
    ):
        with pytest.raises(ExportError, match=r"least cosine to fp32 is 0\.\d+ \(0\.95") as caught:
            work()
        assert "--accept-loss" in caught.value.fix
        assert list(tmp_path.iterdir()) == []


def test_an_accepted_loss_is_stated_and_used(lossy, tiny_bundle, tmp_path):
    """The card says so, and from then on the encoder is opened with it."""
    bundle = lower_bundle(tiny_bundle.path, tmp_path / "lossy", ACCEPTED)
    stated = bundle.export["precisions"]["int8"]
    assert stated["accepted_loss"] is True
    assert stated["min_cosine"] < 0.95
    encoder = Encoder.open(bundle, device="cpu", precision="int8")
    assert check_fidelity(encoder) == pytest.approx(stated["min_cosine"])


@pytest.mark.parametrize(
    "change",
    [
        lambda stated: {**stated, "accepted_loss": False},
        lambda stated: {**stated, "accepted_loss": "yes"},
        lambda stated: {**stated, "min_cosine": 0.99},
        lambda stated: {**stated, "min_cosine": "low"},
        lambda stated: {"accepted_loss": True},
        lambda stated: [],
    ],
)
def test_more_than_was_accepted_is_refused(lossy, tiny_bundle, tmp_path, change):
    """A card that accepts nothing, less or nonsense does not open the gate."""
    bundle = lower_bundle(tiny_bundle.path, tmp_path / "lossy", ACCEPTED)
    stated = change(bundle.export["precisions"]["int8"])
    write_card(bundle.path, bundle.card, {**bundle.export, "precisions": {"int8": stated}})
    with pytest.raises(RuntimeUnavailable, match="other vectors than the original"):
        check_fidelity(Encoder.open(Bundle.open(bundle.path), device="cpu", precision="int8"))


def test_accepting_what_is_not_lost_states_nothing(tiny_bundle, tmp_path):
    """Where the figures are above the floors, nothing had to be accepted."""
    bundle = lower_bundle(tiny_bundle.path, tmp_path / "out", ACCEPTED)
    assert bundle.export["precisions"]["int8"]["accepted_loss"] is False


def test_vectors_that_are_none_are_never_accepted(tiny_bundle, tmp_path, monkeypatch):
    """A loss can be accepted, zeros and what is no number cannot."""
    nothing = Fidelity(float("nan"), float("nan"), 1.0, 70)
    monkeypatch.setattr(KnownInputs, "fidelity", lambda _self: nothing)
    with pytest.raises(ExportError, match="zeros or no numbers"):
        lower_bundle(tiny_bundle.path, tmp_path / "out", ACCEPTED)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "auto"])
def test_other_precisions_have_no_graph(precision):
    """They are computed from the one that is there."""
    with pytest.raises(UsageError, match="graphs of fp16 and int8"):
        Lower(Precision(precision))


def test_what_is_in_the_way_or_there_already_stays(both, tiny_bundle, tmp_path):
    """A bundle is never written into, and a graph that it holds is not made again."""
    with pytest.raises(UsageError, match="exists already"):
        lower_bundle(tiny_bundle.path, both.path, FP16)
    with pytest.raises(UsageError, match="in fp16 already"):
        lower_bundle(both.path, tmp_path / "out", FP16)
    assert not (tmp_path / "out").exists()


def test_what_has_no_products_is_refused(tiny_image, tmp_path):
    """An encoder of images whose weights int8 does not reach is named, and nothing is written."""
    with pytest.raises(RuntimeUnavailable, match="matrix products"):
        lower_bundle(tiny_image, tmp_path / "out", ACCEPTED)
    half = lower_bundle(tiny_image, tmp_path / "half", FP16)
    assert half.export["precisions"]["fp16"]["neighbours_kept"] == 1
    assert list(tmp_path.iterdir()) == [half.path]


def test_the_list_of_encoders_names_what_is_there(both, tmp_path):
    """A bundle in the cache that holds graphs has their precisions at hand."""
    shutil.copytree(both.path, tmp_path / "cache" / "bundles" / "owner--tiny")
    entry = next(entry for entry in list_encoders() if entry.name == "tiny")
    assert {"fp16", "int8"} <= set(entry.precisions)


def test_an_odd_card_does_not_get_in_the_way(tiny_bundle, tmp_path):
    """What a stranger's card states under the same name is replaced."""
    copy = Path(shutil.copytree(tiny_bundle.path, tmp_path / "copy"))
    write_card(copy, tiny_bundle.card, {**tiny_bundle.export, "precisions": ["odd"]})
    bundle = lower_bundle(copy, tmp_path / "out", FP16)
    assert json.loads((bundle.path / "encoder.json").read_text())["export"][
        "precisions"
    ].keys() == {"fp16"}
