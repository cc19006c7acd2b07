"""Text encoders that look tokens up in a table: StaticEmbedding and Model2Vec."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from featurize.errors import ExportError
from featurize.export.candidate import Candidate
from featurize.export.folders import weight_files
from featurize.export.layout import Body, Layout
from featurize.export.text import TextBody, limit_of, propose

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

_LONGEST = 8192
_TABLE = ("embedding.weight", "embeddings")  # as sentence-transformers and Model2Vec name it


def load_static(layout: Layout, name: str, max_length: int | None) -> Candidate:
    """Load a table of vectors and what follows it.

    Such models read texts of any length; here it is 8,192 tokens, unless `max_length` says less.
    Tables in eight-bit integers stay so. Raises ExportError for files that do not hold one.
    """
    from featurize.export.towers import Named, StaticTower

    table, tokenizer = _table(layout), _tokenizer(layout)
    length = limit_of(name, max_length, _LONGEST, 1)
    tokenizer.enable_truncation(length)
    model = _model(table.float(), tokenizer, layout)
    body = TextBody(
        architecture=str(Body.STATIC),
        tokenizer=tokenizer,
        token_ids=lambda text: tokenizer.encode(text).ids,
        max_length=length,
        layers=0,
    )
    head = [Named.of(module) for module in list(model)[1:]]
    return propose(model, StaticTower(table, head, layout.cut), body, layout, name)


def _table(layout: Layout) -> torch.Tensor:
    """Return the vectors of the tokens, (tokens, dim), each with its weight where there are any."""
    import torch
    from safetensors.torch import load_file

    path = weight_files(layout.path)[0]
    try:
        tensors = load_file(path)
    except Exception as error:  # the parser raises a type of its own
        raise ExportError(f"{path} cannot be read: {error}.") from error
    rows = next((tensors[key] for key in _TABLE if key in tensors), None)
    if rows is None or rows.ndim != 2:
        raise ExportError(
            f"{layout.path} holds {', '.join(sorted(tensors))}; a table of vectors, one of "
            f"{', '.join(_TABLE)}, was expected."
        )
    if "mapping" in tensors:
        rows = rows[tensors["mapping"].long()]
    if "weights" in tensors:
        rows = rows.float() * tensors["weights"].float()[:, None]
    return rows.contiguous() if rows.dtype == torch.int8 else rows.float().contiguous()


def _tokenizer(layout: Layout) -> Tokenizer:
    """Read the tokenizer, without the special tokens, which have no place in a mean."""
    from tokenizers import Tokenizer

    definition = json.loads((layout.path / "tokenizer.json").read_bytes())
    tokenizer = Tokenizer.from_str(json.dumps({**definition, "post_processor": None}))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _model(table: torch.Tensor, tokenizer: Tokenizer, layout: Layout) -> SentenceTransformer:
    """Build the reference; sentence-transformers itself does not load tables of integers."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    following = [_module(step.kind, str(step.path)) for step in layout.head]
    static = StaticEmbedding(tokenizer, embedding_weights=table)
    model = SentenceTransformer(modules=[static, *following], device="cpu")
    model.prompts, model.default_prompt_name = dict(layout.prompts), layout.default_prompt
    model.truncate_dim = layout.cut
    return model.eval()


def _module(kind: str, path: str) -> torch.nn.Module:
    """Load one of sentence-transformers' own modules."""
    from sentence_transformers.sentence_transformer import modules

    return getattr(modules, kind).load(path, local_files_only=True)
