"""Graphs of lower precision are derived once, kept, and never trusted unread."""

import numpy as np
import pytest

from featurize.bundle import Bundle
from featurize.cache import cache_folder
from featurize.config import Precision
from featurize.encoder import Encoder
from featurize.errors import BundleError, RuntimeUnavailable
from featurize.storage import sha256_bytes
from featurize.variants import open_graph

DERIVED = [Precision.FP16, Precision.INT8]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep what is derived in a folder of the test."""
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "cache"))


def _kept():
    return list((cache_folder() / "graphs").rglob("*.onnx"))


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
def test_full_graphs_are_the_bundles_own(tiny_text, precision):
    """fp32 and bf16 are computed from the one graph that was exported."""
    bundle = Bundle.open(tiny_text)
    graph = open_graph(bundle, precision)
    assert graph.sha256 == bundle.graph_sha256 == sha256_bytes(graph.read())
    assert not _kept()


@pytest.mark.parametrize("precision", DERIVED)
def test_a_graph_is_derived_once(tiny_text, precision):
    """The second time it is only read; its name is its sum."""
    bundle = Bundle.open(tiny_text)
    first = open_graph(bundle, precision)
    (path,) = _kept()
    made = path.stat().st_mtime_ns
    again = open_graph(bundle, precision)
    assert path.stat().st_mtime_ns == made
    assert first.sha256 == again.sha256 == sha256_bytes(again.read()) != bundle.graph_sha256


@pytest.mark.parametrize("precision", DERIVED)
def test_deriving_again_gives_the_same_bytes(tiny_text, precision, tmp_path, monkeypatch):
    """Two machines of equal versions make equal tables."""
    bundle = Bundle.open(tiny_text)
    here = open_graph(bundle, precision).sha256
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "elsewhere"))
    assert open_graph(bundle, precision).sha256 == here


def test_a_damaged_graph_is_made_again(tiny_text):
    """What lies in the cache is not trusted."""
    bundle = Bundle.open(tiny_text)
    good = open_graph(bundle, Precision.FP16)
    (path,) = _kept()
    path.write_bytes(b"something else")
    with pytest.raises(BundleError, match="was changed after it was made"):
        good.read()
    assert open_graph(bundle, Precision.FP16).sha256 == good.sha256
    assert sha256_bytes(path.read_bytes()) == good.sha256


@pytest.mark.export
@pytest.mark.parametrize("name", ["minilm_bundle", "image_bundle"])
def test_half_precision_vectors_have_unit_length(name, request):
    """Pooling and normalisation stay in fp32: what is exact at the end is not rounded again."""
    encoder = Encoder.open(request.getfixturevalue(name), device="cpu", precision=Precision.FP16)
    lengths = np.linalg.norm(encoder.known_vectors(3), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_int8_is_refused_where_it_would_change_nothing(tiny_image):
    """An encoder of convolutions alone has nothing to quantise well: asked for is not ignored."""
    with pytest.raises(RuntimeUnavailable, match="convolutions"):
        open_graph(Bundle.open(tiny_image), Precision.INT8)
    assert not _kept()


def test_without_onnx_the_package_is_named(tiny_text, monkeypatch):
    """The message holds the pip command."""
    monkeypatch.setattr("featurize.variants.find_spec", lambda _name: None)
    with pytest.raises(RuntimeUnavailable) as caught:
        open_graph(Bundle.open(tiny_text), Precision.INT8)
    assert "pip install onnx" in str(caught.value.fix)
