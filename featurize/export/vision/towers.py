"""The image modules that become graphs. Imported only while exporting, because they need torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

Pooling: TypeAlias = Callable[[Any, Tensor], Tensor]


class VisionTower(nn.Module):  # type: ignore[misc]
    """Pixels (batch, 3, height, width) float32 to vectors (batch, dim) of unit length."""

    def __init__(self, network: nn.Module, pool: Pooling) -> None:
        super().__init__()
        self.network = network
        self._pool = pool

    def forward(self, pixels: Tensor) -> Tensor:
        """Return one vector for each image."""
        return functional.normalize(self._pool(self.network, pixels).flatten(1), dim=1)


def first_token(network: Any, pixels: Tensor) -> Tensor:
    """Take the class token, without the pooling layer, which is trained for labels only."""
    hidden: Tensor = network(pixel_values=pixels).last_hidden_state
    return hidden[:, 0]


def mean_of_tokens(network: Any, pixels: Tensor) -> Tensor:
    """Average the tokens.

    As a matrix product, because a sum over tokens gives a batch of one other last bits.
    """
    hidden: Tensor = network(pixel_values=pixels).last_hidden_state
    weights = torch.ones((1, hidden.shape[1]), dtype=hidden.dtype, device=hidden.device)
    return torch.matmul(weights, hidden).squeeze(1) / hidden.shape[1]


def pooler_output(network: Any, pixels: Tensor) -> Tensor:
    """Take what the network's own pooling gives, (batch, dim) or (batch, dim, 1, 1)."""
    pooled: Tensor = network(pixel_values=pixels).pooler_output
    return pooled


def image_features(network: Any, pixels: Tensor) -> Tensor:
    """Take the vector that a network of two towers compares with those of texts."""
    features: Tensor = network.get_image_features(pixel_values=pixels).pooler_output
    return features


def features(network: Any, pixels: Tensor) -> Tensor:
    """Take what a network without classifier gives."""
    vectors: Tensor = network(pixels)
    return vectors


POOLINGS: dict[str, Pooling] = {
    "cls": first_token,
    "mean": mean_of_tokens,
    "pooler": pooler_output,
    "image_features": image_features,
    "features": features,
}
