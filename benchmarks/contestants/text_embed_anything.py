"""embed-anything: `embed_query` of texts in memory, with its candle backend.

It takes no folder, so that HF_HOME points to a folder laid out as the hub's cache.
"""

from __future__ import annotations

from typing import Any

import embed_anything
from protocol import Work, read_texts, serve


def load(options: dict[str, Any]) -> Work:
    """Load the model by its name in the cache; batches of 32, its default."""
    model = embed_anything.EmbeddingModel.from_pretrained_hf(model_id=options["model"])
    texts = read_texts(options["inputs"])[: options["first"]]  # it is slow

    def embed(batch: list[str]) -> Any:
        return embed_anything.embed_query(batch, embedder=model)

    embed(texts[:32])
    return Work(len(texts), lambda: embed(texts), lambda found: [item.embedding for item in found])


if __name__ == "__main__":
    serve(load, ("embed_anything",))
