"""Folders that ship `onnx/model.onnx` become faithful bundles without torch."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from featurize.encoder import Encoder
from featurize.errors import ExportError, UsageError
from featurize.export import export, write_bundle
from featurize.export.origin import Origin, locate
from featurize.export.ready import ReadyFile
from featurize.export.ready.given import Given
from featurize.export.ready.text import POOLINGS, text_graph
from featurize.export.ready.text_use import read_text_use

TEXTS = ["word", "", "one two, the three!", "QUITE Upper", "word " * 100, "déjà vu", "中文 🙂"]
WITHOUT_TORCH = """
import sys
for name in ("torch", "transformers", "sentence_transformers", "onnxscript"):
    sys.modules[name] = None
import featurize.cli.main
featurize.cli.main.main()
"""


@pytest.fixture(scope="module")
def graphs():
    """Return a function that traces a folder's transformer once: ids, mask, types to states."""
    made = {}

    def graph(folder):
        if folder not in made:
            made[folder] = _traced(folder)
        return made[folder]

    return graph


def _traced(folder):
    import torch
    from transformers import AutoModel

    from featurize.export.quiet import quiet

    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.transformer = AutoModel.from_pretrained(folder, attn_implementation="eager")

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.transformer(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state

    ids = torch.arange(16).reshape(2, 8) % 4 + 2
    example = {"input_ids": ids, "attention_mask": ids * 0 + 1, "token_type_ids": ids * 0}
    axes = {name: {0: "batch", 1: "tokens"} for name in example}
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            Plain().eval(),
            kwargs=example,
            dynamo=True,
            opset_version=18,
            input_names=list(example),
            output_names=["last_hidden_state"],
            dynamic_shapes=axes,
            verbose=False,
        )
    return program.model_proto


@pytest.fixture
def make_ready(make_model, graphs, tmp_path):
    """Return a function that saves a tiny model as a folder with a ready file, and no weights."""

    def make(change=None, without=(), **form):
        source, folder = make_model(**form), tmp_path / "ready"
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors"))
        for name in without:
            (folder / name).unlink()
        (folder / "onnx").mkdir()
        model = onnx.ModelProto()
        model.CopyFrom(graphs(source))
        if change is not None:
            change(model)
        onnx.save(model, folder / "onnx" / "model.onnx")
        return folder

    return make


def original(folder, bundle):
    """Return what sentence-transformers makes of the model whose transformer was traced."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    model.max_seq_length = bundle.card.space.max_length
    return model.encode(TEXTS, show_progress_bar=False)


@pytest.mark.parametrize(
    "form",
    [{}, {"pooling": "cls", "normalize": False}, {"pooling": "max"}, {"pooling": "lasttoken"}],
    ids=str,
)
def test_a_ready_folder_gives_the_vectors_of_the_original(
    form, make_ready, make_model, tmp_path, close
):
    """The ready file, pooled as its folder says, encodes as sentence-transformers does."""
    bundle = export(make_ready(**form), tmp_path / "bundle")
    found = Encoder.open(bundle, device="cpu").encode(TEXTS)
    assert close(found, original(make_model(**form), bundle))
    space = bundle.card.space
    assert (space.pooling, space.max_length) == (form.get("pooling", "mean"), 40)
    assert space.normalize == form.get("normalize", True)
    assert "torch" not in bundle.export["libraries"]
    assert "assumed" not in bundle.export


def test_vectors_do_not_depend_on_their_batch(make_ready, tmp_path):
    """Texts of one length give the same bits alone and together."""
    encoder = Encoder.open(export(make_ready(), tmp_path / "bundle"), device="cpu")
    ids = np.arange(9 * 7, dtype=np.int64).reshape(9, 7) % 11 + 2
    together = encoder.runtime.run({"input_ids": ids, "attention_mask": np.ones_like(ids)})
    for row in range(9):
        one = ids[row : row + 1]
        alone = encoder.runtime.run({"input_ids": one, "attention_mask": np.ones_like(one)})
        assert np.array_equal(alone[0], together[row])


def test_a_folder_that_states_no_pooling_is_averaged(make_ready, tmp_path):
    """Without modules.json, mean and unit length are assumed, and said."""
    lines = []
    folder = make_ready(without=["modules.json"])
    bundle = export(folder, tmp_path / "bundle", say=lines.append)
    assert "their mean, brought to unit length" in lines[0]
    assert bundle.export["assumed"] == lines[:1]
    assert bundle.card.space.pooling == "mean"


def test_prompts_are_kept_and_checked(make_ready, tmp_path):
    """A folder's prompts are in the card; one that is lost does not pass."""
    prompts = {"query": "ask: ", "passage": "tell: "}
    candidate = locate(make_ready(prompts=prompts)).load(None)
    assert dict(candidate.card.prompts) == prompts
    write_bundle(candidate, tmp_path / "bundle")
    lost = replace(candidate, card=replace(candidate.card, prompts={}))
    with pytest.raises(ExportError, match="with the prompt of"):
        write_bundle(lost, tmp_path / "lost")


