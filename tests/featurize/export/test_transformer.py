"""Sentence-transformers folders of every supported form come out faithful."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from featurize.encoder import Encoder
from featurize.errors import ExportError, UsageError
from featurize.export import export
from featurize.export.layout import POOLINGS
from featurize.export.origin import locate

TEXTS = ["word", "", "one two, the three!", "QUITE Upper", "word " * 100, "déjà vu", "中文 🙂"]
FORMS = {
    "cls with a dense layer, not normalised": {
        "pooling": "cls",
        "dense": (16,),
        "normalize": False,
    },
    "max with two dense layers": {"pooling": "max", "dense": (24, 8)},
    "all poolings at once": {
        "pooling": ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"],
        "normalize": False,
    },
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_supported_form_gives_the_vectors_of_the_original(form, make_model, tmp_path, close):
    """An exported model encodes as sentence-transformers does, past its limit too."""
    from sentence_transformers import SentenceTransformer

    bundle = export(make_model(**form), tmp_path / "bundle")
    original = SentenceTransformer(str(make_model(**form)), device="cpu", local_files_only=True)
    original.max_seq_length = bundle.card.space.max_length
    found = Encoder.open(bundle, device="cpu").encode(TEXTS)
    assert close(found, original.encode(TEXTS, show_progress_bar=False))
    assert bundle.card.space.normalize == form.get("normalize", True)
    assert bundle.card.space.pooling.count("dense(Tanh)") == len(form.get("dense", ()))


def test_the_towers_pool_what_the_layout_admits():
    """Every pooling that a folder may ask for is one that a graph can do."""
    from featurize.export import towers

    assert set(towers.POOLINGS) == set(POOLINGS)


def test_last_token_pooling_follows_padding_on_either_side():
    """The last token is the last one of the mask, not of the row."""
    import torch

    from featurize.export import towers

    hidden = torch.arange(12.0).reshape(2, 3, 2)
    mask = torch.tensor([[1, 1, 0], [0, 1, 1]])
    assert towers.last(hidden, mask).tolist() == [[2.0, 3.0], [10.0, 11.0]]


def test_max_pooling_does_not_see_padding():
    """A padded position never wins the maximum."""
    import torch

    from featurize.export import towers

    hidden = torch.tensor([[[-1.0], [-2.0], [9.0]]])
    assert towers.largest(hidden, torch.tensor([[1, 1, 0]])).tolist() == [[-1.0]]


@pytest.mark.parametrize(("family", "limit"), [("bert", 40), ("roberta", 38)])
def test_the_length_is_what_the_positions_allow(family, limit, make_model):
    """A tokenizer's looser limit gives way to the position table, less its padding rows."""
    candidate = locate(make_model(family=family)).load(None)
    assert candidate.card.space.max_length == limit


def test_a_shorter_length_can_be_asked_for(make_model):
    """`max_length` lowers the limit and changes the fingerprint."""
    whole, short = (locate(make_model()).load(length) for length in (None, 10))
    assert short.card.space.max_length == 10
    assert short.card.fingerprint != whole.card.fingerprint


@pytest.mark.parametrize("length", [0, 2, 41, 10_000])
def test_an_impossible_length_is_refused(length, make_model):
    """A length above the model's limit, or with no room for a token, names the possible ones."""
    with pytest.raises(UsageError, match="3 to 40 tokens"):
        locate(make_model()).load(length)


def test_the_fingerprint_knows_no_folders_and_no_library_versions(tiny_candidate, copy_model):
    """A copy elsewhere, saved by other versions under another name, is the same vector space."""
    changes = {"transformers_version": "9.9", "_name_or_path": "/x", "architectures": ["Y"]}
    copy = copy_model("config.json", **changes).rename(copy_model().parent / "other")
    other = locate(copy).load(None).card
    assert other.fingerprint == tiny_candidate.card.fingerprint
    assert other.name == "other"


def test_the_fingerprint_knows_what_changes_a_vector(tiny_candidate, copy_model):
    """Another activation function in the configuration is another architecture."""
    other = locate(copy_model("config.json", hidden_act="relu")).load(None).card.space
    mine = asdict(tiny_candidate.card.space)
    assert [key for key, value in asdict(other).items() if value != mine[key]] == ["architecture"]


