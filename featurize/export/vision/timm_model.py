"""Image folders of timm, where timm is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.errors import ExportError, MissingExtra
from featurize.export.candidate import Candidate, Contents
from featurize.export.folders import digest, read_config, weight_files
from featurize.export.quiet import quiet
from featurize.export.viewing import middle, view
from featurize.export.vision.candidate import ImageNetwork, propose
from featurize.processors.preprocessing import Preprocessing
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SETTINGS = "pretrained_cfg"


def is_timm(config: Json) -> bool:
    """Say whether a configuration has the form in which timm saves it."""
    return {"architecture", _SETTINGS} <= config.keys()


def load_timm_model(folder: Path, name: str) -> Candidate:
    """Load a folder with timm, without its classifier; raise MissingExtra where timm is not."""
    try:
        from timm.data import create_transform, resolve_data_config
    except ImportError as error:
        raise MissingExtra(f"Exporting {name} ({error.name or 'timm'})", "timm") from error

    config, weights = read_config(folder), digest(folder, [folder])
    network, missing = _load(folder, config)
    feeding = resolve_data_config(pretrained_cfg=config[_SETTINGS])
    rules = _rules(feeding, name)
    _refuse_mean_of_tokens(network, rules, name)
    transform = create_transform(**feeding)

    def encode(contents: Contents, role: str | None) -> NDArray[np.float32]:  # noqa: ARG001
        return np.stack([_vector(network, transform, rules, content) for content in contents])

    loaded = ImageNetwork(
        folder=folder,
        config=config,
        weights=weights,
        network=network,
        missing=missing,
        rules=rules,
        pooling="features",
        encode=encode,
        libraries=("torch", "onnxscript", "timm", "PIL"),
    )
    return propose(loaded, name)


def _load(folder: Path, config: Json) -> tuple[Any, set[str]]:
    """Build the network and fill in its weights; return it with the names of those missing."""
    import timm
    from safetensors.torch import load_file

    files = weight_files(folder)
    try:
        with quiet():
            network = timm.create_model(
                config["architecture"],
                pretrained=False,
                checkpoint_path=None,
                num_classes=0,
                **config.get("model_args", {}),
            ).eval()
        state = {name: tensor for file in files for name, tensor in load_file(file).items()}
        report = network.load_state_dict(state, strict=False)
    except Exception as error:  # building runs the code of any architecture
        raise ExportError(f"timm cannot load {folder}: {type(error).__name__}: {error}") from error
    return network, set(report.missing_keys)


def _refuse_mean_of_tokens(network: Any, rules: Preprocessing, name: str) -> None:
    """Refuse networks that sum over tokens: a batch of one would get other last bits."""
    import torch

    with torch.no_grad():
        features = network.forward_features(torch.zeros((1, 3, *rules.shape)))
    tokens = features.ndim == 3 or getattr(network, "output_fmt", "NCHW") == "NHWC"
    if tokens and getattr(network, "global_pool", "avg") not in {"token", "map"}:
        raise ExportError(
            f"{name} averages tokens, which is not supported for timm models: its vectors would "
            "depend on their batch.",
            fix="Use the model's transformers version, or one that pools by class token.",
        )


def _rules(feeding: Json, name: str) -> Preprocessing:
    """Return the rules of timm's evaluation transform."""
    _, height, width = feeding["input_size"]
    share, mode = feeding["crop_pct"], feeding["crop_mode"]
    scaled = (int(height / share), int(width / share))
    if mode not in {"center", "squash"} or (mode == "center" and height != width):
        raise ExportError(
            f"{name} crops images in the mode {mode!r} to {height} x {width}; supported are "
            "'squash', and squares in the mode 'center'."
        )
    resize: Json = {"size": scaled} if mode == "squash" else {"shorter_side": scaled[0]}
    try:
        return Preprocessing(
            **resize,
            crop=height if height == width else (height, width),
            resample=feeding["interpolation"],
            mean=tuple(feeding["mean"]),
            std=tuple(feeding["std"]),
            scale=1 / 255,
            crop_rounding="even",
        )
    except (TypeError, ValueError) as error:
        raise ExportError(f"The images of {name} cannot be prepared: {error}.") from error


def _vector(
    network: Any, transform: Any, rules: Preprocessing, content: str | bytes
) -> NDArray[np.float32]:
    """Encode an image as timm does; a unit vector."""
    import torch

    image = view(content) if rules.shorter_side is None else middle(view(content))
    with torch.no_grad():
        vector = network(transform(image)[None])[0].double()
        unit: NDArray[np.float32] = (vector / vector.norm()).float().numpy()
    return unit
