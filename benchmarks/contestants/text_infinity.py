"""infinity: `AsyncEmbeddingEngine.embed` of texts in memory, with its torch backend."""

from __future__ import annotations

import asyncio
from typing import Any

from infinity_emb import AsyncEmbeddingEngine, EngineArgs
from protocol import Work, read_texts, serve


def load(options: dict[str, Any]) -> Work:
    """Start the engine on the folder of the model; batches of 32, its default."""
    loop = asyncio.new_event_loop()
    # Its default, BetterTransformer, is refused by the version of transformers that it installs.
    arguments = EngineArgs(
        model_name_or_path=options["model"], engine="torch", device="cpu", bettertransformer=False
    )
    engine = AsyncEmbeddingEngine.from_args(arguments)
    loop.run_until_complete(engine.astart())
    texts = read_texts(options["inputs"])

    def embed(batch: list[str]) -> Any:
        return loop.run_until_complete(engine.embed(batch))[0]

    embed(texts[:32])
    return Work(len(texts), lambda: embed(texts))


if __name__ == "__main__":
    serve(load, ("infinity_emb", "sentence-transformers", "torch"))
