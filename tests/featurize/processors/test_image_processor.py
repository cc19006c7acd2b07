"""Images to pixels: upright, opaque, and never more than the machine can hold."""

import io
import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from featurize.errors import BundleError, InputRejected
from featurize.processors.decoding import MAX_PIXELS, decode
from featurize.processors.image import ImageProcessor, fit
from featurize.processors.preprocessing import Preprocessing
from featurize.types import RejectReason

RULES = Preprocessing(shorter_side=256, crop=224, resample="bicubic", mean=127.0, std=128.0)


def encoded(image, kind="PNG", **options):
    """Return the bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(width=40, height=30, mode="RGB"):
    """Draw noise."""
    levels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels).convert(mode)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_format_is_decoded(kind):
    """All six formats give RGB of the right size."""
    image = decode(encoded(photo(), kind))
    assert (image.mode, image.size) == ("RGB", (40, 30))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb(mode):
    """Odd modes give three channels of eight bits."""
    pixels = fit(decode(encoded(photo(mode=mode), "TIFF")), RULES)
    assert (pixels.shape, pixels.dtype) == ((3, 224, 224), np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    """A turned photo gives the pixels of the upright one."""
    upright = photo()
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright.transpose(Image.Transpose(turns[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = decode(encoded(stored, exif=exif))
    assert turned.size == upright.size
    np.testing.assert_array_equal(np.asarray(turned), np.asarray(upright))


def test_transparent_pixels_are_laid_on_white():
    """A hidden colour does not show."""
    image = Image.new("RGBA", (4, 4), (200, 0, 0, 0))
    assert np.asarray(decode(encoded(image))).min() == 255


def test_sixteen_bits_are_scaled_not_clipped():
    """Grey levels of a 16-bit image keep their order."""
    levels = np.linspace(0, 65535, 256).astype(np.uint16).reshape(1, 256)
    grey = np.asarray(decode(encoded(Image.fromarray(levels))))[0, :, 0]
    np.testing.assert_array_equal(grey, levels[0] >> 8)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (17, 31), (224, 224), (255, 256)])
def test_every_shape_fits(size):
    """Tiny, exact and extremely long images give one crop."""
    assert fit(photo(*size), RULES).shape == (3, 224, 224)


def test_normalisation_is_exact():
    """Collated pixels are (value - 127) / 128 in float32."""
    processor = ImageProcessor(RULES)
    (sample,) = processor.prepare([encoded(photo(300, 300))])
    batch = processor.collate([sample])["pixels"]
    expected = (sample.features["pixels"].astype(np.float64) - 127) / 128
    np.testing.assert_array_equal(batch[0], expected.astype(np.float32))
    assert batch.dtype == np.float32


def huge_png(width, height):
    """Write a PNG that claims a size and holds almost nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("size", [(MAX_PIXELS // 1000 + 1, 1000), (20000, 20000)])
def test_huge_images_are_rejected_before_decoding(size):
    """Fifty megapixels are the limit, and the only one that is named."""
    (rejection,) = ImageProcessor(RULES).prepare([huge_png(*size)])
    assert rejection.reason is RejectReason.TOO_LARGE
    assert rejection.detail.endswith("pixels; at most 50 megapixels are decoded")


@pytest.mark.parametrize(
    "data", [b"", b"no image", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0"]
)
def test_what_is_no_image_is_undecodable(data):
    """Foreign and empty bytes are rejected with a reason."""
    with pytest.raises(InputRejected) as caught:
        (outcome,) = ImageProcessor(RULES).prepare([data])
        raise outcome
    assert caught.value.reason is RejectReason.UNDECODABLE


def test_cut_files_never_become_rows():
    """A truncated file of any format is rejected, not padded with grey."""
    processor = ImageProcessor(RULES)
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF"):
        whole = encoded(photo(64, 64), kind)
        for end in (len(whole) // 4, len(whole) // 2):
            (outcome,) = processor.prepare([whole[:end]])
            assert isinstance(outcome, InputRejected), f"{kind} cut at {end}"


def test_damaged_pixels_are_no_row_even_if_they_are_to_be_turned():
    """A JPEG that Pillow refuses to load is rejected, whatever its EXIF orientation."""
    exif, refused, chance = Image.Exif(), 0, np.random.default_rng(1)
    exif[0x0112] = 6
    whole = encoded(photo(64, 64), "JPEG", exif=exif)
    for _ in range(800):
        damaged = bytearray(whole)
        damaged[chance.integers(100, len(whole))] ^= 1 << chance.integers(8)
        try:
            Image.open(io.BytesIO(damaged)).load()
        except Exception:  # noqa: BLE001 - decoders raise anything on damaged files
            (outcome,) = ImageProcessor(RULES).prepare([bytes(damaged)])
            assert isinstance(outcome, InputRejected)
            refused += 1
    assert refused


def refusal(data):
    """Return the rejection of bytes, which must be the same every time."""
    first, second = ImageProcessor(RULES).prepare([data, data])
    assert (first.reason, first.detail) == (second.reason, second.detail)
    return first


def test_details_tell_damage_from_foreign_content():
    """A damaged image, a rare kind, another format and no image at all are told apart."""
    png = encoded(photo())
    assert refusal(b"<html>").detail == "not an image: JPEG, PNG, WEBP, GIF, BMP and TIFF are read"
    assert refusal(png[:-40]).detail.startswith("a PNG that cannot be decoded: ")
    assert refusal(png[:20]).detail.startswith("a PNG that ")
    for kind in ("JPEG", "WEBP", "BMP", "TIFF"):
        whole = encoded(photo(64, 64), kind)
        detail = refusal(whole[: len(whole) // 2]).detail
        assert detail.startswith(f"a {kind} that ")
        assert "Error" not in detail
        assert " at 0x" not in detail


def test_what_pillow_could_read_and_we_do_not_is_unsupported():
    """Other formats under any suffix, and levels without a stated range, are unsupported."""
    floats = Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
    assert refusal(encoded(photo(), "JPEG2000")).reason is RejectReason.UNSUPPORTED
    avif = b"\0\0\0\x20ftypavif" + bytes(32)
    assert refusal(avif).reason is RejectReason.UNSUPPORTED
    assert refusal(encoded(floats, "TIFF")).reason is RejectReason.UNSUPPORTED
    with pytest.raises(InputRejected, match="floating point"):
        ImageProcessor(RULES).admit(floats)


def test_pillow_writes_nothing_to_standard_error(tmp_path):
    """Neither its limits nor damaged metadata nor what it logs reach the terminal."""
    damaged = encoded(photo(), exif=b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01")
    tiff = bytearray(encoded(photo(), "TIFF"))
    at = tiff.index(struct.pack("<HHI", 277, 3, 1))
    tiff[at + 8 : at + 10] = struct.pack("<H", 219)  # samples per pixel
    contents = [huge_png(10_000, 10_000), huge_png(20_000, 20_000), damaged, bytes(tiff)]
    script = (
        "import sys; from featurize.processors.image import *\n"
        "rules = Preprocessing(\n"
        "    shorter_side=256, crop=224, resample='bicubic', mean=127.0, std=128.0)\n"
        f"outcomes = ImageProcessor(rules).prepare({contents!r})\n"
        "sys.exit(len(outcomes) != 4)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def as_callers_pass(data, folder):
    """Return the samples of a file given as path, as text, as bytes and opened."""
    processor = ImageProcessor(RULES)
    path = folder / "file"
    path.write_bytes(data)
    inputs = [data, path, str(path), Image.open(io.BytesIO(data))]
    return processor.prepare([processor.admit(value) for value in inputs])


def turned(orientation, mode="RGB", kind="JPEG"):
    """Return the bytes of a file with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(photo(mode=mode), kind, exif=exif)


def see_through():
    """Draw in a palette of which some colours are transparent."""
    image = photo(mode="RGB").quantize(16)
    return encoded(image, transparency=bytes(range(0, 256, 16)))


DEEP = np.arange(0, 65536, 64, dtype=np.uint16).reshape(16, 64)
FILES = {
    "palette with transparency": see_through(),
    "GIF with transparency": encoded(photo().quantize(16), "GIF", transparency=3),
    "grey with one transparent level": encoded(photo(mode="L"), transparency=7),
    "bits": encoded(photo(mode="1")),
    "LA": encoded(photo(mode="RGBA").convert("LA")),
    "CMYK": encoded(photo(mode="CMYK"), "JPEG"),
    "YCbCr": encoded(photo(mode="YCbCr"), "TIFF"),
    "LAB": encoded(Image.fromarray(np.asarray(photo()), "LAB"), "TIFF"),
    "16 bits": encoded(Image.fromarray(DEEP)),
    "16 bits, big end first": encoded(Image.fromarray(DEEP.astype(">u2")), "TIFF"),
    "32 bits": encoded(Image.fromarray(DEEP.astype(np.int32)), "TIFF"),
    "16 bits, turned": turned(6, "I;16", "PNG"),
    **{f"orientation {n}": turned(n) for n in range(1, 9)},
    **{f"PNG, orientation {n}": turned(n, "RGBA", "PNG") for n in range(1, 9)},
    **{f"TIFF, orientation {n}": turned(n, "RGB", "TIFF") for n in range(1, 9)},
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES.keys())
def test_a_path_its_bytes_and_the_opened_image_are_one(data, tmp_path):
    """However a caller passes a file, the encoder sees the same pixels and sizes."""
    first, *others = as_callers_pass(data, tmp_path)
    for sample in others:
        np.testing.assert_array_equal(sample.features["pixels"], first.features["pixels"])
        assert sample.columns == first.columns


@pytest.mark.parametrize("mode", ["HSV", "LAB", "RGBX", "RGBa", "La", "PA", "YCbCr", "I;16B"])
def test_images_of_modes_without_a_file_are_taken(mode):
    """A mode that no file carries is converted as Pillow converts it."""
    grey = photo(mode="L")
    image = Image.merge("LA", [grey, Image.new("L", grey.size, 255)]) if "a" in mode else photo()
    if mode == "RGBa":
        image = image.convert("RGBA")
    if mode in {"PA", "I;16B"}:
        image = grey.convert("P" if mode == "PA" else "I")
    processor = ImageProcessor(RULES)
    (sample,) = processor.prepare([processor.admit(image.convert(mode))])
    assert sample.columns == {"width": 40, "height": 30}


def test_whole_numbers_up_to_255_are_eight_bits():
    """Levels of 32 bits keep the range they use: 8 bits, or 16."""
    levels = np.arange(256, dtype=np.int32).reshape(16, 16)
    for factor, grey in ((1, levels), (256, levels), (255, (levels * 255) >> 8)):
        decoded = np.asarray(decode(encoded(Image.fromarray(levels * factor), "TIFF")))
        np.testing.assert_array_equal(decoded[..., 0], grey)
    below = decode(encoded(Image.fromarray(levels * 1000 - 70_000), "TIFF"))
    assert (np.asarray(below).min(), np.asarray(below).max()) == (0, 255)


def test_an_opened_image_is_refused_as_its_file_is():
    """Damage and size that show up only on loading are rejections, not errors of Pillow."""
    processor = ImageProcessor(RULES)
    whole = encoded(photo(64, 64))
    for data, reason in (
        (whole[: len(whole) // 2], RejectReason.UNDECODABLE),
        (huge_png(MAX_PIXELS // 1000 + 1, 1000), RejectReason.TOO_LARGE),
    ):
        with pytest.raises(InputRejected) as caught:
            processor.admit(Image.open(io.BytesIO(data)))
        assert caught.value.reason is refusal(data).reason is reason


def test_other_types_are_refused():
    """What is neither path, bytes nor image is a TypeError."""
    with pytest.raises(TypeError, match="path, bytes or PIL image"):
        ImageProcessor(RULES).admit(3)


@pytest.mark.parametrize(
    "change",
    [
        {"shorter_side": 0},
        {"shorter_side": 5000},
        {"shorter_side": 256.0},
        {"crop": 4097},
        {"crop": [224, 224, 3]},
        {"crop": [224, 224.0]},
        {"size": [256, 256]},
        {"size": 256},
        {"size": [256, 0], "shorter_side": None},
        {"size": None, "shorter_side": None},
        {"shorter_side": 4096, "max_aspect": 9},
        {"crop": True},
        {"crop": -1},
        {"resample": "sharp"},
        {"crop_rounding": "up"},
        {"resample": ["bicubic"]},
        {"mean": "127"},
        {"mean": float("nan")},
        {"std": 0},
        {"std": -1.0},
        {"std": [1.0, 1.0]},
        {"mean": [1.0, None, 1.0]},
        {"mean": 1e300},
        {"scale": 0},
        {"scale": float("inf")},
        {"max_aspect": 0},
        {"max_aspect": 65},
        {"unknown": 1},
    ],
)
def test_unusable_preprocessing_is_refused(change, tmp_path):
    """A file with values that cannot be meant names them instead of failing later."""
    path = tmp_path / "preprocess.json"
    path.write_text(json.dumps(RULES.to_json()))
    assert Preprocessing.load(path) == RULES
    path.write_text(json.dumps(RULES.to_json() | change))
    with pytest.raises(BundleError, match=next(iter(change))):
        Preprocessing.load(path)


def test_black_surrounds_an_image_that_is_smaller_than_the_crop():
    """The odd pixel of the margin lies before the image, and is black before levels are scaled."""
    rules = Preprocessing(shorter_side=3, crop=(6, 8), resample="box", mean=0.0, std=1.0)
    pixels = fit(Image.new("RGB", (5, 3), "white"), rules)
    expected = np.zeros((3, 6, 8), np.uint8)
    expected[:, 2:5, 2:7] = 255
    np.testing.assert_array_equal(pixels, expected)


def test_a_fixed_size_squeezes_the_whole_image():
    """Nothing is cut off, however long the image is, up to a length that memory allows."""
    rules = Preprocessing(size=(4, 4), crop=4, resample="box", mean=0.0, std=1.0)
    image = Image.new("RGB", (400, 1))
    image.putpixel((0, 0), (255, 255, 255))
    assert fit(image, rules)[0, :, 0].tolist() == [3, 3, 3, 3]
    with pytest.raises(InputRejected, match="at most 1048576") as caught:
        fit(Image.new("RGB", (2**20 + 1, 1)), rules)
    assert caught.value.reason is RejectReason.TOO_LARGE


@pytest.mark.parametrize(("rounding", "first"), [("down", 1), ("even", 2)])
def test_half_a_pixel_of_margin_is_rounded_as_stated(rounding, first):
    """Libraries differ in which of two middle crops they take."""
    rules = Preprocessing(
        size=(1, 5), crop=(1, 2), resample="box", mean=0.0, std=1.0, crop_rounding=rounding
    )
    levels = Image.fromarray(np.arange(15, dtype=np.uint8).reshape(1, 5, 3))
    assert fit(levels, rules)[0, 0].tolist() == [3 * first, 3 * first + 3]


@pytest.mark.parametrize(("width", "height"), [(147, 98), (98, 147), (1961, 980)])
def test_the_longer_side_is_the_exact_proportion_rounded_down(width, height):
    """256 / 98 * 147 is 384, and never 383.99999 cut to 383."""
    rules = Preprocessing(shorter_side=256, crop=4096, resample="box", mean=0.0, std=1.0)
    pixels = fit(Image.new("RGB", (width, height), "white"), rules)
    longer = 256 * max(width, height) // min(width, height)
    assert sorted(np.count_nonzero(pixels[0], axis).max() for axis in (0, 1)) == [256, longer]
