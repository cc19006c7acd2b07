"""Weights are hashed before anything parses them: what a card states is what was loaded."""

import pytest
import tiny_models
from tiny_image_models import save_image_model

from featurize.errors import ExportError
from featurize.export import locate


def _text(root):
    return tiny_models.save_transformer(root / "text")


def _static(root):
    return tiny_models.save_static(root / "static")


def _image(root):
    return save_image_model(root / "image", "vit")


def _timm(root):
    timm = pytest.importorskip("timm")
    from timm.models import save_for_hf

    save_for_hf(timm.create_model("test_vit.r160_in1k", pretrained=False), root / "timm")
    return root / "timm"


@pytest.mark.parametrize("save", [_text, _static, _image, _timm])
def test_weights_are_hashed_before_they_are_parsed(save, tmp_path, monkeypatch):
    """Weights that no parser takes have been hashed when it fails."""
    folder = save(tmp_path)
    (weights,) = folder.glob("**/model.safetensors")
    weights.write_bytes(b"no tensors")
    hashed = []

    def hash_file(path):
        hashed.append(path)
        return "0" * 64

    monkeypatch.setattr("featurize.export.folders.sha256_file", hash_file)
    with pytest.raises(ExportError):
        locate(folder).load(None)
    assert hashed == [weights]


def test_a_ready_file_is_hashed_before_it_is_parsed(tmp_path, monkeypatch):
    """The bytes that were hashed are those that are parsed."""
    hashed = []

    def hash_bytes(data):
        hashed.append(data)
        return "0" * 64

    monkeypatch.setattr("featurize.export.ready.files.sha256_bytes", hash_bytes)
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ExportError, match="is no ONNX file"):
        locate(tmp_path / "model.onnx").load(None)
    assert hashed == [b"no graph"]
