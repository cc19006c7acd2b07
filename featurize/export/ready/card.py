"""The card of an ONNX file: what the file does not say about itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, TypeAlias

from featurize.errors import UsageError
from featurize.types import Modality

Colour: TypeAlias = tuple[float, float, float]

_RESAMPLES = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
_MOST = 4096  # pixels


class Axes(StrEnum):
    """Where the colours stand among the axes of a batch of images."""

    NCHW = "NCHW"
    NHWC = "NHWC"


class Channels(StrEnum):
    """The order of the colours."""

    RGB = "RGB"
    BGR = "BGR"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyCard:
    """What is stated about an ONNX file; what is None is read from the graph, or assumed.

    `size` is the side of the square the encoder sees and `resize` the shorter side before, in
    pixels; `mean` and `std` are of values from 0 to 255, in the order red, green, blue.
    """

    kind: Modality | None = None
    name: str | None = None
    license: str | None = None
    input: str | None = None
    output: str | None = None
    layout: Axes | None = None
    channels: Channels = Channels.RGB
    size: int | None = None
    resize: int | None = None
    resample: str = "bicubic"
    mean: Colour | None = None
    std: Colour | None = None
    normalize: bool | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a card; raise UsageError, naming the field, for what no card may say."""
        try:
            stated = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} is no card of an ONNX file: {error}.") from error
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(stated) - set(known)) if isinstance(stated, dict) else ["a list"]
        if unknown:
            raise UsageError(
                f"{path} is no card of an ONNX file: it holds {', '.join(unknown)}.",
                fix=f"A card is a JSON object with any of these fields: {', '.join(known)}.",
            )
        card = cls(**{name: _parsed(path, name, value) for name, value in stated.items()})
        if (card.mean is None) != (card.std is None):
            raise UsageError(f"{path} states only one of mean and std; they go together.")
        return card


def _parsed(path: Path, name: str, value: Any) -> Any:
    """Return the value of a field; raise UsageError for one it cannot have."""
    expected, parse = _FIELDS[name]
    try:
        return parse(value)
    except (TypeError, ValueError):
        raise UsageError(f"{path}: {name} is {value!r}, expected {expected}.") from None


def _kept(*types: type) -> Callable[[Any], Any]:
    """Return a parser of values of these types alone."""

    def parse(value: Any) -> Any:
        if type(value) not in types or value == "":
            raise ValueError
        return value

    return parse


def _pixels(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= _MOST:
        raise ValueError
    return value


def _resample(value: Any) -> str:
    if value not in _RESAMPLES:
        raise ValueError
    return str(value)


def _colour(value: Any) -> Colour:
    numbers = value if isinstance(value, list) else [value] * 3
    if not all(type(number) in {int, float} and math.isfinite(number) for number in numbers):
        raise ValueError
    red, green, blue = map(float, numbers)
    return red, green, blue


def _positive(value: Any) -> Colour:
    colour = _colour(value)
    if min(colour) <= 0:
        raise ValueError
    return colour


_TEXT = ("a text", _kept(str))
_SIDE = (f"an integer from 1 to {_MOST}", _pixels)
_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "kind": ("text or image", Modality),
    "name": _TEXT,
    "license": _TEXT,
    "input": _TEXT,
    "output": _TEXT,
    "layout": ("NCHW or NHWC", Axes),
    "channels": ("RGB or BGR", Channels),
    "size": _SIDE,
    "resize": _SIDE,
    "resample": (f"one of {', '.join(_RESAMPLES)}", _resample),
    "mean": ("a number, or three in a list", _colour),
    "std": ("a number above 0, or three in a list", _positive),
    "normalize": ("true or false", _kept(bool)),
}
