"""Image networks of transformers and timm to candidates."""

from __future__ import annotations

from pathlib import Path

from featurize.errors import UsageError
from featurize.export.candidate import Candidate
from featurize.export.folders import CONFIG, MODULES, PREPROCESSOR, json_object_if_any
from featurize.export.vision.network import POOLING
from featurize.export.vision.timm_model import is_timm, load_timm_model
from featurize.export.vision.transformers_model import load_transformers_model


def holds_image_model(folder: Path) -> bool:
    """Say whether a folder holds an image model of transformers or timm, and not one of texts."""
    config = json_object_if_any(folder / CONFIG)
    if not config or (folder / MODULES).exists():
        return False
    known = config.get("model_type") in POOLING or is_timm(config)
    return known or (folder / PREPROCESSOR).is_file()


def load_image_model(folder: Path, name: str, max_length: int | None) -> Candidate:
    """Load an image model; raise ExportError where it is not supported, UsageError for a length."""
    if max_length is not None:
        raise UsageError(f"--max-length is for texts; {name} takes images.")
    timm = is_timm(json_object_if_any(folder / CONFIG))
    return (load_timm_model if timm else load_transformers_model)(folder, name)
