"""Graphs that others made: what is refused in them, and how they get inputs and an output of ours.

What is written into them means the same in every opset from 11 on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.errors import ExportError
from featurize.export.graph import OUTPUT, strip
from featurize.export.ready.files import LIMIT, tensors

if TYPE_CHECKING:
    import onnx

_LEAST_OPSET = 11
_STANDARD = ("", "ai.onnx")
_TINY = 1e-12  # the least length a vector is divided by, as in torch
_BY_BATCH = {"DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"}


class Writing:
    """Nodes to be put before or after those of a graph, in the order they are added."""

    def __init__(self, place: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._place = place

    def add(
        self,
        operator: str,
        *inputs: str,
        attributes: Mapping[str, Any] | None = None,
        output: str | None = None,
    ) -> str:
        """Add a node and return the name of its one output."""
        from onnx import helper

        name = output or f"featurize.{self._place}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **(attributes or {})))
        return name

    def constant(self, values: Any, dtype: type[np.generic] = np.int64) -> str:
        """Add a constant: as a node, because what precisions change are weights."""
        from onnx import numpy_helper

        tensor = numpy_helper.from_array(np.asarray(values, dtype=dtype))
        return self.add("Constant", attributes={"value": tensor})

    def flatten(self, values: str) -> str:
        """Bring values (batch, ...) to (batch, dim)."""
        return self.add("Flatten", values, attributes={"axis": 1})

    def normalize(self, vectors: str) -> str:
        """Bring vectors (batch, dim) to unit length, with a product for the sum of squares.

        A reduction would be spelt one way or another, depending on the opset.
        """
        rows = self.add("Reshape", vectors, self.constant([0, 1, -1]))
        columns = self.add("Reshape", vectors, self.constant([0, -1, 1]))
        lengths = self.add("Sqrt", self.add("MatMul", rows, columns))  # (batch, 1, 1)
        lengths = self.add("Max", lengths, self.constant([_TINY], np.float32))
        return self.flatten(self.add("Div", rows, lengths))


def require_known(model: onnx.ModelProto, name: str) -> None:
    """Raise ExportError for operators and numbers that not every runtime computes alike."""
    opset = max((one.version for one in model.opset_import if one.domain in _STANDARD), default=1)
    if opset < _LEAST_OPSET:
        raise ExportError(
            f"{name} is written in opset {opset}; {_LEAST_OPSET} or newer is expected.",
            fix="Convert it with onnx.version_converter, or export it anew.",
        )
    nodes = list(every_node(model.graph))
    foreign = {f"{node.domain}.{node.op_type}" for node in nodes if node.domain not in _STANDARD}
    if foreign:
        raise ExportError(
            f"{name} uses operators that are not of the ONNX standard: "
            f"{', '.join(sorted(foreign))}.",
            fix="Use the model as it was first exported (onnx/model.onnx), not optimised for one "
            "runtime.",
        )
    types = {tensor.DataType.Name(tensor.data_type) for tensor in tensors(model.graph)}
    lossy = types & {"FLOAT16", "BFLOAT16", "DOUBLE"}
    lossy |= _BY_BATCH & {node.op_type for node in nodes}
    if lossy:
        raise ExportError(
            f"{name} computes with {', '.join(sorted(lossy))}; weights in fp32 are expected, from "
            "which lower precisions are derived here.",
            fix="Use the fp32 file of the model (model.onnx), and --precision to lower it.",
        )


def every_node(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of a graph and of the graphs inside it."""
    for node in graph.node:
        yield node
        for inner in _inner(node):
            yield from every_node(inner)


def rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Give a value another name wherever it is made or used."""
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
        for inner in _inner(node):
            rename(inner, old, new)
    for named in (*graph.initializer, *graph.input, *graph.output):
        if named.name == old:
            named.name = new


def free_batch(graph: onnx.GraphProto) -> None:
    """Let every Reshape to (1, ...) keep as many rows as come in."""
    from onnx import numpy_helper

    shapes = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            shapes[node.output[0]] = node.attribute[0].t
        if node.op_type == "Reshape" and node.input[1] in shapes:
            shape = numpy_helper.to_array(shapes[node.input[1]]).copy()
            if shape.size > 1 and shape[0] == 1:
                shape[0] = 0  # which stands for that of the input
                node.input[1] = f"featurize.shape.{node.output[0]}"
                graph.initializer.append(numpy_helper.from_array(shape, node.input[1]))


def assemble(
    model: onnx.ModelProto,
    inputs: Sequence[onnx.ValueInfoProto],
    before: Writing,
    after: Writing,
) -> bytes:
    """Return the bytes of a graph from `inputs` to vectors, without what they do not need.

    `before` stands before its nodes and `after` behind them; the last of those gives the vectors.
    Raises ExportError where that is no graph.
    """
    import onnx

    graph = model.graph
    nodes = [*before.nodes, *graph.node, *after.nodes]
    vectors = onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ["batch", "dim"])
    after.nodes[-1].output[0] = OUTPUT
    for field, values in (("node", nodes), ("input", inputs), ("output", [vectors])):
        graph.ClearField(field)
        getattr(graph, field).extend(values)
    _prune(graph)
    strip(model)
    data: bytes = model.SerializeToString(deterministic=True)
    if len(data) > LIMIT:
        raise ExportError("The graph is larger than 2 GB, which one ONNX file cannot hold.")
    try:
        onnx.checker.check_model(data)
    except onnx.checker.ValidationError as error:
        raise ExportError(f"The file holds no valid graph: {error}.") from error
    return data


def _prune(graph: onnx.GraphProto) -> None:
    """Remove the nodes and weights of which no output is made."""
    needed = {value.name for value in graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            kept.append(node)
            needed.update(node.input)
            needed.update(name for one in _inner(node) for n in every_node(one) for name in n.input)
            needed.update(value.name for one in _inner(node) for value in one.output)
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    for field, values in (("node", kept[::-1]), ("initializer", weights)):
        graph.ClearField(field)
        getattr(graph, field).extend(values)


def _inner(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yield the graphs that a node holds."""
    for attribute in node.attribute:
        yield from ([attribute.g] if attribute.HasField("g") else attribute.graphs)
