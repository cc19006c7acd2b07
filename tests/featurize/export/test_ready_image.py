"""ONNX files of image encoders, with a card or bare, become faithful bundles without torch."""

import json
import re
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from featurize.encoder import Encoder
from featurize.errors import ExportError, UsageError
from featurize.export import export, write_bundle
from featurize.export.origin import locate
from featurize.export.ready.given import Given
from featurize.export.ready.image import image_graph
from featurize.export.ready.image_use import read_image_use

SIDE, FIELD = 32, 8
DIM = 16


@pytest.fixture
def make_file(tmp_path):
    """Return a function that writes a small convolutional network as an ONNX file."""

    def make(name="net", card=None, **form):
        path = tmp_path / f"{name}.onnx"
        onnx.save(network(**form), path)
        if card is not None:
            path.with_suffix(".json").write_text(json.dumps(card))
        return path

    return make


def network(
    last=False, batch="n", side=SIDE, ending="map", opset=17, names=("input", "features"), maker=""
):
    """Return a graph: one convolution of 8 x 8 fields, which ends in a map, a point or a vector."""
    weights = np.random.default_rng(0).normal(size=(DIM, 3, FIELD, FIELD)).astype(np.float32)
    given, made = names
    shape = [batch, side, side, 3] if last else [batch, 3, side, side]
    images = "nchw" if last else given
    nodes = [helper.make_node("Transpose", [given], [images], perm=[0, 3, 1, 2])] if last else []
    nodes += [
        helper.make_node("Conv", [images, "w"], ["c"], strides=[FIELD, FIELD]),
        helper.make_node("Relu", ["c"], ["relu"]),
    ]
    constants = [numpy_helper.from_array(weights, "w")]
    map_axes = ["n", None, None, DIM] if last else ["n", DIM, None, None]
    out = {"map": map_axes, "point": ["n", DIM, 1, 1], "vector": ["n", DIM], "fixed": [1, DIM]}
    if ending == "map" and last:
        nodes.append(helper.make_node("Transpose", ["relu"], [made], perm=[0, 2, 3, 1]))
    elif ending == "map":
        nodes.append(helper.make_node("Identity", ["relu"], [made]))
    else:
        nodes.append(helper.make_node("GlobalAveragePool", ["relu"], ["pooled"]))
        rest = {
            "point": ("Identity", ["pooled"]),
            "vector": ("Flatten", ["pooled"]),
            "fixed": ("Reshape", ["pooled", "shape"]),
        }[ending]
        nodes.append(helper.make_node(*rest, [made]))
        constants.append(helper.make_tensor("shape", TensorProto.INT64, [2], [1, DIM]))
    inputs = [helper.make_tensor_value_info(given, TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info(made, TensorProto.FLOAT, out[ending])]
    graph = helper.make_graph(nodes, "net", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name=maker)


FORMS = {
    "a map": {},
    "colours last": {"last": True},
    "a point": {"ending": "point"},
    "a vector, opset 11": {"ending": "vector", "opset": 11},
    "a vector, opset 22": {"ending": "vector", "opset": 22},
    "a batch of one": {"batch": 1, "ending": "vector"},
    "a batch of one, written into a Reshape": {"batch": 1, "ending": "fixed"},
    "names of ours": {"names": ("sentence_embedding", "pixels")},
    "our input's name": {"names": ("pixels", "sentence_embedding")},
    "sides of any size": {"side": "s", "card": {"size": 48, "mean": 127, "std": 64}},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_files_of_every_form_are_used(form, make_file, tmp_path):
    """Whatever its axes, names and opset, a file's vectors are those it gives itself."""
    bundle = export(make_file(**form), tmp_path / "bundle")
    assert (bundle.card.dim, bundle.card.modalities) == (DIM, ("image",))
    assert bundle.export["parity"]["max_abs_diff"] <= 1e-5
    assert "torch" not in bundle.export["libraries"]


def test_a_vector_does_not_depend_on_its_batch(make_file, tmp_path):
    """Vectors of one image alone and among others are equal, bit for bit."""
    encoder = Encoder.open(export(make_file(), tmp_path / "bundle"), device="cpu")
    noise = np.random.default_rng(1).uniform(0, 255, (7, 3, SIDE, SIDE)).astype(np.float32)
    together = encoder.runtime.run({"pixels": noise})
    alone = [encoder.runtime.run({"pixels": noise[row : row + 1]})[0] for row in range(7)]
    assert np.array_equal(together, np.stack(alone))
    assert np.allclose(np.linalg.norm(together, axis=1), 1)


def test_a_card_says_how_images_are_fed(make_file, tmp_path):
    """Every field of a card reaches the vectors or the bundle's card, and leaves nothing open."""
    stated = {
        "kind": "image",
        "input": "input",
        "output": "features",
        "layout": "NCHW",
        "channels": "BGR",
        "size": SIDE,
        "resize": 40,
        "resample": "bilinear",
        "mean": [1, 2, 3],
        "std": [4.0, 5.5, 6.0],
        "normalize": False,
        "license": "mit",
        "name": "mine",
    }
    candidate = locate(make_file(card=stated)).load(None)
    write_bundle(candidate, tmp_path / "bundle")
    assert (candidate.card.name, candidate.license, candidate.assumed) == ("mine", "mit", ())
    assert not candidate.card.space.normalize
    plain = locate(make_file("plain", card={"mean": 0, "std": 1})).load(None)
    assert plain.card.fingerprint != candidate.card.fingerprint


def test_the_colours_a_file_wants_are_fed(make_file, tmp_path):
    """A red image reaches a file of blue, green, red as its third channel, by the card's scale."""
    from PIL import Image

    card = {"channels": "BGR", "mean": [5, 0, 0], "std": [10, 1, 1], "normalize": False}
    path = make_file(card=card, ending="vector")
    encoder = Encoder.open(export(path, tmp_path / "bundle"), device="cpu")
    found = encoder.encode([Image.new("RGB", (50, 50), (255, 0, 0))])
    weights = numpy_helper.to_array(onnx.load(path).graph.initializer[0])
    assert np.allclose(found[0], np.maximum(weights[:, 2].sum((1, 2)) * 25, 0), rtol=1e-4)


@pytest.mark.parametrize(
    ("form", "levels"),
    [
        ({}, r"\[123.675, 116.28, 103.53\].*PyTorch"),
        ({"last": True}, "127.5.*TensorFlow"),
        ({"maker": "tf2onnx"}, "127.5.*TensorFlow"),
    ],
    ids=str,
)
def test_what_a_bare_file_leaves_open_is_said(form, levels, make_file, tmp_path):
    """Without a card, mean and std are assumed in one sentence, which the bundle keeps."""
    lines = []
    bundle = export(make_file(**form), tmp_path / "bundle", say=lines.append)
    assert bundle.export["assumed"] == lines[:1]
    assert "net.json" in lines[0]
    assert re.search(levels, lines[0])


@pytest.fixture
def model(make_file):
    """Return a small file as it was read, its use, and the candidate made of it."""
    path = make_file(card={"mean": [1, 2, 3], "std": [40, 50, 60]})
    given = Given.read("net", path, path.with_suffix(".json"))
    use, _ = read_image_use(given)
    return given.model, use, locate(given.path).load(None)


FAULTS = {
    "mean and std swapped": lambda use: replace(use, mean=use.std, std=use.mean),
    "channels swapped": lambda use: replace(use, reverse=True),
    "normalisation dropped": lambda use: replace(use, normalize=False),
    "another mean": lambda use: replace(use, mean=(1.0, 2.0, 4.0)),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_does_not_pass(fault, model, tmp_path):
    """A graph that feeds or ends otherwise than the reference is refused, and nothing written."""
    given, use, candidate = model
    wrong = replace(candidate, graph=lambda: image_graph(given, fault(use)))
    with pytest.raises(ExportError, match="not faithful"):
        write_bundle(wrong, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"colour": 1, "mena": 2}, "colour, mena"),
        ({"mean": 1}, "only one of mean and std"),
        ({"mean": [1, 2], "std": 1}, "mean is"),
        ({"mean": 1, "std": 0}, "std is"),
        ({"size": 33}, "size 33"),
        ({"resize": 31}, "resize 31"),
        ({"layout": "NHWC"}, "layout NHWC"),
        ({"output": "logits"}, "output 'logits'"),
        ({"resample": "cubic"}, "resample is"),
        ({"normalize": 1}, "normalize is"),
    ],
    ids=str,
)
def test_a_card_that_cannot_be_meant_is_refused(card, message, make_file):
    """Unknown fields, impossible values and contradictions name the field."""
    with pytest.raises(UsageError, match=message):
        locate(make_file(card=card)).load(None)


