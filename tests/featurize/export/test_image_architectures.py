"""Image models of every supported architecture keep the promises, with or without torch."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tiny_image_models import ARCHITECTURES, save_image_model

from featurize.bundle import Bundle
from featurize.encoder import Encoder
from featurize.export import export
from featurize.export.origin import locate
from featurize.export.pictures import reference_pictures
from featurize.export.vision.network import POOLING

CLASS_TOKEN = {"vit", "deit", "dinov2", "dinov2_with_registers"}
SIZES = [(1, 1), (3, 2), (7, 40), (200, 30), (31, 33), (32, 32), (40, 40), (41, 61), (96, 64)]
WITHOUT_TORCH = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "sentence_transformers", "onnx"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Refuse())
from pathlib import Path
import numpy as np
from featurize.bundle import Bundle
from featurize.encoder import Encoder
from featurize.reference import read_reference

vectors = {}
for folder in sys.argv[2:]:
    bundle = Bundle.open(Path(folder))
    pictures, _ = read_reference(bundle.path / "reference.npz", bundle.card.modalities)
    encoder = Encoder.open(bundle, device="cpu")
    vectors[Path(folder).name] = encoder.encode(pictures[::4])
np.savez(sys.argv[1], **vectors)
"""
every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return a function that exports the model of an architecture once: (model, bundle)."""
    models, bundles = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("bundles")

    def make(architecture):
        folder, out = models / architecture, bundles / architecture
        if not out.exists():
            export(save_image_model(folder, architecture), out)
        return folder, Bundle.open(out)

    return make


def drawings():
    """Draw noise of several sizes."""
    random = np.random.default_rng(0)
    shapes = [(height, width, 3) for width, height in SIZES]
    return [Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]


def original(folder, images):
    """Encode images as the documentation of transformers says; unit vectors."""
    import torch
    from transformers import AutoImageProcessor, AutoModel

    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    network = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    for image in images:
        inputs = processor(images=image, return_tensors="pt")
        with torch.inference_mode():
            if hasattr(network, "get_image_features"):
                vector = network.get_image_features(**inputs).pooler_output
            elif network.config.model_type in CLASS_TOKEN:
                vector = network(**inputs).last_hidden_state[:, 0]
            else:
                vector = network(**inputs).pooler_output
        rows.append(torch.nn.functional.normalize(vector.flatten(), dim=0).numpy())
    return np.stack(rows)


def test_every_supported_architecture_is_tested():
    """The table of the exporter and the models of this suite name the same architectures."""
    assert set(POOLING) == set(ARCHITECTURES)


@every_architecture
def test_vectors_are_those_of_the_original(architecture, exported, close):
    """What the bundle gives is what transformers gives, on odd images of all kinds and sizes."""
    folder, bundle = exported(architecture)
    assert bundle.export["parity"]["inputs"] >= 32
    assert bundle.export["parity"]["max_abs_diff"] <= 1e-5
    encoder = Encoder.open(bundle, device="cpu")
    expected = original(folder, drawings())
    assert close(encoder.encode(drawings()), expected)
    products = expected[1:] @ expected[:-1].T
    assert products.min() < 0.99, "the vectors of a test of equality differ among themselves"


@every_architecture
def test_a_vector_depends_on_its_image_alone(architecture, exported):
    """Batch size, order and threads change no bit."""
    _, bundle = exported(architecture)
    encoder = Encoder.open(bundle, device="cpu")
    encoder.budget = encoder.runtime.workers = 1
    images = drawings() + drawings()[::-1] + drawings()[::2]
    expected = encoder.encode(images)
    order = np.random.default_rng(1).permutation(len(images))
    for encoder.budget, encoder.runtime.workers in ((2, 1), (3, 2), (8, 3), (23, 2)):
        found = encoder.encode([images[place] for place in order])
        np.testing.assert_array_equal(found, expected[order])


def test_bundles_work_without_torch(exported, tmp_path):
    """With torch and transformers made unimportable, every bundle gives the same bits."""
    bundles = [exported(architecture)[1] for architecture in ARCHITECTURES]
    paths = [str(bundle.path) for bundle in bundles]
    script = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "vectors.npz"), *paths]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "vectors.npz")
    for bundle in bundles:
        expected = Encoder.open(bundle, device="cpu").encode(reference_pictures()[::4])
        np.testing.assert_array_equal(found[bundle.path.name], expected)


def test_two_folders_give_one_vector_space(exported, tmp_path):
    """A copy of a model elsewhere has the same card, and so the same fingerprint."""
    _, bundle = exported("vit")
    assert locate(save_image_model(tmp_path / "vit", "vit")).load(None).card == bundle.card


@pytest.mark.parametrize("architecture", ["siglip", "swin", "convnextv2"])
def test_openvino_gives_the_same_vectors(architecture, exported, close):
    """The other CPU runtime runs the graphs too."""
    pytest.importorskip("openvino")
    _, bundle = exported(architecture)
    found, expected = (
        Encoder.open(bundle, device="cpu", runtime=runtime, precision="fp32").encode(drawings())
        for runtime in ("openvino", "onnxruntime")
    )
    assert close(found, expected)
