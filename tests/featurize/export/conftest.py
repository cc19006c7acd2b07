"""Tiny models of every supported form."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """Return a function that saves a tiny sentence-transformers model with random weights."""
    made = {}

    def make(pooling="mean", dense=(), normalize=True, family="bert", **overrides):
        key = json.dumps([pooling, dense, normalize, family, overrides])
        if key not in made:
            folder = tmp_path_factory.mktemp("models") / "tiny"
            _save(folder, pooling, dense, normalize, _transformer(folder, family, overrides))
            made[key] = folder
        return made[key]

    return make


@pytest.fixture(scope="session")
def tiny_bundle(make_model, tmp_path_factory):
    """Export the plain tiny model."""
    from featurize.export import export

    return export(make_model(), tmp_path_factory.mktemp("exported") / "tiny")


@pytest.fixture(scope="session")
def tiny_candidate(make_model):
    """Load the plain tiny model, up to the point where it is traced."""
    from featurize.export.origin import locate

    return locate(make_model()).load(None)


@pytest.fixture
def copy_model(make_model, tmp_path):
    """Return a function that copies the plain tiny model, and edits one of its JSON files."""

    def copy(file=None, **changes):
        folder = tmp_path / f"copy{len(list(tmp_path.iterdir()))}" / "tiny"
        shutil.copytree(make_model(), folder)
        if file is not None:
            path = folder / file
            data = json.loads(path.read_text()) if path.exists() else {}
            path.write_text(json.dumps({**data, **changes}))
        return folder

    return copy


@pytest.fixture(scope="session")
def tiny_network():
    """Return a small network with the interface of EfficientNet, 16 features deep."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.stem = torch.nn.Conv2d(3, 8, 8, stride=8)
            self.head = torch.nn.Conv2d(8, 16, 4, stride=4)

        def extract_features(self, pixels):
            return torch.relu(self.head(torch.relu(self.stem(pixels))))

    return Network().eval()


@pytest.fixture(scope="session")
def close():
    """Return a function that says whether rows agree within 1e-5 of their length."""

    def check(found, expected):
        allowed = 1e-5 * np.linalg.norm(expected, axis=1, keepdims=True)
        return bool((np.abs(found - expected) <= allowed).all())

    return check


def _transformer(folder, family, overrides):
    """Save a transformer and its tokenizer; return where."""
    import torch
    import transformers

    base = folder.with_name("base")
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 40,
        "initializer_range": 0.2,
    }
    torch.manual_seed(1)
    shape = SimpleNamespace(
        bert=(transformers.BertConfig, transformers.BertModel),
        roberta=(transformers.RobertaConfig, transformers.RobertaModel),
    )
    config_class, model_class = getattr(shape, family)
    pad = {"pad_token_id": 1} if family == "roberta" else {}
    tokenizer = _tokenizer()
    config = config_class(vocab_size=len(tokenizer), **{**sizes, **pad, **overrides})
    model_class(config).save_pretrained(base)
    tokenizer.save_pretrained(base)
    return base


def _tokenizer():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["word", "one", "two", "the", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = {piece: number for number, piece in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
    )


def _save(folder, pooling, dense, normalize, base):
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import (
        Dense,
        Normalize,
        Pooling,
        Transformer,
    )

    modules = [Transformer(str(base)), Pooling(32, pooling_mode=pooling)]
    width = 32
    for out in dense:
        modules.append(Dense(width, out, activation_function=torch.nn.Tanh()))
        width = out
    modules += [Normalize()] * normalize
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)
