"""A graph whose matrix products are computed in eight-bit integers."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.errors import RuntimeUnavailable
from featurize.variants.tools import importable, plain

if TYPE_CHECKING:
    import onnx

_PRODUCTS = ("MatMul", "Gemm")
_LOOKUP = "Gather"
_LEAST_SHARE = 0.5


def to_int8(graph: bytes) -> bytes:
    """Quantise the weights of matrix products by channel, and what they are applied to by run.

    Raises RuntimeUnavailable for an encoder most of whose weights are in no matrix product.
    """
    import onnx

    with importable():
        from onnxruntime.quantization import QuantType, quantize_dynamic
    model = onnx.load_from_string(graph)
    require_products(model)
    model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "int8.onnx"
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=[*_PRODUCTS, _LOOKUP],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
        quantized = onnx.load(path)
    del quantized.metadata_props[:]
    return plain(quantized)


def require_products(model: onnx.ModelProto) -> None:
    """Raise RuntimeUnavailable for an encoder most of whose weights are in no matrix product."""
    if _share_of_products(model.graph) < _LEAST_SHARE:
        raise without_products()


def without_products() -> RuntimeUnavailable:
    """Return the refusal of an encoder that is made of something else, such as convolutions."""
    return RuntimeUnavailable(
        "int8 is for encoders made of matrix products, as those of texts are. This one computes "
        "otherwise, as with convolutions, and would lose too much.",
        fix="Use --precision fp32, or bf16 on a CPU that computes it.",
    )


def _share_of_products(graph: onnx.GraphProto) -> float:
    """Return how much of the weights that are computed with, not looked up, products apply."""
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
    applied = multiplied = 0
    for node in graph.node:
        if node.op_type != _LOOKUP:
            size = sum(sizes.get(name, 0) for name in node.input)
            applied += size
            multiplied += size if node.op_type in _PRODUCTS else 0
    return multiplied / max(1, applied)
