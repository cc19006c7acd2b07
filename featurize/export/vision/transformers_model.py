"""Image folders of transformers: read, loaded, proposed."""

from __future__ import annotations

from pathlib import Path

from featurize.export.candidate import Candidate
from featurize.export.folders import digest, read_config, require_processor
from featurize.export.vision.candidate import ImageNetwork, propose
from featurize.export.vision.network import layers_of, load_network, pooling_of
from featurize.export.vision.preparation import load_processor, read_preprocessing
from featurize.export.vision.reference import Reference


def load_transformers_model(folder: Path, name: str) -> Candidate:
    """Load a folder with transformers; raise as `load_image_network` does."""
    return propose(load_image_network(folder, name), name)


def load_image_network(folder: Path, name: str) -> ImageNetwork:
    """Load the network of a folder with transformers; nothing of it is run but known networks.

    Raises ExportError where the folder asks for code, weights are missing, or the network or the
    preparation of its images is not supported.
    """
    config = read_config(folder)
    pooling = pooling_of(config, name)
    require_processor(folder)
    weights = digest(folder, [folder])
    processor = load_processor(folder)
    rules = read_preprocessing(processor)
    network, missing = load_network(folder)
    keeps_shape = rules.shorter_side is not None
    return ImageNetwork(
        folder=folder,
        config=config,
        weights=weights,
        network=network,
        missing=missing,
        rules=rules,
        pooling=pooling,
        encode=Reference(network, processor, pooling, keeps_shape).encode,
        libraries=("torch", "onnxscript", "transformers", "PIL"),
        layers=layers_of(network.config),
    )
