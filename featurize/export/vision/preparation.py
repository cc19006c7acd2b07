"""What the image processor of a transformers folder does, as rules of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from featurize.errors import ExportError
from featurize.export.folders import PREPROCESSOR
from featurize.export.quiet import quiet
from featurize.processors.preprocessing import Levels, Preprocessing

# Those whose steps are resize, crop, rescale and normalise, in this order and nothing else.
_PLAIN = {"Bit", "CLIP", "DeiT", "MobileNetV2", "Siglip", "ViT"}
_CONVNEXT = "ConvNext"
_WARPED = 384  # the side from which ConvNeXt's processor no longer crops


def load_processor(folder: Path) -> Any:
    """Load the image processor of a folder, in the form that works with Pillow alone."""
    from transformers import AutoImageProcessor

    try:
        with quiet():
            return AutoImageProcessor.from_pretrained(
                str(folder), backend="pil", local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # loading runs the code of any processor
        raise ExportError(
            f"transformers cannot load the image processor of {folder}: "
            f"{type(error).__name__}: {error}"
        ) from error


def read_preprocessing(processor: Any) -> Preprocessing:
    """Return the rules of a loaded processor; raise ExportError for steps that have none."""
    kind = type(processor).__name__.removesuffix("Pil").removesuffix("ImageProcessor")
    if kind not in {*_PLAIN, _CONVNEXT}:
        known = ", ".join(f"{name}ImageProcessor" for name in sorted({*_PLAIN, _CONVNEXT}))
        raise ExportError(
            f"The model's images are prepared by {type(processor).__name__}; supported are {known}."
        )
    if not processor.do_resize or processor.do_pad:
        raise _unsupported(processor, "it pads images or does not resize them")
    resize = _warp_or_crop(processor) if kind == _CONVNEXT else _resize(processor)
    try:
        return Preprocessing(
            **resize,
            resample=_resample(processor.resample),
            mean=_levels(processor.image_mean) if processor.do_normalize else 0.0,
            std=_levels(processor.image_std) if processor.do_normalize else 1.0,
            scale=float(processor.rescale_factor) if processor.do_rescale else 1.0,
        )
    except (TypeError, ValueError) as error:
        raise _unsupported(processor, str(error)) from error


def _resize(processor: Any) -> dict[str, Any]:
    """Return how an image is resized and cropped."""
    size = _stated(processor.size)
    crop = _stated(processor.crop_size) if processor.do_center_crop else size
    if set(crop) != {"height", "width"}:
        raise _unsupported(processor, "it gives images of different sizes")
    window = (crop["height"], crop["width"])
    sides = {"crop": window[0] if window[0] == window[1] else window}
    if set(size) == {"shortest_edge"}:
        return {"shorter_side": size["shortest_edge"], **sides}
    if set(size) == {"height", "width"}:
        return {"size": (size["height"], size["width"]), **sides}
    raise _unsupported(processor, f"it resizes to {size}")


def _warp_or_crop(processor: Any) -> dict[str, Any]:
    """Return what ConvNeXt's processor makes of its `size`: small ones are crops."""
    side = _stated(processor.size).get("shortest_edge")
    if side is None or processor.do_center_crop:
        raise _unsupported(processor, "it states no shortest edge, or a second crop")
    if side >= _WARPED:
        return {"size": (side, side), "crop": side}
    return {"shorter_side": int(side / processor.crop_pct), "crop": side}


def _stated(size: Any) -> dict[str, int]:
    """Return the fields of a size that are given."""
    return {name: value for name, value in dict(size or {}).items() if value is not None}


def _levels(value: Any) -> Levels:
    if isinstance(value, list | tuple):
        red, green, blue = map(float, value)
        return red, green, blue
    return float(value)


def _resample(filter: Any) -> str:
    from PIL import Image

    return Image.Resampling(Image.Resampling.BILINEAR if filter is None else filter).name.lower()


def _unsupported(processor: Any, why: str) -> ExportError:
    return ExportError(
        f"The {type(processor).__name__} of the model cannot be reproduced: {why}.",
        fix=f"Supported in {PREPROCESSOR} is a resize to a fixed size, or to a shorter side with a "
        "centre crop.",
    )
