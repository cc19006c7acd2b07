"""Image folders of transformers to candidates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from featurize.bundle import PREPROCESS, EncoderCard, VectorSpace
from featurize.errors import UsageError
from featurize.export.candidate import Candidate
from featurize.export.pictures import reference_pictures
from featurize.export.snapshot import config_digest, read_config, stated_license, weights_digest
from featurize.export.vision.network import (
    image_tower,
    layers_of,
    load_network,
    pooling_of,
    probe,
)
from featurize.export.vision.preparation import PREPROCESSOR, load_processor, read_preprocessing
from featurize.export.vision.reference import Reference
from featurize.storage import canonical_json, sha256_bytes
from featurize.types import Json, Modality

LIBRARIES = ("transformers", "PIL")


@dataclass(frozen=True, slots=True)
class ImageLayout:
    """An image folder that can be exported; `weights` is the SHA-256 of its weights."""

    folder: Path
    config: Json
    pooling: str
    weights: str
    license: str | None

    @classmethod
    def read(cls, folder: Path) -> ImageLayout:
        """Read a folder; raise ExportError, naming it, for what is not supported or runs code."""
        config = read_config(folder, PREPROCESSOR)
        return cls(
            folder=folder,
            config=config,
            pooling=pooling_of(config, folder.name),
            weights=weights_digest(folder, [folder]),
            license=stated_license(folder),
        )


def load_image_model(layout: ImageLayout, name: str, max_length: int | None) -> Candidate:
    """Load a folder with transformers; nothing of it is run but known networks.

    Raises ExportError where weights are missing or images are prepared in a way that is not
    supported, UsageError for a `max_length`.
    """
    if max_length is not None:
        raise UsageError(f"--max-length is for texts; {name} takes images.")
    import torch

    processor = load_processor(layout.folder)
    rules = read_preprocessing(processor)
    network, missing = load_network(layout.folder)
    tower = image_tower(network, layout.pooling)
    pixels = torch.zeros((2, 3, *rules.shape))
    preparation = canonical_json(rules.to_json())
    space = VectorSpace(
        weights=layout.weights,
        preparation=sha256_bytes(preparation),
        architecture=f"{type(network).__name__}/{config_digest(layout.config)}",
        pooling=layout.pooling,
        normalize=True,
        max_length=0,
        dim=probe(tower, missing, pixels),
    )
    keeps_shape = rules.shorter_side is not None
    return Candidate(
        card=EncoderCard(name, Modality.IMAGE, space),
        tower=tower,
        example={"pixels": pixels},
        axes=("batch",),
        preparation=(PREPROCESS, preparation),
        contents=reference_pictures(),
        encode=Reference(network, processor, layout.pooling, keeps_shape).encode,
        layers=layers_of(network.config),
        libraries=LIBRARIES,
        source=name,
        license=layout.license,
    )
