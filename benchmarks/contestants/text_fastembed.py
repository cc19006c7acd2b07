"""fastembed: `embed` of texts in memory, with a graph of the same weights."""

from __future__ import annotations

from typing import Any

from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType
from protocol import Work, read_texts, serve


def load(options: dict[str, Any]) -> Work:
    """Register the folder as a model of its own; its graph pools and normalises already."""
    TextEmbedding.add_custom_model(
        model="local/minilm",
        pooling=PoolingType.DISABLED,
        normalization=False,
        sources=ModelSource(hf="local/minilm"),
        dim=384,
        model_file="model.onnx",
    )
    model = TextEmbedding(
        "local/minilm",
        specific_model_path=options["model"],
        providers=["CPUExecutionProvider"],
    )
    texts = read_texts(options["inputs"])

    def embed(batch: list[str]) -> list[Any]:
        return list(model.embed(batch, batch_size=options["batch"]))

    embed(texts[:32])
    return Work(len(texts), lambda: embed(texts))


if __name__ == "__main__":
    serve(load, ("fastembed", "onnxruntime"))
