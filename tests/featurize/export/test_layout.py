"""Folders that cannot be exported, or must not be loaded, are refused with the reason."""

import json
import shutil

import pytest

from featurize.errors import ExportError
from featurize.export.layout import Layout


def change_modules(folder, change):
    """Rewrite the list of modules."""
    path = folder / "modules.json"
    modules = json.loads(path.read_text())
    path.write_text(json.dumps(change(modules)))
    return folder


def module(kind, path=""):
    """Describe a module as modules.json does."""
    return {"idx": 9, "name": "9", "path": path, "type": kind}


def test_a_plain_folder_is_described(make_model):
    """Modules, pooling and weights are read without loading the model."""
    layout = Layout.read(make_model(dense=(16,)))
    assert (layout.steps, layout.normalize) == ("mean+dense(Tanh)", True)
    assert len(layout.weights) == 64


def test_the_weights_of_one_file_are_its_hash(make_model, hashes):
    """A single weight file gives its own SHA-256; several give one over names and sums."""
    plain, dense = make_model(), make_model(dense=(16,))
    assert Layout.read(plain).weights == hashes(plain)["model.safetensors"]
    assert Layout.read(dense).weights not in hashes(dense).values()


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("config.json", {"auto_map": {"AutoModel": "code.Model"}}, "never run"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": "code.T"}}, "never run"),
        ("1_Pooling/config.json", {"pooling_mode": ["mean", "median"]}, "Pooling is median"),
        ("1_Pooling/config.json", {"include_prompt": False}, "tokens of the prompt"),
        ("processor_config.json", {"image_processor": {"auto_map": {"A": "b.C"}}}, "never run"),
        ("adapter_config.json", {"peft_type": "LORA"}, "adapter"),
        ("config.json", {"transformers_weights": "x.safetensors"}, "other weights than model"),
        ("sentence_bert_config.json", {"model_args": {"variant": "x"}}, "other weights than model"),
        ("sentence_bert_config.json", {"config_args": {"transformers_weights": "x"}}, "other wei"),
        ("config_sentence_transformers.json", {"prompts": {"query": 7}}, "prompts are texts"),
        ("config_sentence_transformers.json", {"truncate_dim": "8"}, "truncate_dim is '8'"),
    ],
)
def test_what_is_not_supported_is_named(file, changes, message, copy_model):
    """Remote code, unknown pooling, adapters and settings of no sense are refused by name."""
    with pytest.raises(ExportError, match=message):
        Layout.read(copy_model(file, **changes))


def test_prompts_that_say_nothing_are_left_out(copy_model):
    """Of the prompts by role, empty ones are no prompts, and no defaults."""
    settings = {"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": "document"}
    layout = Layout.read(copy_model("config_sentence_transformers.json", **settings))
    assert (layout.prompts, layout.default_prompt) == ({"query": "query: "}, None)


def test_legacy_pooling_flags_are_understood(copy_model):
    """The flags of older versions name the pooling."""
    folder = copy_model()
    flags = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(flags))
    assert Layout.read(folder).pooling == ("cls",)


def test_code_of_the_model_itself_is_refused(copy_model):
    """A module that sentence-transformers does not bring is never imported."""
    folder = change_modules(copy_model(), lambda list_: [*list_, module("custom_code.Head")])
    with pytest.raises(ExportError, match=r"custom_code\.Head"):
        Layout.read(folder)


def test_other_modules_are_named_with_what_is_supported(copy_model):
    """An unsupported module of sentence-transformers is named."""
    foreign = module("sentence_transformers.models.LSTM", "9_LSTM")
    folder = change_modules(copy_model(), lambda list_: [*list_, foreign])
    with pytest.raises(ExportError, match=r"LSTM; supported are Transformer and Pooling"):
        Layout.read(folder)


@pytest.mark.parametrize("path", ["../elsewhere", "/etc"])
def test_a_module_outside_the_folder_is_refused(path, copy_model):
    """The list of modules cannot lead out of the model's folder."""
    folder = change_modules(copy_model(), lambda list_: [{**list_[0], "path": path}, *list_[1:]])
    with pytest.raises(ExportError, match="outside its folder"):
        Layout.read(folder)


def test_pickled_weights_are_refused(copy_model):
    """Only safetensors are read, because a pickle can run code."""
    folder = copy_model()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ExportError, match="safetensors files only"):
        Layout.read(folder)


def test_the_weights_that_are_loaded_are_hashed(copy_model, hashes):
    """Beside a weight file, an index of parts means nothing; without it, its parts are the weights.

    So it is when transformers loads them.
    """
    folder = copy_model()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": {"a": "part.safetensors"}}))
    assert Layout.read(folder).weights == hashes(folder)["model.safetensors"]
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    assert Layout.read(folder).weights == hashes(folder)["part.safetensors"]


@pytest.mark.parametrize(
    "parts", [{"a": "../model.safetensors"}, {"a": "pytorch_model.bin"}, {"a": 3}, {}, [], None]
)
def test_an_index_leads_to_safetensors_beside_it_alone(parts, copy_model):
    """Parts in other folders and of other formats are refused before they are loaded."""
    folder = copy_model()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    with pytest.raises(ExportError, match="names of safetensors files beside it"):
        Layout.read(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation_function": "custom.Activation"}, "custom.Activation"),
        ({"module_input_name": "token_embeddings"}, "token vectors"),
    ],
)
def test_other_dense_layers_are_refused(changes, message, make_model, tmp_path):
    """A dense layer is a linear map and an activation of torch, on the pooled vector."""
    folder = tmp_path / "tiny"
    shutil.copytree(make_model(dense=(16,)), folder)
    path = folder / "2_Dense" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(ExportError, match=message):
        Layout.read(folder)


@pytest.mark.parametrize("damage", ["{", "[]", '{"a": 1}', "[{}]"])
def test_a_damaged_list_of_modules_is_an_error_with_its_name(damage, copy_model):
    """Broken JSON is reported with the file, never as a traceback of a parser."""
    folder = copy_model()
    (folder / "modules.json").write_text(damage)
    with pytest.raises(ExportError):
        Layout.read(folder)


def test_the_licence_comes_from_the_model_card(copy_model):
    """The front matter's licence is read; a card without one gives none."""
    folder = copy_model()
    assert Layout.read(folder).license is None
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# Model\n")
    assert Layout.read(folder).license == "apache-2.0"
