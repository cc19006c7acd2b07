"""The reference inputs are many and odd, and their file is the same every time."""

import io

import numpy as np
import pytest
from PIL import Image

from featurize.export.pictures import reference_pictures
from featurize.export.reference import reference_texts
from featurize.reference import read_reference, write_reference
from featurize.types import Modality


@pytest.mark.parametrize("max_length", [8, 40, 256])
def test_the_texts_are_many_and_odd(max_length):
    """There are 64 and more: empty, one character, other scripts, at and far over the limit."""
    texts = reference_texts(max_length)
    words = {len(text.split()) for text in texts}
    assert len(set(texts)) >= 64
    assert {"", "a", "中", "🙂"} <= set(texts)
    assert {max_length - 2, max_length - 1, max_length, 10 * max_length} <= words
    assert texts == reference_texts(max_length)


def test_the_pictures_are_many_and_odd():
    """There are 32 and more, of every format and mode that is decoded."""
    files = reference_pictures()
    images = [Image.open(io.BytesIO(file)) for file in files]
    assert len(files) >= 32
    assert files == reference_pictures()
    assert {image.mode for image in images} >= {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"}
    assert {image.getexif().get(0x0112) for image in images} >= set(range(1, 9))
    assert {(1, 1), (1, 300), (17, 31), (2000, 50)} <= {image.size for image in images}


@pytest.mark.parametrize(
    ("modalities", "contents"),
    [
        ((Modality.TEXT,), ["", "a\0", "é🙂\ud7ff"]),
        ((Modality.IMAGE,), [b"", b"\0\xff", b"abc"]),
        ((Modality.TEXT, Modality.IMAGE), ["a", b"a", "b"]),
    ],
    ids=str,
)
def test_inputs_and_vectors_come_back(modalities, contents, tmp_path):
    """What was written is read as the same texts, images and numbers, without pickle."""
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    write_reference(tmp_path / "a.npz", contents, vectors)
    write_reference(tmp_path / "b.npz", contents, vectors)
    inputs, found = read_reference(tmp_path / "a.npz", modalities)
    assert inputs == contents
    np.testing.assert_array_equal(found, vectors)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
