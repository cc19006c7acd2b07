"""Tables of token vectors come out as sentence-transformers and Model2Vec read them."""

import json

import numpy as np
import pytest
import tiny_models

from featurize.encoder import Encoder
from featurize.errors import ExportError
from featurize.export import export

TEXTS = ["word", "one two, the three!", "word " * 100, "zebra"]
TOKENS = len(tiny_models.SPECIAL) + 4 + 2 * len(tiny_models.LETTERS)


def unit(rows):
    """Give rows unit length."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_table_of_integers_stays_one(tmp_path):
    """Eight-bit tables, with a mapping and weights or without, are averaged in float32."""
    import torch

    table = torch.randint(-127, 128, (TOKENS, 32), dtype=torch.int8)
    folder = tiny_models.save_static(tmp_path / "int8", embeddings=table)
    bundle = export(folder, tmp_path / "bundle")
    tokenizer = tiny_models.wordpiece().backend_tokenizer
    rows = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    expected = unit(np.stack([table.numpy()[ids].astype(np.float64).mean(0) for ids in rows]))
    found = Encoder.open(bundle, device="cpu").encode(TEXTS)
    assert np.abs(found - expected).max() < 1e-6
    assert (bundle.path / "model.onnx").stat().st_size < 2 * table.numel()


def test_the_folder_of_model2vec_is_read(tmp_path):
    """A mapping and weights of tokens are folded in; the configuration says what is normalised."""
    import torch

    table, weights = torch.randn(9, 32), torch.rand(TOKENS)
    mapping = torch.arange(TOKENS) % 9
    folder = tiny_models.save_static(
        tmp_path / "m2v", embeddings=table, mapping=mapping, weights=weights
    )
    (folder / "modules.json").unlink()
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    bundle = export(folder, tmp_path / "bundle")
    tokenizer = tiny_models.wordpiece().backend_tokenizer
    folded = (table[mapping] * weights[:, None]).double().numpy()
    rows = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    expected = unit(np.stack([folded[ids].mean(0) for ids in rows]))
    assert np.abs(Encoder.open(bundle, device="cpu").encode(TEXTS) - expected).max() < 1e-6
    assert bundle.card.space.max_length == 8192


def test_a_file_without_a_table_is_named(tmp_path):
    """Weights that are no table of vectors are refused with what they hold."""
    import torch

    folder = tiny_models.save_static(tmp_path / "odd", something=torch.zeros(3))
    with pytest.raises(ExportError, match="holds something; a table of vectors"):
        export(folder, tmp_path / "bundle")
