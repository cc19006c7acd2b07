"""Graphs of lower precision, derived from a bundle's fp32 graph once and kept in the cache."""

from __future__ import annotations

import contextlib
import math
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from featurize import storage
from featurize.bundle import GRAPH, Bundle
from featurize.cache import cache_folder
from featurize.config import Precision
from featurize.errors import BundleError, RuntimeUnavailable

if TYPE_CHECKING:
    import onnx

_PRODUCTS = ("MatMul", "Gemm")
_RECIPE = 1  # to be raised whenever other graphs come out


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph to execute: its SHA-256, and how to read its bytes, which are checked against it."""

    sha256: str
    read: Callable[[], bytes]


def open_graph(bundle: Bundle, precision: Precision) -> Graph:
    """Return the graph that computes in a precision.

    fp32 and bf16 are computed from the bundle's own; fp16 and int8 have graphs of their own, which
    are derived when they are first asked for. Raises RuntimeUnavailable where that is not possible.
    """
    if precision not in _DERIVATIONS:
        return Graph(bundle.graph_sha256, partial(bundle.read, GRAPH))
    path = _derived(bundle, precision)
    return Graph(path.stem, partial(_read, path))


def _derived(bundle: Bundle, precision: Precision) -> Path:
    """Return the file of a derived graph, named by its SHA-256; make it unless it is there."""
    import onnxruntime

    made_by = f"{_RECIPE}-{onnxruntime.__version__}"
    name = f"{bundle.graph_sha256[:32]}-{precision}-{made_by}"
    folder = cache_folder() / "graphs" / name
    with storage.lock(folder.with_name(f".{name}.lock"), wait=True):
        for path in folder.glob("*.onnx"):
            if storage.sha256_file(path) == path.stem:
                return path
            storage.remove(path)
        if find_spec("onnx") is None:
            raise RuntimeUnavailable(
                f"--precision {precision} needs the package onnx, which is not installed.",
                fix="Install it with: pip install onnx",
            )
        graph = _DERIVATIONS[precision](bundle.read(GRAPH))
        path = folder / f"{storage.sha256_bytes(graph)}.onnx"
        storage.make_folder(folder)
        staged = folder / f".{uuid.uuid4().hex}"
        with storage.create(staged) as file:
            file.write(graph)
        storage.publish(staged, path)
        return path


def _read(path: Path) -> bytes:
    graph = path.read_bytes()
    if storage.sha256_bytes(graph) != path.stem:
        raise BundleError(
            f"{path} was changed after it was made.",
            fix="Remove it; the next use makes it again.",
        )
    return graph


def to_fp16(graph: bytes) -> bytes:
    """Compute in half precision all but pooling and normalisation, whose sums want more digits."""
    import onnx

    with _importable():
        from onnxruntime.transformers.float16 import convert_float_to_float16
    model = onnx.load_from_string(graph)
    tail = _cut_tail(model.graph, onnx.shape_inference.infer_shapes(model).graph)
    converted = convert_float_to_float16(model, keep_io_types=True)
    del converted.graph.output[:]
    converted.graph.output.extend(tail.output)
    converted.graph.node.extend(tail.node)
    converted.graph.initializer.extend(tail.initializer)
    return _plain(converted)


def to_int8(graph: bytes) -> bytes:
    """Quantise the weights of matrix products by channel, and what they are applied to by input."""
    import onnx

    with _importable():
        from onnxruntime.quantization import QuantType, quantize_dynamic
    model = onnx.load_from_string(graph)
    if not any(node.op_type in _PRODUCTS for node in model.graph.node):
        raise RuntimeUnavailable(
            "int8 speeds up matrix products, of which this encoder has none: it is made of "
            "convolutions, whose vectors would lose too much.",
            fix="Use --precision fp32, or bf16 on a CPU that computes it.",
        )
    model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "int8.onnx"
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=[*_PRODUCTS, "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
        quantized = onnx.load(path)
    del quantized.metadata_props[:]
    return _plain(quantized)


@contextlib.contextmanager
def _importable() -> Iterator[None]:
    """Let onnxruntime's tools find each other, which they do as modules of no package."""
    known = list(sys.path)
    from onnxruntime import transformers

    sys.path[:] = [*known, *transformers.__path__]
    try:
        yield
    finally:
        sys.path[:] = known


_DERIVATIONS = {Precision.FP16: to_fp16, Precision.INT8: to_int8}


def _cut_tail(graph: onnx.GraphProto, inferred: onnx.GraphProto) -> onnx.GraphProto:
    """Take from a graph what follows the last weights that are applied, and return it.

    What the tail takes from the rest become the outputs of the rest; `inferred` tells their types.
    """
    import onnx

    weights = {tensor.name for tensor in graph.initializer if math.prod(tensor.dims) > 1}
    ends = {output.name for output in graph.output}
    tail = onnx.GraphProto(output=graph.output)
    body: list[onnx.NodeProto] = []
    taken: set[str] = set()  # by nodes before the tail
    for node in reversed(graph.node):
        if weights.isdisjoint(node.input) and taken.isdisjoint(node.output):
            tail.node.insert(0, node)
        else:
            body.insert(0, node)
            taken.update(node.input)
    needed = {name for node in tail.node for name in node.input} | ends
    types = {value.name: value for value in (*inferred.value_info, *inferred.output)}
    del graph.output[:], graph.node[:]
    graph.node.extend(body)
    graph.output.extend(types[name] for node in body for name in node.output if name in needed)
    own = [tensor for tensor in graph.initializer if tensor.name in needed - taken]
    tail.initializer.extend(own)
    for tensor in own:
        graph.initializer.remove(tensor)
    return tail


def _plain(model: onnx.ModelProto) -> bytes:
    """Return the bytes of a graph without inner types, which lead to slower kernels."""
    del model.graph.value_info[:]
    graph: bytes = model.SerializeToString(deterministic=True)
    return graph
