"""The modules that become graphs. Imported only while exporting, because they need torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class TextTower(nn.Module):  # type: ignore[misc]
    """Token ids to vectors: transformer, pooling, dense layers, normalisation.

    Takes `input_ids` and `attention_mask` (batch, tokens) int64; returns (batch, dim) float32.
    """

    def __init__(
        self, transformer: nn.Module, pooling: str, dense: Sequence[nn.Module], normalize: bool
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.dense = nn.Sequential(*dense)
        self._pool = POOLINGS[pooling]
        self._normalize = normalize

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return one vector for each row of token ids."""
        output = self.transformer(input_ids=input_ids, attention_mask=attention_mask)
        vectors: Tensor = self.dense(self._pool(output.last_hidden_state, attention_mask))
        return functional.normalize(vectors, dim=1) if self._normalize else vectors


class ImageTower(nn.Module):  # type: ignore[misc]
    """Pixels (batch, 3, height, width) to the unit-length mean of a network's last feature map."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Return one vector for each image."""
        features: Tensor = self.network.extract_features(pixels)
        return functional.normalize(features.mean((2, 3)), dim=1)


def mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """Average the tokens the mask keeps.

    As a matrix product, because a sum over tokens gives a batch of one other last bits.
    """
    weights = mask.to(hidden.dtype).unsqueeze(1)  # (batch, 1, tokens)
    return torch.matmul(weights, hidden).squeeze(1) / weights.sum(2).clamp(min=1e-9)


def first(hidden: Tensor, mask: Tensor) -> Tensor:  # noqa: ARG001 - one signature for all
    """Take the first token."""
    return hidden[:, 0]


def largest(hidden: Tensor, mask: Tensor) -> Tensor:
    """Take the maximum over the tokens the mask keeps."""
    return hidden.masked_fill(mask.unsqueeze(2) == 0, float("-inf")).amax(1)


def last(hidden: Tensor, mask: Tensor) -> Tensor:
    """Take the last token the mask keeps, wherever the padding stands."""
    positions = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    ends = (mask * positions).amax(1) - 1  # (batch,)
    return hidden.gather(1, ends.view(-1, 1, 1).expand(-1, 1, hidden.shape[2])).squeeze(1)


POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": mean,
    "cls": first,
    "max": largest,
    "lasttoken": last,
}
