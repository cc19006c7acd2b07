"""sentence-transformers: `encode` of texts in memory, fp32 or under bf16 autocast."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from protocol import Work, read_texts, serve
from sentence_transformers import SentenceTransformer


def load(options: dict[str, Any]) -> Work:
    """Load the folder of the model; batches of 32, its default."""
    model = SentenceTransformer(options["model"], device="cpu")
    texts = read_texts(options["inputs"])

    def encode(batch: list[str]) -> Any:
        precision = (
            torch.autocast("cpu", dtype=torch.bfloat16)
            if options["variant"] == "bf16"
            else contextlib.nullcontext()
        )
        with precision:
            return model.encode(batch, show_progress_bar=False)

    encode(texts[:32])
    return Work(len(texts), lambda: encode(texts))


if __name__ == "__main__":
    serve(load, ("sentence-transformers", "transformers", "torch"))
