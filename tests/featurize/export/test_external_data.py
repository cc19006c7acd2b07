"""External data are read from plain files beside the model, by their exact names, and no others."""

import os
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from featurize.errors import ExportError
from featurize.export import export
from featurize.export.origin import locate
from featurize.export.ready.files import read_model

DATA = "net.onnx_data"


@pytest.fixture
def model(tmp_path):
    """Write an image encoder whose weights lie in a file beside it; return the encoder's path."""
    path = tmp_path / "model" / "net.onnx"
    path.parent.mkdir()
    weights = np.random.default_rng(0).normal(size=(8, 3, 8, 8)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["images", "w"], ["c"], strides=[8, 8]),
        helper.make_node("GlobalAveragePool", ["c"], ["features"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 32, 32])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 8, 1, 1])
    constants = [numpy_helper.from_array(weights, "w")]
    graph = helper.make_graph(nodes, "net", [images], [features], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, path, save_as_external_data=True, location=DATA, size_threshold=0)
    return path


def state(path, **entries):
    """Change what a model says about its external data."""
    model = onnx.load(path, load_external_data=False)
    (tensor,) = model.graph.initializer
    stated = {entry.key: entry.value for entry in tensor.external_data}
    del tensor.external_data[:]
    for key, value in {**stated, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())


def test_external_data_end_in_the_one_file_of_the_bundle(model, tmp_path):
    """A bundle holds all weights itself, and works where the model is gone."""
    bundle = export(model, tmp_path / "bundle")
    shutil.rmtree(model.parent)
    assert bundle.card.dim == 8
    graph = onnx.load(bundle.path / "model.onnx", load_external_data=False)
    assert all(not tensor.external_data for tensor in graph.graph.initializer)


def test_the_weights_are_those_of_all_files(model):
    """Another byte in the external data is another model, in the fingerprint and in the cache."""
    before, slug = read_model(model)[1], locate(model).slug
    data = model.with_name(DATA)
    data.write_bytes(data.read_bytes()[:-1] + b"\x7f")
    assert read_model(model)[1] != before
    assert locate(model).slug != slug


@pytest.mark.parametrize(
    "name",
    ["../secret", "/etc/passwd", "", ".", "..", "sub/data", "a\\b", "missing", "NET.onnx_data"],
)
def test_other_places_are_refused(name, model):
    """Neither a path, nor another name, nor one in other capitals is followed."""
    model.parent.with_name("secret").write_bytes(b"\0" * 10_000)
    state(model, location=name)
    with pytest.raises(ExportError, match="beside"):
        read_model(model)


@pytest.mark.parametrize("link", [os.symlink, os.link, lambda _, to: os.mkfifo(to)])
def test_links_and_devices_are_refused(link, model, tmp_path):
    """Neither kind of link, nor a pipe, stands for the data, though they be the right ones."""
    data, secret = model.with_name(DATA), tmp_path / "elsewhere"
    data.rename(secret)
    link(secret, data)
    with pytest.raises(ExportError, match="link or no regular file"):
        read_model(model)


@pytest.mark.parametrize(
    "entries",
    [
        {"offset": "-1"},
        {"offset": "99999999"},
        {"length": "99999999"},
        {"offset": "6140", "length": "8"},
        {"length": "x"},
        {"length": "-5"},
    ],
    ids=str,
)
def test_ranges_outside_the_file_are_refused(entries, model):
    """Data that are not whole in the file are named."""
    state(model, **entries)
    with pytest.raises(ExportError, match=r"'w' are not in net\.onnx_data"):
        read_model(model)


def test_more_than_two_gigabytes_are_refused(model):
    """The size is known before anything is read."""
    os.truncate(model.with_name(DATA), 2**31)
    with pytest.raises(ExportError, match="larger than 2 GB"):
        read_model(model)


def test_a_link_to_a_model_is_followed_to_its_data(model, tmp_path):
    """Data lie beside the file itself, wherever a link to it stands."""
    link = tmp_path / "link.onnx"
    link.symlink_to(model)
    assert read_model(link)[1] == read_model(model)[1]


def test_the_cache_of_the_hub_keeps_its_links(model, tmp_path):
    """Where all files are links into the blobs of one repository, they are followed."""
    blobs, snapshot = tmp_path / "repo" / "blobs", tmp_path / "repo" / "snapshots" / "ab" / "onnx"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, name in enumerate(["net.onnx", DATA]):
        shutil.copy(model.with_name(name), blobs / str(number))
        (snapshot / name).symlink_to(f"../../../blobs/{number}")
    assert read_model(snapshot / "net.onnx")[1] == read_model(model)[1]
    assert locate(snapshot / "net.onnx").load(None).card.dim == 8
    (snapshot / DATA).unlink()
    (snapshot / DATA).symlink_to(model.with_name(DATA))
    with pytest.raises(ExportError, match="link"):
        read_model(snapshot / "net.onnx")
