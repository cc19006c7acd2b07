"""Texts and images side by side: told apart by type, never in one batch."""

import io

import pytest
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers

from featurize.config import AS_IT_IS, Overflow, Reading
from featurize.errors import InputRejected
from featurize.processors.image import ImageProcessor
from featurize.processors.long_text import LongTextProcessor
from featurize.processors.preprocessing import Preprocessing
from featurize.processors.text import TextProcessor
from featurize.processors.twin import TwinProcessor
from featurize.types import RejectReason

RULES = Preprocessing(size=(8, 8), crop=8, resample="bilinear", mean=0.0, std=255.0)
# The smallest GIF: every byte is a character of ASCII too.
PIXEL = bytes.fromhex("47494638396101000100000000002c00000000010001000002024401003b")


def tokenizer(padding=None):
    """Return a tokenizer of a few words."""
    words = ["[PAD]", "[UNK]", "red", "fox", "runs"]
    made = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if padding:
        made.enable_padding(length=padding, pad_id=1)
    return made


def twin(reading=AS_IT_IS, padding=None):
    """Return a processor of texts of at most four tokens and images of 8 x 8 pixels."""
    reads = LongTextProcessor if reading.overflow is Overflow.CHUNK else TextProcessor
    return TwinProcessor(reads(tokenizer(padding), 4, reading), ImageProcessor(RULES))


def picture(colour="red"):
    """Return a PNG file."""
    buffer = io.BytesIO()
    Image.new("RGB", (6, 5), colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_types_tell_texts_from_images(tmp_path):
    """A str is a text, even where it names an image; bytes, paths and PIL images are images."""
    processor, file = twin(), tmp_path / "a.png"
    file.write_bytes(picture())
    assert processor.admit(str(file)) == str(file)
    assert processor.admit(file) == processor.admit(picture()) == picture()
    assert isinstance(processor.admit(Image.new("RGB", (2, 2))), bytes)
    with pytest.raises(TypeError):
        processor.admit(3)


def test_each_is_prepared_in_its_place():
    """Texts and images in any order become samples, or rejections, in that order."""
    contents = ["red fox", picture(), b"no image", "", "fox", picture("blue")]
    first, second, third, fourth, fifth, sixth = twin().prepare(contents)
    assert [sample.kind for sample in (first, second, fifth, sixth)] == [
        ("input_ids",),
        ("pixels",),
        ("input_ids",),
        ("pixels",),
    ]
    assert (third.reason, fourth.reason) == (RejectReason.UNDECODABLE, RejectReason.EMPTY)


def test_a_batch_holds_as_many_images_as_one_of_images_alone():
    """An image costs its share of a budget that counts tokens."""
    processor = twin()
    (image,) = processor.prepare([picture()])
    assert processor.budget // image.cost == ImageProcessor.budget


def test_rows_say_what_they_are():
    """Rows have the columns of their own kind, and their modality; all columns are declared."""
    processor = twin()
    rows = {}
    for content in ("red fox", picture()):
        (sample,) = processor.prepare([content])
        (piece,) = processor.pieces(content, sample, lambda: None)
        rows[piece.columns["modality"]] = piece.columns
        assert piece.columns.keys() <= processor.columns.keys()
    assert rows["text"]["n_tokens"] == 2
    assert rows["image"] == {"modality": "image", "width": 6, "height": 5}


def test_windows_are_for_texts():
    """Long texts become several rows, an image is always one."""
    processor = twin(Reading(overflow=Overflow.CHUNK))
    long = "red fox runs red fox runs red fox"
    text, image = processor.prepare([long, picture()])
    windows = processor.pieces(long, text, lambda: None)
    assert len(windows) > 1
    assert {window.columns["modality"] for window in windows} == {"text"}
    assert len(processor.pieces(picture(), image, lambda: None)) == 1


def test_a_text_that_is_an_image_file_is_refused():
    """It would share the vector of the image, whose content is equal."""
    processor, text = twin(), PIXEL.decode("ascii")
    sample, image = processor.prepare([text, PIXEL])
    assert len(processor.pieces(PIXEL, image, lambda: None)) == 1
    with pytest.raises(InputRejected, match="an image where a text"):
        processor.pieces(text, sample, lambda: None)


def test_texts_are_padded_where_the_tokenizer_says_so():
    """Every text then has one length and no mask; the table still states its own tokens."""
    processor = twin(padding=4)
    samples = processor.prepare(["red", "red fox runs red fox"])
    inputs = processor.collate(samples)
    assert inputs.keys() == {"input_ids"}
    assert inputs["input_ids"].tolist() == [[2, 1, 1, 1], [2, 3, 4, 2]]
    assert [sample.columns["n_tokens"] for sample in samples] == [1, 4]
    assert [sample.columns["truncated"] for sample in samples] == [False, True]
    assert [sample.cost for sample in samples] == [4, 4]
