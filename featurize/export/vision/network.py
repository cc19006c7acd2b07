"""Image networks of transformers: loading them whole, and where their vectors come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from featurize.errors import ExportError
from featurize.export.quiet import quiet
from featurize.types import Json

# The vector of an image, by the `model_type` of the configuration.
POOLING = {
    "clip": "image_features",
    "convnext": "pooler",
    "convnextv2": "pooler",
    "deit": "cls",
    "dinov2": "cls",
    "dinov2_with_registers": "cls",
    "mobilenet_v2": "pooler",
    "resnet": "pooler",
    "siglip": "image_features",
    "swin": "mean",
    "vit": "cls",
}


def pooling_of(config: Json, name: str) -> str:
    """Return how a network of this configuration is pooled; raise ExportError for unknown ones."""
    kind = config.get("model_type")
    if kind not in POOLING:
        raise ExportError(
            f"{name} is an image model of type {kind!r}; supported are {', '.join(POOLING)}.",
        )
    return POOLING[kind]


def load_network(folder: Path) -> tuple[Any, set[str]]:
    """Load a network in float32 with plain attention, off the network and without foreign code.

    Returns it with the names of the weights that the folder lacks, which are random numbers.
    """
    import torch
    from transformers import AutoModel

    try:
        with quiet():
            network, report = AutoModel.from_pretrained(
                str(folder),
                output_loading_info=True,
                dtype=torch.float32,
                attn_implementation="eager",
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
            )
    except Exception as error:  # loading runs the code of any architecture
        raise ExportError(
            f"transformers cannot load {folder}: {type(error).__name__}: {error}"
        ) from error
    return network.eval(), set(report["missing_keys"])


def layers_of(config: Any) -> int:
    """Return how many layers follow each other, in the vision part where there are several."""
    config = getattr(config, "vision_config", config)
    depths = getattr(config, "depths", None)
    return sum(depths) if depths else getattr(config, "num_hidden_layers", 0)
