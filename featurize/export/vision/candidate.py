"""A loaded image network to a candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featurize.bundle import PREPROCESS, EncoderCard, VectorSpace
from featurize.errors import ExportError
from featurize.export.candidate import Candidate, Contents
from featurize.export.folders import config_digest, license_of
from featurize.export.graph import trace
from featurize.export.pictures import reference_pictures
from featurize.processors.preprocessing import Preprocessing
from featurize.storage import canonical_json, sha256_bytes
from featurize.types import Json, Modality

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ImageNetwork:
    """A network as it was loaded from a folder.

    `weights` is the SHA-256 of its weights, taken before they were loaded; `missing` names those
    that the folder lacks, which are random numbers; `rules` say how images reach it, `pooling`
    where its vector is taken; `encode` is the reference.
    """

    folder: Path
    config: Json
    weights: str
    network: Any
    missing: set[str]
    rules: Preprocessing
    pooling: str
    encode: Callable[[Contents, str | None], NDArray[np.float32]]
    libraries: tuple[str, ...]
    layers: int = 0


def propose(loaded: ImageNetwork, name: str) -> Candidate:
    """Propose a loaded network; raise ExportError where its weights are not whole."""
    import torch

    tower = image_tower(loaded.network, loaded.pooling)
    pixels = torch.zeros((2, 3, *loaded.rules.shape))
    preparation = canonical_json(loaded.rules.to_json())
    space = VectorSpace(
        weights=loaded.weights,
        preparation=sha256_bytes(preparation),
        architecture=f"{type(loaded.network).__name__}/{config_digest(loaded.config)}",
        pooling=loaded.pooling,
        normalize=True,
        max_length=0,
        dim=_dim(tower, loaded.missing, pixels),
    )
    return Candidate(
        card=EncoderCard(name, (Modality.IMAGE,), space),
        graph=partial(trace, tower, {"pixels": pixels}, ("batch",)),
        preparation=(PREPROCESS, preparation),
        contents=reference_pictures(),
        encode=loaded.encode,
        layers=loaded.layers,
        libraries=loaded.libraries,
        source=name,
        license=license_of(loaded.folder),
    )


def image_tower(network: Any, pooling: str) -> torch.nn.Module:
    """Propose the module that gives the image vectors of a network, of one tower or of two."""
    from featurize.export.vision.towers import POOLINGS, VisionTower

    return VisionTower(network, POOLINGS[pooling]).eval()


def _dim(tower: Any, missing: set[str], pixels: torch.Tensor) -> int:
    """Return the length of an image tower's vectors; raise ExportError for a tower of no use."""
    try:
        return dim_of(tower, missing, {"pixels": pixels})
    except ExportError:
        raise
    except Exception as error:  # the network's own code raises anything
        height, width = pixels.shape[2:]
        raise ExportError(
            f"The network does not take the images of {height} x {width} pixels that its image "
            f"processor gives: {error}"
        ) from error


def dim_of(tower: Any, missing: set[str], example: dict[str, torch.Tensor]) -> int:
    """Return the length of a tower's vectors; raise ExportError if one depends on missing weights.

    Those become NaN, which reaches the vector exactly where they are used: a classifier that was
    saved without the pooling layer, which is not used here, is whole.
    """
    import torch

    state = tower.network.state_dict()
    with torch.no_grad():
        for name in missing & state.keys():
            if state[name].is_floating_point():
                state[name].fill_(float("nan"))
        vectors = tower(**example)
    if missing - state.keys() or not bool(torch.isfinite(vectors).all()):
        names = ", ".join(sorted(missing)[:3]) + (" and more" if len(missing) > 3 else "")
        raise ExportError(
            f"The model's weights are not complete: without {names} its vectors would be random.",
            fix="Save the whole model with save_pretrained, and give that folder.",
        )
    return int(vectors.shape[1])
