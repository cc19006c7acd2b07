"""The built-in encoders keep the promises: faithful, neighbour-free, frozen."""

import numpy as np
import pytest

from featurize.catalog import BUILT_IN
from featurize.encoder import Encoder
from featurize.errors import ExportError, UsageError
from featurize.export.builtin import PACKAGES, require_weights
from featurize.export.origin import locate
from featurize.processors.preprocessing import Preprocessing
from featurize.reference import read_reference

SHORT = [
    f"{start} {word}"
    for start in ("How do I", "Why was my", "Please")
    for word in (
        "card",
        "transfer",
        "pin",
        "refund today",
        "top up, which was declined twice",
        "fee",
    )
]
pytestmark = pytest.mark.export


def test_the_catalogue_and_the_exporter_know_the_same_names():
    """Every built-in name has a modality and a way to load it."""
    assert set(BUILT_IN) == set(PACKAGES)


def test_minilm_reads_256_tokens(minilm_bundle):
    """The limit is the model's, not the 128 of its packaged tokenizer."""
    space = minilm_bundle.card.space
    assert (space.max_length, space.dim, space.normalize) == (256, 384, True)
    assert (space.pooling, space.architecture.partition("/")[0]) == ("mean", "BertModel")
    assert minilm_bundle.export["license"] == "apache-2.0"
    (sample,) = Encoder.open(minilm_bundle, device="cpu").processor.prepare(["word " * 1000])
    assert sample.columns["n_tokens"] == 256


def test_efficientnet_is_fed_as_its_authors_did(image_bundle):
    """The preprocessing is the one under which its classifier is right."""
    rules = Preprocessing.load(image_bundle.path / "preprocess.json")
    assert (rules.shorter_side, rules.crop, rules.resample) == (256, 224, "bicubic")
    assert (rules.mean, rules.std) == (127.0, 128.0)
    assert image_bundle.card.dim == 1280


@pytest.mark.parametrize(("name", "least"), [("minilm_bundle", 64), ("image_bundle", 32)])
def test_vectors_are_those_of_the_reference_model(name, least, request):
    """The product gives what the original gave, on every reference input, to 1e-5."""
    bundle = request.getfixturevalue(name)
    inputs, expected = read_reference(bundle.path / "reference.npz", bundle.card.modalities)
    found = Encoder.open(bundle, device="cpu").encode(inputs)
    assert len(inputs) >= least
    assert np.abs(found - expected).max() <= 1e-5
    assert 0 < bundle.export["parity"]["max_abs_diff"] <= 1e-5


def test_pinned_weights_are_checked_before_they_are_read(tmp_path):
    """A weight file with another hash is refused by name."""
    (tmp_path / "model.safetensors").write_bytes(b"not these")
    with pytest.raises(ExportError, match="not the published weight file"):
        require_weights(tmp_path / "model.safetensors", "0" * 64)


def test_a_length_for_images_is_refused():
    """`max_length` means nothing to an image encoder."""
    with pytest.raises(UsageError, match="takes images"):
        locate("efficientnet-lite0").load(64)
