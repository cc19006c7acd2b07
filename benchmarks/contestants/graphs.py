"""An ONNX graph on all cores: one worker a core, each on one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

Graph = Callable[[dict[str, Any]], Any]
_OPENVINO = {"openvino": "f32", "bf16": "bf16"}
VERSIONS = ("onnxruntime-gpu", "openvino")


def open_graphs(data: bytes, variant: str, workers: int) -> list[Graph]:
    """Open a graph once a worker: `fp32` is onnxruntime, `openvino` and `bf16` are OpenVINO."""
    if variant == "fp32":
        return [_onnxruntime(data) for _ in range(workers)]
    return _openvino(data, _OPENVINO[variant], workers)


def work_through(graphs: list[Graph], tasks: Iterable[Callable[[Graph], None]]) -> None:
    """Give every task to the next worker that is free."""
    free = list(graphs)

    def work(task: Callable[[Graph], None]) -> None:
        graph = free.pop()  # there are as many as threads
        task(graph)
        free.append(graph)

    with ThreadPoolExecutor(len(graphs)) as pool:
        for _ in pool.map(work, tasks):
            pass


def _onnxruntime(data: bytes) -> Graph:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]


def _openvino(data: bytes, element: str, workers: int) -> list[Graph]:
    import openvino

    # The first two uses of `data` must not be at once: the module then waits for itself, for ever.
    openvino.Tensor(np.zeros(1, np.float32)).data  # noqa: B018
    core = openvino.Core()
    properties = {
        "INFERENCE_PRECISION_HINT": element,
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": str(workers),
        "INFERENCE_NUM_THREADS": str(workers),
    }
    model = core.compile_model(core.read_model(data, b""), "CPU", properties)

    def graph() -> Graph:
        request = model.create_infer_request()

        def run(inputs: dict[str, Any]) -> Any:
            request.infer(inputs)
            return request.get_output_tensor(0).data

        return run

    return [graph() for _ in range(workers)]
