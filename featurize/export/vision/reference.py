"""Image vectors as transformers itself makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.export.candidate import Contents
from featurize.export.quiet import quiet
from featurize.export.viewing import middle, view

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Reference:
    """A network behind its own image processor, one image at a time.

    It shares no line with the product's preprocessing. `keeps_shape` says that images are resized
    in proportion: of extremely long ones, the product then takes the middle.
    """

    def __init__(self, network: Any, processor: Any, pooling: str, keeps_shape: bool) -> None:
        self._network = network
        self._processor = processor
        self._pooling = pooling
        self._keeps_shape = keeps_shape

    def encode(self, contents: Contents, role: str | None) -> NDArray[np.float32]:  # noqa: ARG002
        """Return unit vectors (n, dim) float32 of image files, which have no prompts."""
        import torch

        with torch.inference_mode(), quiet():
            rows = [self._vector(content) for content in contents]
        return np.stack(rows).astype(np.float32)

    def _vector(self, content: str | bytes) -> NDArray[np.float64]:
        image = view(content)
        if self._keeps_shape:
            image = middle(image)
        inputs = self._processor(images=image, return_tensors="pt")
        vector = self._output(inputs).double().numpy().ravel()
        unit: NDArray[np.float64] = vector / np.linalg.norm(vector)
        return unit

    def _output(self, inputs: Any) -> Any:
        if self._pooling == "image_features":
            return self._network.get_image_features(**inputs).pooler_output
        outputs = self._network(**inputs)
        return outputs[0][:, 0] if self._pooling == "cls" else outputs.pooler_output
