"""Graphs of lower precision are derived once, kept, and never trusted unread."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from featurize.bundle import GRAPH, Bundle
from featurize.cache import cache_folder
from featurize.config import Precision
from featurize.encoder import Encoder
from featurize.errors import MissingExtra, RuntimeUnavailable
from featurize.known import KnownInputs
from featurize.storage import sha256_bytes
from featurize.variants import is_at_hand, read_graph
from featurize.variants.fp16 import to_fp16


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
    assert is_at_hand(bundle, precision)
    assert sha256_bytes(read_graph(bundle, GRAPH, precision)) == bundle.graph_sha256
    assert not _kept()


def test_a_graph_is_derived_once(tiny_text):
    """The second time it is only read; its name is its sum."""
    bundle = Bundle.open(tiny_text)
    assert not is_at_hand(bundle, Precision.FP16)
    first = read_graph(bundle, GRAPH, Precision.FP16)
    assert is_at_hand(bundle, Precision.FP16)
    (path,) = _kept()
    made = path.stat().st_mtime_ns
    assert read_graph(bundle, GRAPH, Precision.FP16) == first
    assert path.stat().st_mtime_ns == made
    assert sha256_bytes(first) == path.stem != bundle.graph_sha256


def test_first_users_at_once_get_one_graph(tiny_text, monkeypatch):
    """One derives, the others wait for it."""
    bundle = Bundle.open(tiny_text)
    made = []

    def counted(graph):
        made.append(1)
        return to_fp16(graph)

    monkeypatch.setattr("featurize.variants._DERIVATIONS", {Precision.FP16: counted})
    with ThreadPoolExecutor(4) as users:
        graphs = set(users.map(lambda _user: read_graph(bundle, GRAPH, Precision.FP16), range(4)))
    assert len(graphs) == len(made) == len(_kept()) == 1


@pytest.mark.export
@pytest.mark.parametrize("precision", [Precision.FP16, Precision.INT8])
def test_deriving_again_gives_the_same_bytes(minilm_bundle, precision, tmp_path, monkeypatch):
    """Two machines of equal versions make equal tables."""
    here = read_graph(minilm_bundle, GRAPH, precision)
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "elsewhere"))
    assert read_graph(minilm_bundle, GRAPH, precision) == here


def test_a_damaged_graph_is_made_again(tiny_text):
    """What lies in the cache is not trusted."""
    bundle = Bundle.open(tiny_text)
    good = read_graph(bundle, GRAPH, Precision.FP16)
    (path,) = _kept()
    path.write_bytes(b"something else")
    assert read_graph(bundle, GRAPH, Precision.FP16) == good
    assert [kept.read_bytes() for kept in _kept()] == [good]


@pytest.mark.export
@pytest.mark.parametrize("name", ["minilm_bundle", "image_bundle"])
def test_half_precision_vectors_have_unit_length(name, request):
    """Pooling and normalisation stay in fp32: what is exact at the end is not rounded again."""
    encoder = Encoder.open(request.getfixturevalue(name), device="cpu", precision=Precision.FP16)
    lengths = np.linalg.norm(KnownInputs(encoder).vectors(3), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_constants_that_weights_and_pooling_share_are_kept_apart():
    """A bound too small for half precision still holds behind the weights."""
    tiny = helper.make_node
    graph = helper.make_graph(
        [
            tiny("MatMul", ["x", "w"], ["h"], "product"),
            tiny("Max", ["h", "least"], ["bounded"], "bounded_product"),
            tiny("MatMul", ["bounded", "w2"], ["g"], "second"),
            tiny("Max", ["g", "least"], ["y"], "bounded_again"),
        ],
        "shared",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(np.eye(2, dtype=np.float32), "w"),
            numpy_helper.from_array(-np.eye(2, dtype=np.float32), "w2"),
            numpy_helper.from_array(np.array(1e-9, np.float32), "least"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    half = to_fp16(model.SerializeToString())
    session = onnxruntime.InferenceSession(half, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.array([[1.0, 3.0]], np.float32)})
    np.testing.assert_array_equal(found, np.full((1, 2), 1e-9, np.float32))


@pytest.mark.parametrize("bundle", ["tiny_text", "tiny_image"])
def test_int8_is_refused_where_it_would_change_little(bundle, request):
    """An encoder whose weights are in no matrix products is not called int8 all the same."""
    opened = Bundle.open(request.getfixturevalue(bundle))
    with pytest.raises(RuntimeUnavailable, match="made of matrix products"):
        read_graph(opened, GRAPH, Precision.INT8)
    assert not _kept()


def test_what_cannot_be_derived_says_so(tiny_text, monkeypatch):
    """Whatever the tools raise, the user hears which precision is not to be had, and what is."""

    def fail(_graph):
        raise KeyError("val_7")

    monkeypatch.setattr("featurize.variants._DERIVATIONS", {Precision.FP16: fail})
    with pytest.raises(RuntimeUnavailable, match="cannot be computed in fp16") as caught:
        read_graph(Bundle.open(tiny_text), GRAPH, Precision.FP16)
    assert "--precision fp32" in str(caught.value.fix)


def test_without_onnx_the_extra_is_named(tiny_text, monkeypatch):
    """The message holds the pip command."""
    monkeypatch.setattr("featurize.variants.find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"featurize\[precisions\]"):
        read_graph(Bundle.open(tiny_text), GRAPH, Precision.FP16)
