"""Every architecture of text encoders: faithful, usable without torch, and neighbour-free."""

import random
import subprocess
import sys

import numpy as np
import pytest
import tiny_models

from featurize.bundle import Bundle
from featurize.encoder import Encoder
from featurize.export import export

ODD_TEXTS = [
    "word",
    "I",
    "中",
    "🙂",
    "\x00",
    "\u200b",
    "e\u0301",
    "\ufeffmark",
    "[MASK]",
    "</s>",
    " word",
    "word ",
    "two  spaces",
    "a\nb\r\nc\td",
    "MiXeD İstanbul ßharp ŉ ǅ",
    "שלום مرحبا สวัสดี नमस्ते",
    "１２３ ⅷ ½ ﬁ",
    "x" * 300,
    "word " * 300,
    "é" * 50,
    *(" ".join(["one"] * count) for count in range(30, 44)),
]
_ALPHABETS = ("abc DE.,", "éàü ñ", "中文 字", "🙂👍🏽 ", "\u0300\u0301a ", "0123 +-")
NEIGHBOUR_FREE = ((1, 1), (7, 1), (64, 2), (4096, 2))


def odd_texts():
    """Return 64 texts of odd characters and lengths."""
    dice = random.Random(5)
    while len(ODD_TEXTS) < 64:
        letters = dice.choice(_ALPHABETS)
        text = "".join(dice.choice(letters) for _ in range(dice.randint(3, 80)))
        if text.strip():
            ODD_TEXTS.append(text)
    return ODD_TEXTS


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Save one model of every architecture."""
    root = tmp_path_factory.mktemp("architectures")
    folders = {}
    for name, form in tiny_models.FAMILIES.items():
        base = tiny_models.save_transformer(root / f"{name}-base", name)
        following = [tiny_models.normalize()]
        folders[name] = tiny_models.save_model(root / name, base, form.pooling, following)
    folders["static"] = tiny_models.save_static(root / "static")
    return folders


@pytest.fixture(scope="module")
def bundles(models, tmp_path_factory):
    """Export every model."""
    root = tmp_path_factory.mktemp("bundles")
    return {name: export(folder, root / name) for name, folder in models.items()}


ARCHITECTURES = [*tiny_models.FAMILIES, "static"]


def encodable(encoder, texts):
    """Return the texts that have a token at all."""
    samples = encoder.processor.prepare(texts)
    return [text for text, sample in zip(texts, samples, strict=True) if hasattr(sample, "cost")]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_vectors_are_those_of_the_original(name, models, bundles, close):
    """On 64 odd texts every number of every vector is the original's, within 1e-5."""
    from sentence_transformers import SentenceTransformer

    encoder = Encoder.open(bundles[name], device="cpu")
    texts = encodable(encoder, odd_texts())
    assert len(texts) > 50
    original = SentenceTransformer(str(models[name]), device="cpu", local_files_only=True)
    if name != "static":
        original.max_seq_length = encoder.card.space.max_length
    expected = original.encode(texts, batch_size=1, show_progress_bar=False)
    assert close(encoder.encode(texts), expected)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_no_vector_depends_on_its_neighbours(name, bundles):
    """Batches of any size, in any order, on one thread or two give the same bits."""
    first = Encoder.open(bundles[name], device="cpu")
    texts = encodable(first, odd_texts())
    expected = first.encode(texts)
    order = random.Random(1).sample(range(len(texts)), len(texts))
    for budget, workers in NEIGHBOUR_FREE:
        encoder = Encoder.open(bundles[name], device="cpu")
        encoder.budget, encoder.runtime.workers = budget, workers
        found = encoder.encode([texts[row] for row in order])
        assert np.array_equal(found, expected[order]), (budget, workers)


def test_bundles_are_used_without_torch(bundles, tmp_path):
    """A process that cannot import torch gives the same bits."""
    for name, bundle in bundles.items():
        expected = Encoder.open(bundle, device="cpu").encode(["word", "one two"])
        np.save(tmp_path / f"{name}.npy", expected)
    code = f"""
import sys
for name in ("torch", "transformers", "sentence_transformers", "onnx"):
    sys.modules[name] = None
import numpy as np
from pathlib import Path
from featurize.bundle import Bundle
from featurize.encoder import Encoder
for path in {[str(bundle.path) for bundle in bundles.values()]}:
    found = Encoder.open(Bundle.open(Path(path)), device="cpu").encode(["word", "one two"])
    expected = np.load(Path({str(tmp_path)!r}) / (Path(path).name + ".npy"))
    assert np.array_equal(found, expected), path
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_a_plain_folder_pools_as_sentence_transformers_does(family, tmp_path, close):
    """A transformer without modules is pooled by its mean, a causal one by its last token."""
    import json

    from sentence_transformers import SentenceTransformer

    folder = tiny_models.save_transformer(tmp_path / "plain", family)
    if family == "qwen3":
        config = folder / "config.json"
        stated = {**json.loads(config.read_text()), "architectures": ["Qwen3ForCausalLM"]}
        config.write_text(json.dumps(stated))
    bundle = export(folder, tmp_path / "bundle")
    original = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    original.max_seq_length = bundle.card.space.max_length
    texts = ["word", "one two three"]
    expected = original.encode(texts, batch_size=1, show_progress_bar=False)
    assert close(Encoder.open(bundle, device="cpu").encode(texts), expected)
    assert bundle.card.space.pooling == {"bert": "mean", "qwen3": "lasttoken"}[family]
    assert not bundle.card.space.normalize


def test_a_bundle_opens_where_it_was_moved(bundles, tmp_path):
    """Nothing in a bundle names a folder."""
    moved = tmp_path / "elsewhere"
    bundles["bert"].path.rename(moved)
    try:
        assert Encoder.open(Bundle.open(moved), device="cpu").encode(["word"]).shape == (1, 32)
    finally:
        moved.rename(bundles["bert"].path)
