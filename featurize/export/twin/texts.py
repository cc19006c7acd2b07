"""The tower of texts of a network that has two."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from featurize.bundle import TOKENIZER, EncoderCard, VectorSpace
from featurize.export.candidate import Candidate
from featurize.export.folders import config_digest
from featurize.export.graph import trace
from featurize.export.text import limit_of, texts_to_check
from featurize.export.twin.reference import TextReference
from featurize.export.twin.tokens import TextReading, read_tokenizer
from featurize.export.vision.candidate import ImageNetwork, dim_of
from featurize.storage import canonical_json, sha256_bytes
from featurize.types import Modality

if TYPE_CHECKING:
    import torch

# SigLIP pools the last position, whatever stands there: it reads padding as it was trained to.
PADDED = ("siglip",)


def propose_texts(loaded: ImageNetwork, name: str, max_length: int | None) -> Candidate:
    """Propose the tower of texts; raise ExportError where it is not whole or not supported."""
    padded = loaded.config["model_type"] in PADDED
    reading = _reading(loaded, name, max_length, padded=padded)
    reference = TextReference(loaded.network, reading)
    preparation = canonical_json(reading.definition())
    tower, example = _tower(loaded.network, reading)
    space = VectorSpace(
        weights=loaded.weights,
        preparation=sha256_bytes(preparation),
        architecture=f"{type(loaded.network).__name__}/{config_digest(loaded.config)}",
        pooling="text_features+image_features",
        normalize=True,
        max_length=reading.max_length,
        dim=dim_of(tower, loaded.missing, example),
    )
    checked, overlong = texts_to_check(reading.token_ids, reading.max_length)
    return Candidate(
        card=EncoderCard(name, (Modality.TEXT,), space),
        graph=partial(trace, tower, example, ("batch",) if padded else ("batch", "tokens")),
        preparation=(TOKENIZER, preparation),
        contents=checked,
        encode=reference.encode,
        layers=loaded.network.config.text_config.num_hidden_layers,
        libraries=(*loaded.libraries, "tokenizers"),
        source=name,
        license=None,
        overlong=[(text, reading.token_ids(text)) for text in overlong],
    )


def _reading(
    loaded: ImageNetwork, name: str, max_length: int | None, *, padded: bool
) -> TextReading:
    """Return how the network's texts become token ids."""
    tokenizer, stated = read_tokenizer(loaded.folder)
    positions = int(loaded.network.config.text_config.max_position_embeddings)
    longest = min(positions, int(stated.model_max_length))
    if padded:
        length = limit_of(name, max_length, positions, positions)
    else:
        special = tokenizer.num_special_tokens_to_add(is_pair=False)
        length = limit_of(name, max_length, longest, special + 1)
    return TextReading(loaded.folder, tokenizer, stated, length, padded=padded)


def _tower(network: Any, reading: TextReading) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    """Return the module to trace, and what it is traced with."""
    import torch

    from featurize.export.twin.towers import MaskedTextTower, PaddedTextTower

    if reading.padded:
        ids = torch.tensor([reading.token_ids("one"), reading.token_ids("two words")])
        return PaddedTextTower(network).eval(), {"input_ids": ids}
    mask = torch.ones((2, 8), dtype=torch.int64)
    mask[1, 5:] = 0
    ids = torch.arange(16).reshape(2, 8) % 4 + 2
    return MaskedTextTower(network).eval(), {"input_ids": ids, "attention_mask": mask}
