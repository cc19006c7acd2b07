"""What the candidates of all text encoders share: prompts, inputs to check on, the reference."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize.bundle import TOKENIZER, EncoderCard, VectorSpace
from featurize.errors import ExportError, UsageError
from featurize.export.candidate import Candidate, Contents
from featurize.export.graph import trace
from featurize.export.layout import Layout
from featurize.export.quiet import quiet
from featurize.export.reference import reference_texts
from featurize.storage import canonical_json, sha256_bytes
from featurize.types import Json, Modality

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

LIBRARIES = ("torch", "onnxscript", "sentence_transformers", "transformers", "tokenizers")
# Tokens of the longest text whose vector is checked: attention of more would need gigabytes. Of
# longer ones the token ids are.
_LONGEST_CHECKED = 1024


@dataclass(frozen=True, slots=True)
class TextBody:
    """What turns tokens into vectors: how a card calls it, its tokenizer and its size.

    `token_ids` gives the ids of a text as the source itself reads it, at most `max_length`.
    """

    architecture: str
    tokenizer: Tokenizer
    token_ids: Callable[[str], Sequence[int]]
    max_length: int
    layers: int


def propose(
    model: SentenceTransformer, tower: torch.nn.Module, body: TextBody, layout: Layout, name: str
) -> Candidate:
    """Propose a tower that was built from a model; the model itself is the reference."""
    import torch

    preparation = canonical_json(tokenizer_json(body.tokenizer, layout.path))
    space = VectorSpace(
        weights=layout.weights,
        preparation=sha256_bytes(preparation),
        architecture=body.architecture,
        pooling=layout.steps,
        normalize=layout.normalize,
        max_length=body.max_length,
        dim=_dim(model),
    )

    def encode(contents: Contents, role: str | None) -> NDArray[np.float32]:
        prompted = {"prompt_name": role} if role else {} if role is None else {"prompt": ""}
        with quiet():  # one text a batch: the reference is never padded
            texts = list(contents)
            vectors = model.encode(texts, batch_size=1, show_progress_bar=False, **prompted)
        return np.asarray(vectors, dtype=np.float32)

    mask = torch.ones((2, 8), dtype=torch.int64)
    mask[1, 5:] = 0
    example = {"input_ids": torch.arange(16).reshape(2, 8) % 4 + 2, "attention_mask": mask}
    checked, overlong = texts_to_check(body.token_ids, body.max_length)
    return Candidate(
        card=EncoderCard(name, (Modality.TEXT,), space, layout.prompts, layout.default_prompt),
        graph=partial(trace, tower, example, ("batch", "tokens")),
        preparation=(TOKENIZER, preparation),
        contents=checked,
        encode=encode,
        layers=body.layers,
        libraries=LIBRARIES,
        source=name,
        license=layout.license,
        assumed=layout.assumed,
        roles=tuple(role for role, text in model.prompts.items() if text),
        overlong=tuple((text, tuple(body.token_ids(text))) for text in overlong),
    )


def limit_of(name: str, asked: int | None, longest: int, shortest: int) -> int:
    """Return how many tokens a text may have: what was asked for, or the model's limit."""
    if asked is None:
        return longest
    if not shortest <= asked <= longest:
        raise UsageError(
            f"--max-length {asked} is not possible: {name} takes {shortest} to {longest} tokens."
        )
    return asked


def texts_to_check(
    token_ids: Callable[[str], Sequence[int]], max_length: int
) -> tuple[list[str], list[str]]:
    """Return the texts whose vectors are checked, and those of which only the token ids are.

    Texts without a token are left out: they become rejects.
    """
    short = reference_texts(min(max_length, _LONGEST_CHECKED))
    checked = [text for text in short if 0 < len(token_ids(text)) <= _LONGEST_CHECKED]
    overlong = reference_texts(max_length) if max_length > _LONGEST_CHECKED else []
    return checked, overlong


def _dim(model: SentenceTransformer) -> int:
    dim: int | None = model.get_embedding_dimension()
    if dim is None:
        raise ExportError("The model does not state the length of its vectors.")
    return dim


def tokenizer_json(used: Tokenizer, folder: Path) -> Json:
    """Return the tokenizer in use, without truncation and padding.

    The folder's own file is taken where it means the same, because its spelling, and so the
    fingerprint, does not change with the version of the library.
    """
    from tokenizers import Tokenizer

    plain = _without_limits(used.to_str())
    file = folder / TOKENIZER
    if file.is_file():
        stated = file.read_text("utf-8")
        if _without_limits(Tokenizer.from_str(stated).to_str()) == plain:
            return _without_limits(stated)
    return plain


def _without_limits(definition: str) -> Json:
    return {**json.loads(definition), "truncation": None, "padding": None}
