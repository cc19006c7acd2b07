"""The built-in encoders give the vectors that are committed here, whatever is installed."""

import numpy as np
import pytest

from featurize.catalog import BUILT_IN, resolve
from featurize.encoder import Encoder
from featurize.reference import read_reference

pytestmark = pytest.mark.export


@pytest.mark.parametrize(("name", "count"), [("minilm", 64), ("efficientnet-lite0", 32)])
def test_the_vectors_are_those_of_the_first_export(name, count, close, golden):
    """A new set of dependencies changes no number by more than 1e-5 of the vector's length."""
    encoder = Encoder.open(resolve(name), device="cpu")
    contents, expected = read_reference(golden / f"{name}.npz", encoder.card.modalities)
    assert len(contents) >= count
    assert np.isfinite(expected).all()
    assert close(encoder.encode(contents), expected)


def test_every_built_in_encoder_has_golden_vectors(golden):
    """None is added without them."""
    assert {path.stem for path in golden.glob("*.npz")} == set(BUILT_IN)