def test_the_tokenizer_of_a_bundle_has_no_limits_of_its_own(copy_model, tiny_candidate):
    """Truncation and padding that were saved with a tokenizer do not reach the bundle."""
    limits = {
        "truncation": {
            "direction": "Right",
            "max_length": 5,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": {
            "strategy": {"Fixed": 5},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
    }
    candidate = locate(copy_model("tokenizer.json", **limits)).load(None)
    assert candidate.preparation == tiny_candidate.preparation
    stated = json.loads(candidate.preparation[1])
    assert (stated["truncation"], stated["padding"]) == (None, None)


def test_lower_casing_by_sentence_transformers_is_part_of_the_tokenizer(copy_model):
    """`do_lower_case` ends up in the bundle's tokenizer, where it changes the fingerprint."""
    cased = copy_model("tokenizer.json", normalizer=None)
    lowered = copy_model("tokenizer.json", normalizer=None)
    settings = lowered / "sentence_bert_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "do_lower_case": True}))
    plain, lower = (locate(folder).load(None) for folder in (cased, lowered))
    assert json.loads(lower.preparation[1])["normalizer"] is not None
    assert lower.card.fingerprint != plain.card.fingerprint


def test_a_model_that_does_not_load_says_why(copy_model):
    """What sentence-transformers raises reaches the user as an ExportError."""
    with pytest.raises(ExportError, match="cannot load"):
        locate(copy_model("config.json", model_type="no-such-family")).load(None)


def test_reference_vectors_are_float32_rows(tiny_candidate):
    """The reference gives one float32 vector for each input, and calls itself nothing else."""
    vectors = tiny_candidate.encode(tiny_candidate.contents[:3], "")
    assert (vectors.shape, vectors.dtype) == ((3, 32), np.float32)


def test_what_follows_pooling_is_followed(tmp_path, close):
    """Residual layers, a normalisation in between, LayerNorm and a stated cut, in their order."""
    import tiny_models as tiny
    from sentence_transformers import SentenceTransformer

    following = [
        tiny.dense(32, 24, use_residual=True),
        tiny.normalize(),
        tiny.layer_norm(24),
        tiny.dense(24, 16, bias=False),
    ]
    base = tiny.save_transformer(tmp_path / "base")
    folder = tiny.save_model(tmp_path / "model", base, "mean", following)
    settings = folder / "config_sentence_transformers.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "truncate_dim": 12}))
    bundle = export(folder, tmp_path / "bundle")
    original = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    original.max_seq_length = bundle.card.space.max_length
    found = Encoder.open(bundle, device="cpu").encode(TEXTS)
    assert found.shape == (len(TEXTS), 12)
    assert close(found, original.encode(TEXTS, show_progress_bar=False))
    expected = "mean+dense(Tanh+residual)+normalize+layernorm+dense(Tanh)+first(12)"
    assert bundle.card.space.pooling == expected


def test_weights_that_are_not_whole_are_refused(copy_model):
    """A layer that the file of weights does not hold would be left to chance."""
    from safetensors.torch import load_file, save_file

    folder = copy_model()
    path = folder / "model.safetensors"
    tensors = load_file(path)
    gone = next(name for name in tensors if "layer.1" in name)
    save_file({name: value for name, value in tensors.items() if name != gone}, path)
    with pytest.raises(ExportError, match="1 are missing"):
        locate(folder).load(None)


def test_of_texts_too_long_to_encode_here_the_tokens_are_compared(tmp_path, monkeypatch):
    """A model that reads more than 1,024 tokens is held to the original's ids up to its limit."""
    import tiny_models as tiny

    base = tiny.save_transformer(tmp_path / "base", "bert", max_position_embeddings=1100)
    folder = tiny.save_model(tmp_path / "model", base, "mean", [tiny.normalize()])
    settings = folder / "sentence_bert_config.json"
    settings.write_text(json.dumps({"max_seq_length": 1100}))
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "model_max_length": 1100}))
    candidate = locate(folder).load(None)
    assert candidate.card.space.max_length == 1100
    assert {len(ids) for _, ids in candidate.overlong} >= {1099, 1100}


def test_a_folder_without_a_tokenizer_is_refused(copy_model):
    """For which transformers would make up one of five special tokens."""
    folder = copy_model()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ExportError, match="holds no tokenizer"):
        locate(folder).load(None)
