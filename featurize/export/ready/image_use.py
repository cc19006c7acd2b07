"""How images reach the graph of a ready file: what its card and the graph say, or is assumed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from featurize.errors import ExportError, UsageError
from featurize.export.ready.card import Axes, Channels, Colour
from featurize.export.ready.given import Given

if TYPE_CHECKING:
    import onnx

Shape: TypeAlias = tuple[int | None, ...]

_SIDE = 224
_IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_TENSORFLOW = ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
_MAKERS = ("tf2onnx", "tflite", "tensorflow", "keras")
_WHOLE = 2 / 255  # the step of values from -1 to 1 in eight bits


@dataclass(frozen=True, slots=True)
class ImageUse:
    """How images reach a graph, and vectors come of it.

    `last` says whether colours are the last axis of its input. `resize` and `crop` are pixels,
    `mean` and `std` of values from 0 to 255 in the order red, green, blue. `pooled` are the axes
    of a feature map (batch, ...) that are averaged; none where the output is a vector.
    """

    input: str
    output: str
    last: bool
    reverse: bool
    resize: int
    crop: int
    resample: str
    mean: Colour
    std: Colour
    pooled: tuple[int, ...]
    normalize: bool


def read_image_use(given: Given) -> tuple[ImageUse, tuple[str, ...]]:
    """Find out how a file is used; return it with what had to be assumed, a sentence each.

    Raises ExportError where the graph is for no images, UsageError where the card contradicts it.
    """
    card = given.card
    name, shape = _input(given)
    last = _colours_last(given, shape)
    fixed = _side(given, shape[1:3] if last else shape[2:4])
    side = fixed or card.size or _SIDE
    mean, std, why = _levels(given, name, last)
    use = ImageUse(
        input=name,
        output=given.output(),
        last=last,
        reverse=card.channels is Channels.BGR,
        resize=card.resize or side * 256 // 224,
        crop=side,
        resample=card.resample,
        mean=mean,
        std=std,
        pooled=(),
        normalize=card.normalize is not False,
    )
    if use.resize < use.crop:
        raise UsageError(f"The card states resize {use.resize}, less than the size {use.crop}.")
    assumed = [why] if card.mean is None else []
    if not (fixed or card.size):
        assumed.append(f"images of {side} x {side} pixels")
    return replace(use, pooled=_pooled(given, use)), _sentences(given, assumed)


def _sentences(given: Given, assumed: list[str]) -> tuple[str, ...]:
    if not assumed:
        return ()
    what = " and ".join(assumed)
    example = '{"mean": [123.7, 116.3, 103.5], "std": [58.4, 57.1, 57.4], "size": 224}'
    return (
        f"{given.path.name} does not say how it wants its images. Assumed: {what}. If its makers "
        f"say otherwise, write a card, {given.card_path.name}, such as {example}.",
    )


def _input(given: Given) -> tuple[str, Shape]:
    """Return the name and shape of the input for images."""
    name = given.chosen("input", given.card.input, list(given.inputs))
    if len(given.inputs) > 1:
        others = ", ".join(sorted(set(given.inputs) - {name}))
        raise ExportError(f"{given.name} takes {others} beside {name}; images alone are expected.")
    tensor = given.inputs[name].type.tensor_type
    shape = tuple(_size(dim) for dim in tensor.shape.dim)
    kind = _type_name(tensor.elem_type)
    if kind != "FLOAT" or len(shape) != 4:
        raise ExportError(
            f"{given.name} takes {kind} values of shape {_written(shape)}; float values of four "
            "axes, a batch of images, are expected."
        )
    if shape[0] is not None and shape[0] > 1:
        raise ExportError(
            f"{given.name} takes batches of exactly {shape[0]} images.",
            fix="Export the model again, with a batch axis of any size.",
        )
    return name, shape


def _type_name(elem_type: int) -> str:
    from onnx import TensorProto

    return str(TensorProto.DataType.Name(elem_type))


def _size(dim: onnx.TensorShapeProto.Dimension) -> int | None:
    """Return the size of an axis; None where it is free."""
    return int(dim.dim_value) if dim.HasField("dim_value") and dim.dim_value > 0 else None


def _written(shape: Shape) -> str:
    return " x ".join("any" if size is None else str(size) for size in shape) or "none"


def _colours_last(given: Given, shape: Shape) -> bool:
    """Say whether colours are the last axis: the only axis of three, or as the card states."""
    stated = given.card.layout
    found = {Axes.NCHW: shape[1], Axes.NHWC: shape[3]}
    possible = [axes for axes, size in found.items() if size == 3] or [
        axes for axes, size in found.items() if size is None
    ]
    if stated is not None and stated not in possible:
        raise UsageError(
            f"The card states the layout {stated}; {given.name} takes {_written(shape)}."
        )
    if stated is None and len(possible) != 1:
        raise ExportError(
            f"{given.name} takes images of {_written(shape)}, where colours may stand first or "
            "last.",
            fix=f'Say it in a card, {given.card_path.name}: {{"layout": "NCHW"}} or "NHWC".',
        )
    return (stated or possible[0]) is Axes.NHWC


def _side(given: Given, sides: Shape) -> int | None:
    """Return the side of the square the graph is fixed to; None where it takes any."""
    fixed = {side for side in sides if side is not None}
    if len(fixed) > 1:
        raise ExportError(f"{given.name} takes images of {_written(sides)}; squares are expected.")
    side = fixed.pop() if fixed else None
    if side and given.card.size not in {None, side}:
        raise UsageError(
            f"The card states the size {given.card.size}; {given.name} takes {_written(sides)}."
        )
    return side


def _levels(given: Given, name: str, last: bool) -> tuple[Colour, Colour, str]:
    """Return mean and standard deviation, and where they come from."""
    card = given.card
    if card.mean is not None and card.std is not None:
        return card.mean, card.std, "the card"
    mean, std, why = *_IMAGENET, "as for most models of PyTorch"
    if quantized := _quantized(given.model.graph, name):
        mean, std, why = *quantized, "as its first node quantises them"
    elif last or _is_of_tensorflow(given.model):
        mean, std, why = *_TENSORFLOW, "as for most models of TensorFlow"
    return mean, std, f"RGB, (value - {_spelt(mean)}) / {_spelt(std)}, {why}"


def _spelt(colour: Colour) -> str:
    """Spell one number, or three that differ."""
    return f"{colour[0]:g}" if len(set(colour)) == 1 else f"[{', '.join(f'{c:g}' for c in colour)}]"


def _quantized(graph: onnx.GraphProto, name: str) -> tuple[Colour, Colour] | None:
    """Return what takes eight-bit pixels to an input that a graph makes eight-bit values again."""
    from onnx import numpy_helper

    weights = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "QuantizeLinear" or node.input[0] != name or len(node.input) < 3:
            continue
        if not weights.keys() >= set(node.input[1:3]):
            continue
        scale, zero = (numpy_helper.to_array(weights[one]) for one in node.input[1:3])
        if zero.dtype == np.uint8 and zero.size == 1 and 0 < float(scale) <= _WHOLE:
            return (float(zero),) * 3, (1 / float(scale),) * 3
    return None


def _is_of_tensorflow(model: onnx.ModelProto) -> bool:
    producer = model.producer_name.lower()
    return any(maker in producer for maker in _MAKERS)


def _pooled(given: Given, use: ImageUse) -> tuple[int, ...]:
    """Return over which axes the output is averaged: those of a feature map that are not its own.

    Features stand first or last as colours do, unless all other axes have size one.
    """
    shape = (1, use.crop, use.crop, 3) if use.last else (1, 3, use.crop, use.crop)
    grey = np.zeros(shape, dtype=np.float32)
    found = given.original.run({use.input: grey}, use.output).shape
    if len(found) == 1:
        return ()
    if len(found) != 3:
        raise ExportError(
            f"{given.name} gives {use.output} of {_written(found)} for an image; a vector or a "
            "map of features is expected.",
            fix=f'Name another output in a card: {{"output": "{given.outputs[-1]}"}}.',
        )
    if found[1:] == (1, 1):
        return (2, 3)
    return (1, 2) if use.last or found[:2] == (1, 1) else (2, 3)
