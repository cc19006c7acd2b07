"""The modules that become graphs. Imported only while exporting, because they need torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class TextTower(nn.Module):  # type: ignore[misc]
    """Token ids to vectors: transformer, pooling, what follows, and a cut to `cut` numbers.

    Takes `input_ids` and `attention_mask` (batch, tokens) int64; returns (batch, dim) float32. The
    vectors of several poolings are joined.
    """

    def __init__(
        self,
        transformer: nn.Module,
        pooling: Sequence[str],
        head: Sequence[nn.Module],
        cut: int | None = None,
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.head = nn.Sequential(*head)
        self._pools = [POOLINGS[name] for name in pooling]
        self._cut = cut

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return one vector for each row of token ids."""
        output = self.transformer(input_ids=input_ids, attention_mask=attention_mask)
        hidden = output.last_hidden_state
        pooled = [pool(hidden, attention_mask) for pool in self._pools]
        vectors: Tensor = self.head(torch.cat(pooled, dim=1) if len(pooled) > 1 else pooled[0])
        return vectors if self._cut is None else vectors[:, : self._cut]


class StaticTower(nn.Module):  # type: ignore[misc]
    """Token ids to the mean of their rows in a table (tokens, dim), and what follows.

    The table keeps its number format; the rows that are looked up are computed with in float32.
    """

    def __init__(self, table: Tensor, head: Sequence[nn.Module], cut: int | None = None) -> None:
        super().__init__()
        self.register_buffer("table", table)
        self.head = nn.Sequential(*head)
        self._cut = cut

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return one vector for each row of token ids."""
        vectors: Tensor = self.head(mean(self.table[input_ids].float(), attention_mask))
        return vectors if self._cut is None else vectors[:, : self._cut]


class Normalize(nn.Module):  # type: ignore[misc]
    """Give vectors unit length."""

    def forward(self, vectors: Tensor) -> Tensor:
        """Divide every row by its L2 norm."""
        return functional.normalize(vectors, dim=1)


class Named(nn.Module):  # type: ignore[misc]
    """A module of sentence-transformers, which passes tensors by name, as one of tensors."""

    @classmethod
    def of(cls, module: nn.Module) -> nn.Module:
        """Return a module that works on pooled vectors."""
        return Normalize() if type(module).__name__ == "Normalize" else cls(module)

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, vectors: Tensor) -> Tensor:
        """Apply the module to pooled vectors."""
        output: Tensor = self.module({"sentence_embedding": vectors})["sentence_embedding"]
        return output


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


def mean_sqrt_len(hidden: Tensor, mask: Tensor) -> Tensor:
    """Add up the tokens the mask keeps and divide by the root of their number."""
    return mean(hidden, mask) * mask.sum(1, keepdim=True).to(hidden.dtype).sqrt()


def weighted_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """Average the tokens the mask keeps with their positions, from 1, as weights."""
    return mean(hidden, mask.cumsum(1) * mask)


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
    "cls": first,
    "max": largest,
    "mean": mean,
    "mean_sqrt_len_tokens": mean_sqrt_len,
    "weightedmean": weighted_mean,
    "lasttoken": last,
}
