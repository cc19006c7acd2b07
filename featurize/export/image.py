"""EfficientNet-Lite0 to a candidate."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.bundle import PREPROCESS, EncoderCard, VectorSpace
from featurize.export.candidate import Candidate, Contents
from featurize.export.graph import trace
from featurize.export.pictures import reference_pictures
from featurize.export.viewing import middle, view
from featurize.processors.preprocessing import Preprocessing
from featurize.storage import canonical_json, sha256_bytes
from featurize.types import Modality

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIBRARIES = ("torch", "onnxscript", "PIL")
PREPROCESSING = Preprocessing(shorter_side=256, crop=224, resample="bicubic", mean=127.0, std=128.0)
DIM = 1280


def load_efficientnet(weights: Path, sha256: str, name: str) -> Candidate:
    """Load the ImageNet weights, whose SHA-256 was checked, into the packaged architecture."""
    import torch

    network = import_module("efficientnet_lite_pytorch").EfficientNet.from_name(name)
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return image_candidate(network, name, sha256, DIM)


def image_candidate(network: Any, name: str, weights: str, dim: int) -> Candidate:
    """Propose a network whose `extract_features` gives (n, dim, height, width)."""
    import torch

    from featurize.export.towers import ImageTower

    preparation = canonical_json(PREPROCESSING.to_json())
    space = VectorSpace(
        weights=weights,
        preparation=sha256_bytes(preparation),
        architecture=name,
        pooling="mean",
        normalize=True,
        max_length=0,
        dim=dim,
    )
    pixels = {"pixels": torch.zeros((2, 3, *PREPROCESSING.shape))}
    return Candidate(
        card=EncoderCard(name, (Modality.IMAGE,), space),
        graph=partial(trace, ImageTower(network), pixels, ("batch",)),
        preparation=(PREPROCESS, preparation),
        contents=reference_pictures(),
        encode=Reference(network.eval()).encode,
        layers=0,
        libraries=LIBRARIES,
        source=name,
        license="apache-2.0",  # says the LICENSE file of the package of weights
    )


class Reference:
    """The network as its authors feed it, written down a second time.

    It shares no line with the product's preprocessing, and states its numbers itself, so that a
    wrong crop, filter or scale on either side is a difference.
    """

    def __init__(self, network: Any) -> None:
        self._network = network

    def encode(self, contents: Contents, role: str | None) -> NDArray[np.float32]:  # noqa: ARG002
        """Return unit vectors (n, 1280) float32 of image files, which have no prompts."""
        import torch

        rows = []
        with torch.inference_mode():
            for content in contents:
                pixels = torch.from_numpy(self._pixels(content))[None]
                vector = self._network.extract_features(pixels).mean((2, 3))[0].double()
                rows.append((vector / vector.norm()).numpy())
        return np.stack(rows).astype(np.float32)

    def _pixels(self, content: str | bytes) -> NDArray[np.float32]:
        """Return (3, 224, 224) float32."""
        from PIL import Image

        image = middle(view(content))
        width, height = image.size
        if width < height:
            size = (256, int(256 * height / width))
        else:
            size = (int(256 * width / height), 256)
        grid = np.array(image.resize(size, Image.Resampling.BICUBIC), dtype=np.float64)
        top, left = (grid.shape[0] - 224) // 2, (grid.shape[1] - 224) // 2
        square = grid[top : top + 224, left : left + 224]
        return np.moveaxis((square - 127.0) / 128.0, 2, 0).astype(np.float32)
