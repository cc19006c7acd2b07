"""Sentence-transformers folders to candidates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.bundle import TOKENIZER, EncoderCard, VectorSpace
from featurize.errors import ExportError, UsageError
from featurize.export.candidate import Candidate, Contents
from featurize.export.layout import Layout
from featurize.export.quiet import quiet
from featurize.export.reference import reference_texts
from featurize.storage import canonical_json, sha256_bytes
from featurize.types import Json, Modality

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

LIBRARIES = ("sentence_transformers", "transformers", "tokenizers")
_UNLIMITED = 1_000_000
# Fields of config.json that training, loading or the library's own bookkeeping read, never vectors.
_INERT = {
    "_name_or_path",
    "_attn_implementation",
    "architectures",
    "attention_probs_dropout_prob",
    "attention_dropout",
    "classifier_dropout",
    "dropout",
    "dtype",
    "finetuning_task",
    "gradient_checkpointing",
    "hidden_dropout_prob",
    "id2label",
    "initializer_range",
    "label2id",
    "torch_dtype",
    "transformers_version",
    "use_cache",
}


def load_text_model(layout: Layout, name: str, max_length: int | None) -> Candidate:
    """Load a folder with sentence-transformers; nothing of it is run but known modules.

    `max_length` lowers the number of tokens a text may have. Raises ExportError where the model
    takes other inputs than texts or does not load, UsageError for a length that is not possible.
    """
    model = _load(layout.folder)
    _require_plain_text(model, name)
    model.max_seq_length = _length(model, name, max_length)
    preparation = _tokenizer_json(layout.transformer, model.tokenizer.backend_tokenizer)
    space = VectorSpace(
        weights=layout.weights,
        preparation=sha256_bytes(preparation),
        architecture=f"{type(model[0].auto_model).__name__}/{_config_digest(layout.config)}",
        pooling="+".join([layout.pooling, *(f"dense({name})" for name in layout.activations)]),
        normalize=layout.normalize,
        max_length=model.max_seq_length,
        dim=_dim(model),
    )
    return _candidate(model, layout, EncoderCard(name, Modality.TEXT, space), preparation)


def _candidate(
    model: SentenceTransformer, layout: Layout, card: EncoderCard, preparation: bytes
) -> Candidate:
    import torch

    from featurize.export.towers import TextTower

    def encode(contents: Contents) -> NDArray[np.float32]:
        with quiet():  # one text a batch: the reference is never padded
            vectors = model.encode(list(contents), batch_size=1, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)

    dense = [
        torch.nn.Sequential(module.linear, module.activation_function)
        for module in list(model)[2 : 2 + len(layout.activations)]
    ]
    mask = torch.ones((2, 8), dtype=torch.int64)
    mask[1, 5:] = 0
    return Candidate(
        card=card,
        tower=TextTower(model[0].auto_model, layout.pooling, dense, layout.normalize),
        example={"input_ids": torch.arange(16).reshape(2, 8) % 4 + 2, "attention_mask": mask},
        axes=("batch", "tokens"),
        preparation=(TOKENIZER, preparation),
        contents=[text for text in reference_texts(card.space.max_length) if _tokens(model, text)],
        encode=encode,
        layers=getattr(model[0].auto_model.config, "num_hidden_layers", 0),
        libraries=LIBRARIES,
        source=card.name,
        license=layout.license,
    )


def _load(folder: Path) -> SentenceTransformer:
    """Load a folder in float32 with plain attention, off the network and without foreign code."""
    import torch
    from sentence_transformers import SentenceTransformer

    options = {"attn_implementation": "eager", "dtype": torch.float32, "use_safetensors": True}
    try:
        with quiet():
            return SentenceTransformer(
                str(folder),
                device="cpu",
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs=options,
            ).eval()
    except Exception as error:  # loading runs the code of any architecture
        raise ExportError(
            f"sentence-transformers cannot load {folder}: {type(error).__name__}: {error}"
        ) from error


def _require_plain_text(model: SentenceTransformer, name: str) -> None:
    """Refuse a model that takes chats or media, or has a tokenizer that only runs in Python."""
    forms = model[0].modality_config
    if set(forms) != {"text"} or forms["text"]["method"] != "forward":
        taken = ", ".join(str(form) for form in forms)
        raise ExportError(f"{name} takes {taken}; supported are models that take text alone.")
    if not getattr(model.tokenizer, "is_fast", False):
        raise ExportError(
            f"{name} has no tokenizer of the `tokenizers` library.",
            fix="Save the model with a fast tokenizer (tokenizer.json).",
        )


def _length(model: SentenceTransformer, name: str, asked: int | None) -> int:
    """Return how many tokens a text may have: what was asked for, or the model's limit."""
    limit = min(int(model.max_seq_length or _UNLIMITED), _positions(model[0].auto_model))
    if asked is None:
        if limit >= _UNLIMITED:
            raise ExportError(f"{name} states no longest input.", fix="Give one: --max-length N.")
        return limit
    shortest = model.tokenizer.num_special_tokens_to_add() + 1
    if not shortest <= asked <= limit:
        raise UsageError(
            f"--max-length {asked} is not possible: {name} takes {shortest} to {limit} tokens."
        )
    return asked


def _positions(transformer: Any) -> int:
    """Return how many positions a transformer knows.

    Where a position table has a padding row, as in RoBERTa, texts begin after it.
    """
    stated = getattr(transformer.config, "max_position_embeddings", None)
    if stated is None or stated <= 0:
        return _UNLIMITED
    for module in transformer.modules():
        padding = getattr(module, "padding_idx", None)
        if isinstance(padding, int) and hasattr(module, "position_embeddings"):
            return int(stated) - padding - 1
    return int(stated)


def _tokens(model: SentenceTransformer, text: str) -> int:
    """Return how many tokens a text has; none for an empty one, without special tokens."""
    return len(model.tokenizer.backend_tokenizer.encode(text).ids)


def _dim(model: SentenceTransformer) -> int:
    dim: int | None = model.get_embedding_dimension()
    if dim is None:
        raise ExportError("The model does not state the length of its vectors.")
    return dim


def _config_digest(config: Json) -> str:
    """Return a short digest of the configuration's fields that can change a vector."""
    active = {key: value for key, value in config.items() if key not in _INERT}
    return sha256_bytes(canonical_json(active))[:12]


def _tokenizer_json(folder: Path, used: Tokenizer) -> bytes:
    """Return the tokenizer in use as canonical JSON, without truncation and padding.

    The folder's own file is taken where it means the same, because its spelling, and so the
    fingerprint, does not change with the version of the library.
    """
    from tokenizers import Tokenizer

    plain = _without_limits(used.to_str())
    file = folder / TOKENIZER
    if file.is_file():
        stated = file.read_text("utf-8")
        if _without_limits(Tokenizer.from_str(stated).to_str()) == plain:
            plain = _without_limits(stated)
    return canonical_json(plain)


def _without_limits(definition: str) -> Json:
    return {**json.loads(definition), "truncation": None, "padding": None}
