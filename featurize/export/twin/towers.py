"""The text modules that become graphs. Imported only while exporting, because they need torch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class MaskedTextTower(nn.Module):  # type: ignore[misc]
    """Token ids and mask (batch, tokens) int64 to vectors (batch, dim) of unit length."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return one vector for each text."""
        features = self.network.get_text_features(
            input_ids=input_ids, attention_mask=attention_mask
        )
        return functional.normalize(features.pooler_output, dim=1)


class PaddedTextTower(nn.Module):  # type: ignore[misc]
    """Padded token ids (batch, tokens) int64 to vectors (batch, dim) of unit length."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor) -> Tensor:
        """Return one vector for each text."""
        features = self.network.get_text_features(input_ids=input_ids)
        return functional.normalize(features.pooler_output, dim=1)
