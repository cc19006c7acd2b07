"""ONNX Runtime on a CPU or a CUDA GPU."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from featurize.config import Precision, RuntimeName
from featurize.errors import RuntimeUnavailable
from featurize.runtimes.devices import cpu_cores
from featurize.runtimes.memory import memory_errors

if TYPE_CHECKING:
    import onnxruntime
    from numpy.typing import NDArray

_ERRORS_ONLY = 3


class OnnxRuntime:
    """One session, on a CPU or a GPU.

    On a CPU each call stays on its caller's thread, so that calls run side by side and a row's
    bits depend neither on its batch nor on the number of threads.
    """

    name = RuntimeName.ONNXRUNTIME
    precision = Precision.FP32

    def __init__(self, graph: Callable[[], bytes], device: str, remark: str = "") -> None:
        self.device = device
        self.remark = remark
        self.workers = cpu_cores() if device == "cpu" else 2
        self.scale = 1 if device == "cpu" else 32
        self.library = _library()
        self._graph = graph

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        return _session(self._graph(), self.device)

    def load(self) -> None:
        """Open the session, unless that was done; raise RuntimeUnavailable where it cannot be."""
        _ = self._session

    def run(self, inputs: dict[str, NDArray[np.generic]]) -> NDArray[np.float32]:
        """Run one batch; return vectors (n, dim) float32. Raise MemoryError for too large a one."""
        with memory_errors():
            (vectors,) = self._session.run(None, inputs)
        return np.asarray(vectors, dtype=np.float32)


def _library() -> str:
    import onnxruntime

    return f"onnxruntime {onnxruntime.__version__}"


def _session(graph: bytes, device: str) -> onnxruntime.InferenceSession:
    """Open a session on exactly the device that was asked for."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if device == "cpu":
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    with contextlib.redirect_stdout(sys.stderr):  # it prints what it does not find
        onnxruntime.preload_dlls()
    cuda = {
        "device_id": device.partition(":")[2],
        "use_tf32": "0",
        "arena_extend_strategy": "kSameAsRequested",
    }
    providers = [("CUDAExecutionProvider", cuda), "CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(graph, options, providers=providers)
    if "CUDAExecutionProvider" not in session.get_providers():
        raise RuntimeUnavailable(
            f"onnxruntime could not load its CUDA provider for {device}.",
            fix="Install the CUDA libraries with: pip install 'featurize[cuda]'; "
            "`featurize doctor` names what is missing.",
        )
    return session
