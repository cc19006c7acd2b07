"""Text vectors as transformers itself makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.export.candidate import Contents
from featurize.export.quiet import quiet
from featurize.export.twin.tokens import TextReading

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TextReference:
    """A network behind its own tokenizer, one text at a time."""

    def __init__(self, network: Any, reading: TextReading) -> None:
        self._network = network
        self._reading = reading

    def encode(self, contents: Contents, role: str | None) -> NDArray[np.float32]:  # noqa: ARG002
        """Return unit vectors (n, dim) float32 of texts, for which there are no prompts."""
        import torch

        with torch.inference_mode(), quiet():
            rows = [self._vector(str(content)) for content in contents]
        return np.stack(rows).astype(np.float32)

    def _vector(self, text: str) -> NDArray[np.float64]:
        import torch

        ids = torch.tensor([self._reading.token_ids(text)])
        vector = self._network.get_text_features(input_ids=ids).pooler_output[0].double().numpy()
        unit: NDArray[np.float64] = vector / np.linalg.norm(vector)
        return unit
