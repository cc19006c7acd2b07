"""An encoder turns inputs into vectors, in order, alike in any company."""

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from featurize.api import load_encoder
from featurize.bundle import Bundle
from featurize.config import Overflow, Precision, Reading, RuntimeName
from featurize.encoder import Encoder
from featurize.errors import BundleError, InputRejected, RuntimeUnavailable

WORDS = "the a red green blue fox dog runs sleeps fast slow refund parcel broken card late".split()
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join), max_size=12)
PROPERTY = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def texts(tiny_text):
    """Open the tiny text encoder."""
    return Encoder.open(Bundle.open(tiny_text), device="cpu")


@pytest.fixture
def images(tiny_image):
    """Open the tiny image encoder."""
    return Encoder.open(Bundle.open(tiny_image), device="cpu")


def picture(colour, size=(40, 50)):
    """Return an image of one colour."""
    return Image.new("RGB", size, colour)


def test_an_encoder_tells_what_it_is(texts):
    """Card, dimension, fingerprint and variant are at hand."""
    assert (texts.dim, texts.fingerprint) == (8, texts.card.fingerprint)
    assert texts.variant == {
        "runtime": "onnxruntime",
        "device": "cpu",
        "precision": "fp32",
        "budget": texts.budget,
        "graph": texts.bundle.graph_sha256,
        "prompt": None,
        "cosine": 1.0,
        "library": texts.runtime.library,
    }


def test_the_graph_is_loaded_when_it_is_first_needed(tiny_text, tmp_path):
    """What an encoder is, is known before; a graph changed meanwhile is noticed."""
    shutil.copytree(tiny_text, tmp_path / "bundle")
    encoder = Encoder.open(Bundle.open(tmp_path / "bundle"), device="cpu")
    (tmp_path / "bundle" / "model.onnx").write_bytes(b"another graph")
    assert encoder.variant["library"].startswith("onnxruntime")
    with pytest.raises(BundleError, match="not the file that was exported"):
        encoder.encode(WORDS)
    with pytest.raises(BundleError):
        load_encoder(str(tmp_path / "bundle"), device="cpu")


def test_vectors_are_float32_rows_of_unit_length(texts):
    """Each text gives one row."""
    vectors = texts.encode(["the red fox", "a parcel is late"])
    assert (vectors.shape, vectors.dtype) == ((2, 8), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


def test_nothing_gives_no_rows(texts):
    """An empty list is a table of no rows."""
    assert texts.encode([]).shape == (0, 8)


def test_any_iterable_will_do(texts):
    """A generator is read once, in order."""
    np.testing.assert_array_equal(texts.encode(word for word in WORDS), texts.encode(list(WORDS)))


@PROPERTY
@given(inputs=TEXTS, budget=st.integers(1, 400), workers=st.integers(1, 3), seed=st.integers(0, 99))
def test_a_row_depends_on_its_text_alone(texts, inputs, budget, workers, seed):
    """Batches, order and threads change neither a row nor its place, to the bit."""
    texts.budget = texts.runtime.workers = 1
    alone = texts.encode(inputs)
    order = np.random.default_rng(seed).permutation(len(inputs))
    texts.budget, texts.runtime.workers = budget, workers
    together = texts.encode([inputs[position] for position in order])
    np.testing.assert_array_equal(together, alone[order])


def test_more_inputs_than_a_window_keep_their_order(texts):
    """Inputs that are prepared in several windows come back in order."""
    texts.processor.window = 5
    inputs = [f"{WORDS[number % 16]} {WORDS[number % 7]}" for number in range(23)]
    np.testing.assert_array_equal(
        texts.encode(inputs), np.concatenate([texts.encode([text]) for text in inputs])
    )


def test_images_come_as_paths_bytes_or_pictures(images, tmp_path):
    """One image gives one vector, in whatever form it is passed."""
    path = tmp_path / "red.png"
    picture("red").save(path)
    vectors = images.encode([path, str(path), path.read_bytes(), picture("red"), picture("blue")])
    assert vectors.shape == (5, images.dim)
    assert (vectors[:4] == vectors[0]).all()
    assert (vectors[4] != vectors[0]).any()


@pytest.mark.parametrize("single", ["a text", b"bytes"])
def test_a_single_input_is_no_list(single, texts):
    """A bare text would be read letter by letter; the message says to wrap it."""
    with pytest.raises(TypeError, match="wrap a single one in a list"):
        texts.encode(single)


def test_an_input_of_another_type_is_a_type_error(texts, images):
    """A number is neither text nor image."""
    with pytest.raises(TypeError, match="int"):
        texts.encode(["a text", 7])
    with pytest.raises(TypeError, match="int"):
        images.encode([7])


def test_an_input_that_cannot_be_encoded_says_why(texts, images):
    """A call fails on a bad input with its reason; nothing is skipped in silence."""
    with pytest.raises(InputRejected, match="surrogate"):
        texts.encode(["fine", "\ud800"])
    with pytest.raises(InputRejected, match="undecodable"):
        images.encode([b"no image"])


def test_a_batch_of_prepared_inputs_tells_the_bad_ones_apart(texts):
    """A rejection stands in the place of its input; the others are samples."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as workers:
        prepared = texts.prepare(["a", "\ud800", "the red fox"], workers)
        assert [isinstance(one, InputRejected) for one in prepared] == [False, True, False]
        vectors = texts.encode_samples([prepared[2], prepared[0]], workers)
    np.testing.assert_array_equal(vectors, texts.encode(["the red fox", "a"]))


def test_overflow_decides_about_long_texts(tiny_text):
    """A text over the limit is cut, or rejected where that was asked for."""
    bundle, long = Bundle.open(tiny_text), " ".join(WORDS * 2)
    assert Encoder.open(bundle, device="cpu").encode([long]).shape == (1, 8)
    strict = Encoder.open(bundle, device="cpu", reading=Reading(overflow=Overflow.REJECT))
    with pytest.raises(InputRejected, match="too_long"):
        strict.encode([long])


def test_encoding_changes_nothing_of_the_bundle(tiny_text, hashes):
    """The files of a bundle are the same after use."""
    before = hashes(tiny_text)
    Encoder.open(Bundle.open(tiny_text), device="cpu").encode(WORDS)
    assert hashes(tiny_text) == before


def test_both_cpu_runtimes_agree(tiny_text):
    """OpenVINO in fp32 gives the vectors of onnxruntime, to rounding."""
    pytest.importorskip("openvino")
    bundle = Bundle.open(tiny_text)
    other = Encoder.open(bundle, device="cpu", runtime=RuntimeName.OPENVINO)
    assert other.variant["runtime"] == "openvino"
    expected = Encoder.open(bundle, device="cpu").encode(WORDS)
    np.testing.assert_allclose(other.encode(WORDS), expected, atol=1e-6)


def test_a_precision_that_is_not_there_is_refused(tiny_text):
    """What a runtime cannot compute is not computed by another one."""
    with pytest.raises(RuntimeUnavailable, match="int8"):
        Encoder.open(Bundle.open(tiny_text), runtime="openvino", precision=Precision.INT8)