def test_a_pooling_of_several_modes_is_refused(make_ready):
    """What no ready file is completed with is named, with the way out."""
    with pytest.raises(ExportError, match="weightedmean"):
        locate(make_ready(pooling="weightedmean")).load(None)


def with_sentence_vectors(model):
    """Give the mean of the token vectors instead of them, under our own output's name."""
    mean = """
        masked (int64[b, t] attention_mask, float[b, t, h] last_hidden_state) => (vectors)
        <int64[1] first = {1}, int64[1] third = {2}>
        {
            floats = Cast <to = 1> (attention_mask)
            weights = Unsqueeze (floats, third)
            products = Mul (last_hidden_state, weights)
            sums = ReduceSum <keepdims = 0> (products, first)
            counts = ReduceSum <keepdims = 0> (weights, first)
            vectors = Div (sums, counts)
        }
    """
    tail = onnx.parser.parse_graph(mean)
    model.graph.node.extend(tail.node)
    model.graph.node[-1].output[0] = "sentence_embedding"
    model.graph.initializer.extend(tail.initializer)
    value = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["b", 32])
    del model.graph.output[:]
    model.graph.output.append(value)


def test_a_sentence_vector_is_taken_as_it_is(make_ready, make_model, tmp_path, close):
    """Where the file gives one vector a text itself, no pooling is added."""
    bundle = export(make_ready(with_sentence_vectors), tmp_path / "bundle")
    assert bundle.card.space.pooling == "none"
    assert close(Encoder.open(bundle, device="cpu").encode(TEXTS), original(make_model(), bundle))


