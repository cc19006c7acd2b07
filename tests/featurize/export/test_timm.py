"""Folders in timm's form are image models where timm is installed."""

import json
import sys

import pytest

from featurize.errors import ExportError, MissingExtra
from featurize.export import export
from featurize.export.origin import locate

SETTINGS = {
    "input_size": [3, 64, 64],
    "interpolation": "bicubic",
    "crop_pct": 0.95,
    "crop_mode": "center",
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
}
VIT = {"img_size": 64, "depth": 2}


@pytest.fixture
def save(tmp_path):
    """Return a function that saves a model with random weights and a classifier."""
    timm = pytest.importorskip("timm", exc_type=ImportError)

    def write(architecture, settings=None, **model_args):
        import torch
        from safetensors.torch import save_file

        torch.manual_seed(0)
        network = timm.create_model(architecture, num_classes=5, **model_args)
        folder = tmp_path / architecture
        folder.mkdir()
        save_file(network.state_dict(), folder / "model.safetensors")
        config = {
            "architecture": architecture,
            "model_args": model_args,
            "pretrained_cfg": SETTINGS | (settings or {}),
        }
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    return write


@pytest.mark.parametrize(
    ("architecture", "settings", "model_args"),
    [
        ("resnet18", {}, {}),
        ("vit_tiny_patch16_224", {"crop_pct": 0.9, "mean": [0.5] * 3}, VIT),
        ("vit_tiny_patch16_224", {"crop_mode": "squash", "crop_pct": 1.0}, VIT),
    ],
    ids=["cnn", "crop", "squash"],
)
def test_vectors_are_those_of_timm(architecture, settings, model_args, save, tmp_path):
    """The export passes the gate, with the transform that timm itself makes."""
    bundle = export(save(architecture, settings, **model_args), tmp_path / "bundle")
    assert bundle.export["parity"]["max_abs_diff"] <= 1e-5


def test_means_of_tokens_and_borders_are_refused(save):
    """What would depend on the batch, or has no rule, is an error."""
    with pytest.raises(ExportError, match="averages tokens"):
        locate(save("vit_tiny_patch16_224", global_pool="avg", **VIT)).load(None)
    with pytest.raises(ExportError, match="in the mode 'border'"):
        locate(save("resnet18", {"crop_mode": "border"})).load(None)


def test_without_timm_the_extra_is_named(tmp_path, monkeypatch):
    """The fix is an install line."""
    (tmp_path / "config.json").write_text(
        json.dumps({"architecture": "resnet18", "pretrained_cfg": SETTINGS})
    )
    for module in ("timm", "timm.data"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match="timm") as caught:
        locate(tmp_path).load(None)
    assert "pip install 'featurize[timm]'" in caught.value.fix