def changed(change):
    """Return the small network after a change of its graph."""
    model = network(ending="vector")
    change(model)
    return model


def lower(model):
    """Keep the weights in half precision."""
    tensor = model.graph.initializer[0]
    half = numpy_helper.to_array(tensor).astype(np.float16)
    tensor.CopyFrom(numpy_helper.from_array(half, "w"))


def add_output(model):
    """Give a second value."""
    value = helper.make_tensor_value_info("relu", TensorProto.FLOAT, None)
    model.graph.output.append(value)


def add_input(model):
    """Take a second value."""
    value = helper.make_tensor_value_info("other", TensorProto.FLOAT, [1])
    model.graph.input.append(value)


def foreign(model):
    """Use an operator of somebody's own."""
    model.graph.node[1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))


BAD = {
    "half precision": (lower, "FLOAT16"),
    "two outputs": (add_output, "outputs features, relu"),
    "two inputs": (add_input, "inputs input, other"),
    "foreign operators": (foreign, "com.example.Relu"),
    "an old opset": (lambda m: m.opset_import[0].__setattr__("version", 7), "opset 7"),
    "a fixed batch": (
        lambda m: m.graph.input[0].type.tensor_type.shape.dim[0].__setattr__("dim_value", 4),
        "exactly 4",
    ),
    "bytes": (
        lambda m: m.graph.input[0].type.tensor_type.__setattr__("elem_type", TensorProto.UINT8),
        "UINT8",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_a_graph_that_is_no_image_encoder_says_why(change, message, tmp_path):
    """What cannot be used is refused with the name of what is in the way."""
    path = tmp_path / "bad.onnx"
    onnx.save(changed(change), path)
    with pytest.raises(ExportError, match=message):
        locate(path).load(None)


def test_a_graph_for_one_image_alone_is_refused(make_file):
    """A batch that cannot be made free is an error that says so."""
    path = make_file(batch=1, ending="vector")
    model = onnx.load(path)
    end = model.graph.node[-1]
    model.graph.node.append(helper.make_node("Reshape", ["flat", "shape"], ["features"]))
    end.output[0] = "flat"
    model.graph.initializer[-1].CopyFrom(
        helper.make_tensor("shape", TensorProto.INT64, [3], [DIM, 1, 1])
    )
    model.graph.node.append(helper.make_node("Flatten", ["features"], ["out"], axis=0))
    model.graph.output[0].name = "out"
    onnx.save(model, path)
    with pytest.raises(ExportError, match="one image at a time"):
        locate(path).load(None)


def test_a_damaged_file_says_so(tmp_path):
    """What is no ONNX file is an error with its name."""
    (tmp_path / "no.onnx").write_bytes(b"\xff" * 40)
    with pytest.raises(ExportError, match=r"no\.onnx is no ONNX file"):
        locate(tmp_path / "no.onnx").load(None)


def test_a_file_is_known_by_its_content(make_file):
    """A changed file or card makes another entry in the cache; a copy shares it."""
    slugs = [locate(make_file(opset=opset)).slug for opset in (17, 18, 17)]
    carded = locate(make_file(card={"mean": 0, "std": 1})).slug
    assert slugs[0] == slugs[2] != slugs[1]
    assert carded not in slugs


def test_a_card_goes_with_a_file_alone(tmp_path):
    """A card for what is no ONNX file is a usage error."""
    with pytest.raises(UsageError, match="ONNX file"):
        locate("minilm", tmp_path / "card.json")


def test_a_quantised_file_says_how_it_is_fed(shared_data, tmp_path):
    """A file whose first node makes bytes of its input is fed with what that undoes."""
    (path,) = (shared_data / "weights" / "mobilenet_v2_onnx").glob("*.onnx")
    lines = []
    bundle = export(path, tmp_path / "bundle", say=lines.append)
    assert bundle.card.dim == 1280
    assert "(value - 128) / 128" in lines[0]
