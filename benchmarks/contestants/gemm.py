"""The limit of the cores: one large matrix product, all cores, floating-point operations/s."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from graphs import VERSIONS, Graph, open_graphs, work_through
from onnx import TensorProto, helper, numpy_helper
from protocol import Work, serve

ROWS, INNER, COLUMNS = 512, 1536, 1536  # of seven sizes the fastest in both precisions
ENOUGH = 200e9  # operations a core: about a second


def load(options: dict[str, Any]) -> Work:
    """Build a graph of one MatMul with a constant weight, as in a linear layer."""
    graphs = open_graphs(product(), options["variant"], options["cores"])
    rows = np.random.default_rng(0).standard_normal((ROWS, INNER), np.float32)
    operations = 2 * ROWS * INNER * COLUMNS
    repeats = round(ENOUGH / operations)

    def multiply(graph: Graph) -> None:
        for _ in range(repeats):
            graph({"rows": rows})

    def run() -> None:
        work_through(graphs, [multiply] * len(graphs))

    return Work(operations * repeats * len(graphs), run, None)


def product() -> bytes:
    """Return the bytes of the graph."""
    weight = np.random.default_rng(1).standard_normal((INNER, COLUMNS), np.float32)
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [ROWS, width])
        for name, width in (("rows", INNER), ("result", COLUMNS))
    }
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["rows", "weight"], ["result"])],
        "product",
        [values["rows"]],
        [values["result"]],
        [numpy_helper.from_array(weight, "weight")],
    )
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    )
    return bytes(model.SerializeToString())


if __name__ == "__main__":
    serve(load, VERSIONS)
