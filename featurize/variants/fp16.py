"""A graph that computes in half precision."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from featurize.variants.tools import importable, plain

if TYPE_CHECKING:
    import onnx


def to_fp16(graph: bytes) -> bytes:
    """Compute in half precision all but pooling and normalisation, whose sums want more digits."""
    import onnx

    with importable():
        from onnxruntime.transformers.float16 import convert_float_to_float16
    model = onnx.load_from_string(graph)
    tail = _cut_tail(model.graph, onnx.shape_inference.infer_shapes(model).graph)
    converted = convert_float_to_float16(model, keep_io_types=True)
    del converted.graph.output[:]
    converted.graph.output.extend(tail.output)
    converted.graph.node.extend(tail.node)
    converted.graph.initializer.extend(tail.initializer)
    return plain(converted)


def _cut_tail(graph: onnx.GraphProto, inferred: onnx.GraphProto) -> onnx.GraphProto:
    """Take from a graph what follows the last weights that are applied, and return it.

    What the tail takes from the rest become the outputs of the rest; `inferred` tells their types.
    The tail's constants are its own, because those of the rest are rounded.
    """
    import onnx

    weights = {tensor.name for tensor in graph.initializer if math.prod(tensor.dims) > 1}
    tail = onnx.GraphProto(output=graph.output)
    body: list[onnx.NodeProto] = []
    taken: set[str] = set()  # by nodes before the tail
    for node in reversed(graph.node):
        if weights.isdisjoint(node.input) and taken.isdisjoint(node.output):
            tail.node.insert(0, node)
        else:
            body.insert(0, node)
            taken.update(node.input)
    needed = {name for node in tail.node for name in node.input}
    needed.update(output.name for output in graph.output)
    types = {value.name: value for value in (*inferred.value_info, *inferred.output)}
    del graph.output[:], graph.node[:]
    graph.node.extend(body)
    graph.output.extend(types[name] for node in body for name in node.output if name in needed)
    constants = {tensor.name: tensor for tensor in graph.initializer if tensor.name in needed}
    for tensor in constants.values():
        own = tail.initializer.add()
        own.CopyFrom(tensor)
        own.name = f"tail.{tensor.name}"
        if tensor.name not in taken:
            graph.initializer.remove(tensor)
    for node in tail.node:
        names = [f"tail.{name}" if name in constants else name for name in node.input]
        node.input[:] = names
    return tail
