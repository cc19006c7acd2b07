"""Text encoders that are transformers: sentence-transformers folders, and plain ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featurize.errors import ExportError
from featurize.export.candidate import Candidate
from featurize.export.folders import config_digest
from featurize.export.layout import Layout
from featurize.export.quiet import quiet
from featurize.export.text import TextBody, limit_of, propose

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedModel

_UNLIMITED = 1_000_000
_VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model", "*.bpe.model")


def load_transformer(layout: Layout, name: str, max_length: int | None) -> Candidate:
    """Load a folder with sentence-transformers; nothing of it is run but known modules.

    `max_length` lowers the number of tokens a text may have. Raises ExportError where the model
    takes other inputs than texts or does not load, UsageError for a length that is not possible.
    """
    from featurize.export.towers import Named, TextTower

    _require_vocabulary(layout.path)
    model = _load(layout.folder)
    _require_plain_text(model, name)
    _require_whole(type(model[0].auto_model), layout.path)
    model.max_seq_length = _length(model, name, max_length)
    transformer = model[0].auto_model
    head = [Named.of(module) for module in list(model)[2:]]
    body = TextBody(
        architecture=f"{type(transformer).__name__}/{config_digest(layout.config)}",
        tokenizer=model.tokenizer.backend_tokenizer,
        token_ids=lambda text: _token_ids(model, text),
        max_length=model.max_seq_length,
        layers=getattr(transformer.config, "num_hidden_layers", 0),
    )
    tower = TextTower(transformer, layout.pooling, head, layout.cut)
    return propose(model, tower, body, layout, name)


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


def _require_vocabulary(folder: Path) -> None:
    """Refuse a folder without a tokenizer, for which transformers would make one of no words."""
    if not any(file.is_file() for name in _VOCABULARIES for file in folder.glob(name)):
        raise ExportError(
            f"{folder} holds no tokenizer: none of {', '.join(_VOCABULARIES)}.",
            fix="Save the tokenizer into the folder of the model.",
        )


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


def _require_whole(network: type[PreTrainedModel], folder: Path) -> None:
    """Refuse weights that leave a part of the transformer to chance.

    The pooling layer of BERT and its kin is not used, and often not saved.
    """
    with quiet():
        _, report = network.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise ExportError(
            f"The weights in {folder} are not whole: {len(missing)} are missing, such as "
            f"{missing[0]}.",
            fix="Bring a whole copy of the model.",
        )


def _token_ids(model: SentenceTransformer, text: str) -> Sequence[int]:
    ids: Sequence[int] = model.tokenizer(text, truncation=True, max_length=model.max_seq_length)[
        "input_ids"
    ]
    return ids


def _length(model: SentenceTransformer, name: str, asked: int | None) -> int:
    """Return how many tokens a text may have: what was asked for, or the model's limit."""
    limit = min(int(model.max_seq_length or _UNLIMITED), _positions(model[0].auto_model))
    if asked is None and limit >= _UNLIMITED:
        raise ExportError(f"{name} states no longest input.", fix="Give one: --max-length N.")
    return limit_of(name, asked, limit, model.tokenizer.num_special_tokens_to_add() + 1)


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
