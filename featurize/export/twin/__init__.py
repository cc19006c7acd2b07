"""Encoders of two towers, for texts and images in one vector space: CLIP, SigLIP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from featurize.errors import ExportError
from featurize.export.candidate import Candidate
from featurize.export.folders import CONFIG, MODULES, json_object_if_any, license_of
from featurize.export.layout import read_modules
from featurize.export.twin.texts import propose_texts
from featurize.export.vision.candidate import propose as propose_images
from featurize.export.vision.transformers_model import load_image_network
from featurize.storage import sha256_bytes, sha256_joined
from featurize.types import Modality

TYPES = ("clip", "siglip")
_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json")
_ST_BODIES = ("CLIPModel", "Transformer")


def two_towers(folder: Path) -> Path | None:
    """Return where a folder of two towers has its network and its tokenizer; None for any other.

    A sentence-transformers model has them in its one module, which a Normalize may follow.
    """
    if (folder / MODULES).is_file():
        modules = [module for module in read_modules(folder) if module[0] != "Normalize"]
        if len(modules) != 1 or modules[0][0] not in _ST_BODIES:
            return None
        folder = modules[0][1]
    known = json_object_if_any(folder / CONFIG).get("model_type") in TYPES
    return folder if known and any((folder / name).is_file() for name in _TOKENIZERS) else None


def load_two_towers(folder: Path, path: Path, name: str, max_length: int | None) -> Candidate:
    """Load both towers from `path`, within the model's `folder`.

    Raises ExportError where the folder asks for code, weights are missing, or one of the towers is
    not supported; UsageError for a length that is not possible.
    """
    loaded = load_image_network(path, name)
    images = propose_images(loaded, name)
    texts = propose_texts(loaded, name, max_length)
    if texts.card.dim != images.card.dim:
        raise ExportError(
            f"{name} gives texts {texts.card.dim} dimensions and images {images.card.dim}: they "
            "do not lie in one vector space."
        )
    sums = [sha256_bytes(tower.preparation[1]) for tower in (texts, images)]
    space = replace(texts.card.space, preparation=sha256_joined(sums))
    card = replace(
        texts.card,
        modalities=(Modality.TEXT, Modality.IMAGE),
        space=space,
        logit_scale=float(loaded.network.logit_scale.detach().exp()),
    )
    return replace(
        texts,
        card=card,
        license=license_of(folder),
        images=replace(images, card=card),
    )