FAULTS = {
    "another pooling": lambda use: replace(use, pooling="max"),
    "the first token": lambda use: replace(use, pooling="cls"),
    "normalisation dropped": lambda use: replace(use, normalize=False),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_does_not_pass(fault, make_ready, tmp_path):
    """A graph that ends otherwise than the folder says is refused, and nothing written."""
    folder = make_ready()
    path = folder / "onnx" / "model.onnx"
    given = Given.read("net", path, path.with_suffix(".json"))
    use, _ = read_text_use(given, folder, None)
    wrong = text_graph(given.model, fault(use))
    with pytest.raises(ExportError, match="not faithful"):
        write_bundle(replace(locate(folder).load(None), graph=lambda: wrong), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_wrong_token_types_do_not_pass(make_ready, tmp_path):
    """A graph that feeds ones for the types of the tokens is refused."""
    candidate = locate(make_ready()).load(None)
    model = onnx.load_from_string(candidate.graph())
    (types,) = (node for node in model.graph.node if node.output[0] == "token_type_ids")
    types.CopyFrom(helper.make_node("Identity", ["attention_mask"], ["token_type_ids"]))
    wrong = replace(candidate, graph=model.SerializeToString)
    with pytest.raises(ExportError, match="not faithful"):
        write_bundle(wrong, tmp_path / "bundle")


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_on_either_side_is_not_pooled(pooling):
    """Each pooling takes the tokens of the mask alone, wherever they stand."""
    import onnxruntime

    from featurize.export.ready.text_use import TextUse

    axes = ["batch", "tokens"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, axes)
        for name in ("input_ids", "attention_mask")
    ]
    states = helper.make_tensor_value_info("states", TensorProto.FLOAT, [*axes, 1])
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "shape"], ["states"]),
    ]
    shape = [helper.make_tensor("shape", TensorProto.INT64, [3], [0, -1, 1])]
    graph = helper.make_graph(nodes, "g", inputs, [states], shape)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    use = TextUse(output="states", types=False, pooling=pooling, normalize=False, max_length=9)
    session = onnxruntime.InferenceSession(text_graph(model, use))
    ids, mask = np.array([[-5, -1, 9], [-3, -2, -4]]), np.array([[1, 1, 0], [1, 1, 1]])
    (found,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
    expected = {"mean": [-3, -3], "cls": [-5, -3], "max": [-1, -2], "lasttoken": [-1, -4]}
    assert found.ravel().tolist() == expected[pooling]


def takes(name):
    """Return a change that makes a graph take one input more."""

    def change(model):
        value = helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        model.graph.input.append(value)

    return change


def quantize(model):
    """Put a quantised detour into a graph."""
    model.graph.initializer.append(helper.make_tensor("scale", TensorProto.FLOAT, [], [0.1]))
    nodes = [
        helper.make_node("QuantizeLinear", ["last_hidden_state", "scale"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale"], ["d"]),
    ]
    model.graph.node.extend(nodes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (takes("position_ids"), "position_ids"),
        (takes("past_key_values.0.key"), "past_key_values"),
        (quantize, "QuantizeLinear"),
    ],
)
def test_a_graph_that_is_no_plain_encoder_says_why(change, message, make_ready):
    """Further inputs and quantised files are refused by name."""
    with pytest.raises(ExportError, match=message):
        locate(make_ready(change)).load(None)


def test_modules_after_the_pooling_are_refused(make_ready):
    """A Dense layer has weights of its own, which are not in the file."""
    with pytest.raises(ExportError, match="Dense") as caught:
        locate(make_ready(dense=(16,))).load(None)
    assert "extra" in caught.value.fix


def test_a_folder_without_its_tokenizer_says_so(make_ready):
    """A text model is of no use without its tokenizer."""
    with pytest.raises(ExportError, match=r"no tokenizer\.json"):
        locate(make_ready(without=["tokenizer.json"])).load(None)


@pytest.mark.parametrize(
    ("file", "stated", "expected"),
    [
        ("sentence_bert_config.json", {"max_seq_length": 17}, 17),
        ("tokenizer_config.json", {"model_max_length": 19}, 19),
        ("tokenizer_config.json", {"model_max_length": 10**30}, 40),
        ("config.json", {"max_position_embeddings": 33}, 33),
        ("config.json", {"model_type": "roberta", "pad_token_id": 1}, 38),
    ],
)
def test_the_length_is_the_least_that_is_stated(file, stated, expected, make_ready):
    """Three files may state a longest input, and a family's positions may begin later."""
    folder = make_ready()
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **stated}))
    assert locate(folder).load(None).card.space.max_length == expected
    assert locate(folder).load(10).card.space.max_length == 10
    with pytest.raises(UsageError, match=f"3 to {expected}"):
        locate(folder).load(expected + 1)


def test_weights_of_torch_come_first(make_ready, make_model, monkeypatch):
    """A folder with both is traced where torch is there, and used as it is where it is not."""
    folder = make_ready()
    shutil.copy(make_model() / "model.safetensors", folder)
    assert isinstance(locate(folder), Origin)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert isinstance(locate(folder), ReadyFile)


@pytest.mark.parametrize("with_torch", [True, False])
def test_a_model_of_the_hub_is_fetched_as_it_can_be_used(with_torch, make_ready, monkeypatch):
    """Its weights are asked for where torch is, its ready file where torch or they are missing."""
    folder, asked = make_ready(), []

    def snapshot_download(name, *, revision, allow_patterns, ignore_patterns):
        asked.append(allow_patterns)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    if not with_torch:
        monkeypatch.setitem(sys.modules, "torch", None)
    candidate = locate("owner/name").load(None)
    assert candidate.card.name == "owner/name"
    assert [("onnx/model.onnx" in names, "*.safetensors" in names) for names in asked] == (
        [(False, True), (True, False)] if with_torch else [(True, False)]
    )


def test_without_onnx_the_fix_is_an_install_line(make_ready, monkeypatch):
    """Editing graphs takes the package onnx, and no torch."""
    from featurize.errors import MissingExtra

    origin = locate(make_ready())
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match="onnx") as caught:
        origin.load(None)
    assert "featurize[precisions]" in caught.value.fix


def test_a_folder_is_embedded_without_torch(make_ready, tmp_path):
    """With torch and its libraries made unimportable, a ready folder embeds texts."""
    source = tmp_path / "texts.csv"
    source.write_text("id,text\n1,one two\n2,the word\n")
    arguments = ["embed", source, "--encoder", make_ready(), "--out", tmp_path / "t"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 rows of 2 inputs" in done.stdout
