"""How an encoder wants its images: the rules of a bundle's `preprocess.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

from featurize.errors import BundleError
from featurize.types import Json

Sides: TypeAlias = int | tuple[int, int]
Levels: TypeAlias = float | tuple[float, float, float]

_ROUNDINGS = ("down", "even")
_RESAMPLES = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
_MAX_SIDE = 4096
_MAX_ASPECT = 64
_MAX_PIXELS = 2**27  # of a resized image
_LEAST, _MOST = 1e-6, 1e6  # far within float32
# What the first bundles do not state, so that theirs keep their bytes and fingerprints.
_UNSTATED = {"shorter_side": None, "size": None, "scale": 1.0, "crop_rounding": "down"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How pixels reach the encoder: resize, centre crop, `(value * scale - mean) / std`, RGB, NCHW.

    An image is resized until its shorter side has `shorter_side` pixels, or whatever its shape to
    `size` (height, width); exactly one of the two is given. `crop` is a side or (height, width);
    black surrounds an image that is smaller. A margin of half a pixel is rounded `down`, or to an
    `even` number of pixels. `mean` and `std` are one number or one for each of
    red, green and blue. `max_aspect`, 1 to 64, bounds what is resized to `shorter_side`: an image
    longer than that is first cropped to its middle. Transparent pixels are laid on white. Sides
    are 1 to 4096 pixels. Raises ValueError for values out of range.
    """

    shorter_side: int | None = None
    size: tuple[int, int] | None = None
    crop: Sides
    resample: str
    mean: Levels
    std: Levels
    scale: float = 1.0
    crop_rounding: str = "down"
    max_aspect: int = 8

    def __post_init__(self) -> None:
        """Refuse what would cost unbounded memory, or give no number."""
        _require_integer("max_aspect", self.max_aspect, _MAX_ASPECT)
        _require_sides("crop", self.crop)
        if (self.shorter_side is None) == (self.size is None):
            raise ValueError("exactly one of shorter_side and size is expected")
        if self.size is not None:
            _require_pair("size", self.size)
        if self.shorter_side is not None:
            _require_integer("shorter_side", self.shorter_side, _MAX_SIDE)
            if self.shorter_side**2 * self.max_aspect > _MAX_PIXELS:
                raise ValueError(
                    f"shorter_side {self.shorter_side} with max_aspect {self.max_aspect} gives "
                    f"images of more than {_MAX_PIXELS} pixels"
                )
        _require_choice("resample", self.resample, _RESAMPLES)
        _require_choice("crop_rounding", self.crop_rounding, _ROUNDINGS)
        _require_levels("mean", self.mean, -_MOST)
        _require_levels("std", self.std, _LEAST)
        _require_number("scale", self.scale, _LEAST)

    @property
    def shape(self) -> tuple[int, int]:
        """Return height and width of what the encoder sees."""
        return self.crop if isinstance(self.crop, tuple) else (self.crop, self.crop)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a bundle's `preprocess.json`; raise BundleError where it says nothing usable."""
        try:
            stated = json.loads(path.read_bytes())
            return cls(**{name: _frozen(value) for name, value in stated.items()})
        except (AttributeError, TypeError, ValueError) as error:
            raise BundleError(f"{path} is no image preprocessing: {error}.") from error

    def to_json(self) -> Json:
        """Return the fields as JSON values."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in _UNSTATED or value != _UNSTATED[name]
        }


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _require_choice(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(known)}")


def _require_sides(name: str, value: Sides) -> None:
    if isinstance(value, tuple):
        _require_pair(name, value)
    else:
        _require_integer(name, value, _MAX_SIDE)


def _require_pair(name: str, value: object) -> None:
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(f"{name} is {value!r}, expected height and width")
    for side in value:
        _require_integer(name, side, _MAX_SIDE)


def _require_integer(name: str, value: object, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{name} is {value!r}, expected an integer from 1 to {most}")


def _require_levels(name: str, value: Levels, least: float) -> None:
    channels = value if isinstance(value, tuple) else (value,) * 3
    if len(channels) != 3:
        raise ValueError(f"{name} is {value!r}, expected one number or one for each colour")
    for number in channels:
        _require_number(name, number, least)


def _require_number(name: str, value: object, least: float) -> None:
    if type(value) not in {int, float} or not least <= value <= _MOST:  # type: ignore[operator]
        raise ValueError(f"{name} is {value!r}, expected a number from {least:g} to {_MOST:g}")
