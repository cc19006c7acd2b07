"""OpenVINO on a CPU: fp32 and bf16, from the same graph."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from featurize.config import Precision, RuntimeName
from featurize.runtimes.devices import cpu_cores
from featurize.runtimes.memory import memory_errors

if TYPE_CHECKING:
    import openvino
    from numpy.typing import NDArray

_ELEMENT = {Precision.FP32: "f32", Precision.BF16: "bf16"}
_making = threading.Lock()
_KEPT_KERNELS = 100  # a stream; the default of 5,000 holds gigabytes, as every length has its own


class OpenVino:
    """One compiled model with one-thread streams; each calling thread has its own request."""

    name = RuntimeName.OPENVINO
    device = "cpu"
    scale = 1

    remark = ""

    def __init__(self, graph: Callable[[], bytes], precision: Precision) -> None:
        self.precision = precision
        self.workers = cpu_cores()
        self.library = _library()
        self._graph = graph
        self._own = threading.local()

    @cached_property
    def _model(self) -> openvino.CompiledModel:
        return _compile(self._graph(), self.precision, cpu_cores())

    def load(self) -> None:
        """Compile the model, unless that was done."""
        _ = self._model

    def run(self, inputs: dict[str, NDArray[np.generic]]) -> NDArray[np.float32]:
        """Run one batch; return vectors (n, dim) float32. Raise MemoryError for too large a one."""
        if not hasattr(self._own, "request"):
            self._own.request = self._model.create_infer_request()
        with memory_errors():
            self._own.request.infer(inputs)
        return np.array(self._own.request.get_output_tensor(0).data, dtype=np.float32)


def computes_bf16() -> bool:
    """Say whether this CPU has instructions for bf16; without, OpenVINO takes fp32 in silence."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _core() -> openvino.Core:
    """Return the one core of this process, which lives as long as it does.

    The core gives the thread that makes it a stack of its own for signals. If another thread let go
    of the core, that stack would be gone, and the next signal would crash the process.
    """
    with _making:
        return _make_core()


@cache
def _make_core() -> openvino.Core:
    import openvino

    # Two threads that read a tensor for the first time at once block each other for ever.
    _ = openvino.Tensor(np.zeros(1, np.float32)).data
    return openvino.Core()


def _library() -> str:
    import openvino

    return f"openvino {openvino.__version__}"


def _compile(graph: bytes, precision: Precision, streams: int) -> openvino.CompiledModel:
    """Compile the graph for the CPU with one thread a stream."""
    core = _core()
    properties = {
        "INFERENCE_PRECISION_HINT": _ELEMENT[precision],
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": str(streams),
        "INFERENCE_NUM_THREADS": str(streams),
        "CPU_RUNTIME_CACHE_CAPACITY": str(_KEPT_KERNELS),
    }
    return core.compile_model(core.read_model(graph, b""), "CPU", properties)
