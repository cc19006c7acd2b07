"""The rules read from `preprocessor_config.json` give the pixels that transformers gives."""

import numpy as np
import pytest
from PIL import Image
from tiny_image_models import save_processor

from featurize.errors import ExportError
from featurize.export.vision.preparation import load_processor, read_preprocessing
from featurize.processors.image import ImageProcessor
from featurize.processors.preprocessing import Preprocessing
from featurize.storage import canonical_json
from featurize.types import Sample

SQUARE = {"height": 32, "width": 32}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
SIZES = [
    *((1, 1), (2, 2), (1, 3), (3, 1), (4, 3), (8, 1), (1, 8), (17, 31), (31, 17), (32, 32)),
    *((33, 31), (40, 40), (64, 48), (48, 64), (98, 49), (147, 98), (225, 150), (101, 333)),
]
VARIANTS = [
    ("ViT", {}),
    ("ViT", {"size": SQUARE, "resample": 3, **IMAGENET}),
    ("ViT", {"size": {"height": 24, "width": 40}, "resample": 0}),
    (
        "ViT",
        {"size": 48, "do_rescale": False, "image_mean": [127, 120, 110], "image_std": [60] * 3},
    ),
    ("ViT", {"size": SQUARE, "do_normalize": False, "resample": 1}),
    ("ViT", {"size": SQUARE, "rescale_factor": 0.00784313725490196, "image_mean": [1.0] * 3}),
    ("DeiT", {}),
    ("DeiT", {"size": {"height": 37, "width": 41}, "crop_size": SQUARE}),
    ("Bit", {"size": {"shortest_edge": 37}, "crop_size": {"height": 32, "width": 21}}),
    ("Bit", {"size": {"shortest_edge": 25}, "crop_size": {"height": 40, "width": 33}}),
    ("CLIP", {}),
    ("CLIP", {"size": 36, "crop_size": 32, "resample": 2}),
    ("CLIP", {"size": {"height": 33, "width": 30}, "do_center_crop": False}),
    ("CLIP", {"size": {"shortest_edge": 33}, "crop_size": SQUARE, "resample": 1}),
    ("Siglip", {"size": SQUARE}),
    ("ConvNext", {"size": {"shortest_edge": 32}, "crop_pct": 0.875, **IMAGENET}),
    ("ConvNext", {"size": {"shortest_edge": 50}, "crop_pct": 0.95, "resample": 2}),
    ("ConvNext", {"size": {"shortest_edge": 384}}),
    ("ConvNext", {"size": 224}),
    ("MobileNetV2", {"size": {"shortest_edge": 36}, "crop_size": SQUARE}),
]


@pytest.mark.parametrize(("kind", "settings"), VARIANTS, ids=str)
def test_pixels_are_those_of_transformers(kind, settings, tmp_path):
    """Every bit of every pixel is the same, for sizes and shapes of all kinds."""
    save_processor(tmp_path, kind, **settings)
    theirs = load_processor(tmp_path)
    ours = ImageProcessor(read_preprocessing(theirs))
    random = np.random.default_rng(3)
    for width, height in SIZES:
        image = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        (expected,) = theirs(images=image, return_tensors="np")["pixel_values"]
        (sample,) = ours.prepare([ours.admit(image)])
        assert isinstance(sample, Sample), sample
        found = ours.collate([sample, sample])["pixels"][1]
        assert found.dtype == expected.dtype == np.float32
        np.testing.assert_array_equal(found, expected, err_msg=f"{width} x {height}")


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("CLIP", {"do_center_crop": False}, "images of different sizes"),
        ("CLIP", {"do_resize": False}, "does not resize"),
        ("CLIP", {"do_pad": True}, "pads"),
        ("CLIP", {"size": {"shortest_edge": 30, "longest_edge": 50}}, "it resizes to"),
        ("CLIP", {"size": {"shortest_edge": 5000}}, "shorter_side is 5000"),
        ("CLIP", {"image_std": [0, 0, 0]}, "std"),
        ("ConvNext", {"do_center_crop": True, "crop_size": SQUARE}, "second crop"),
        ("EfficientNet", {}, "prepared by EfficientNetImageProcessorPil; supported are"),
        ("Unheard", {}, "cannot load the image processor"),
    ],
)
def test_what_cannot_be_reproduced_is_refused(kind, settings, message, tmp_path):
    """Steps that have no rule are errors that name them."""
    save_processor(tmp_path, kind, **settings)
    with pytest.raises(ExportError, match=message):
        read_preprocessing(load_processor(tmp_path))


def test_the_first_bundles_keep_their_bytes():
    """Rules that say no more than they used to are spelt as they were."""
    rules = Preprocessing(shorter_side=256, crop=224, resample="bicubic", mean=127.0, std=128.0)
    assert canonical_json(rules.to_json()) == (
        b'{"crop":224,"max_aspect":8,"mean":127.0,"resample":"bicubic",'
        b'"shorter_side":256,"std":128.0}'
    )


def test_rules_of_every_kind_are_read_back(tmp_path):
    """What a bundle states is what was written."""
    for kind, settings in VARIANTS:
        save_processor(tmp_path, kind, **settings)
        rules = read_preprocessing(load_processor(tmp_path))
        (tmp_path / "preprocess.json").write_bytes(canonical_json(rules.to_json()))
        assert Preprocessing.load(tmp_path / "preprocess.json") == rules
