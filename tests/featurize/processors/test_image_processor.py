"""Images to pixels: upright, opaque, and never more than the machine can hold."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from featurize.errors import InputRejected
from featurize.processors.image import MAX_PIXELS, ImageProcessor, Preprocessing, decode, fit
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


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I", "F", "CMYK", "YCbCr"])
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
    """Fifty megapixels are the limit, whatever the file holds."""
    (rejection,) = ImageProcessor(RULES).prepare([huge_png(*size)])
    assert rejection.reason is RejectReason.TOO_LARGE


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


def test_callers_may_pass_paths_bytes_or_images(tmp_path):
    """A path, its bytes and the opened image give the same pixels."""
    processor = ImageProcessor(RULES)
    data = encoded(photo())
    (tmp_path / "a.png").write_bytes(data)
    inputs = [tmp_path / "a.png", str(tmp_path / "a.png"), data, Image.open(io.BytesIO(data))]
    samples = processor.prepare([processor.admit(value) for value in inputs])
    for sample in samples[1:]:
        np.testing.assert_array_equal(sample.features["pixels"], samples[0].features["pixels"])
    with pytest.raises(TypeError, match="path, bytes or PIL image"):
        processor.admit(3)
