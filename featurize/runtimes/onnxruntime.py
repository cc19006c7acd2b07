"""ONNX Runtime on a CPU or a CUDA GPU."""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from featurize.config import Precision, RuntimeName
from featurize.errors import FeaturizeError, RuntimeUnavailable
from featurize.runtimes.devices import cpu_cores
from featurize.runtimes.memory import memory_errors

if TYPE_CHECKING:
    import onnxruntime
    from numpy.typing import NDArray

_ERRORS_ONLY = 3
_GPU_RUNS = 2  # at once: one batch is brought there while the other is computed
_GPU_SCALE = 32
_RUNS_BETWEEN_SHRINKING = 256


class OnnxRuntime:
    """One session, on a CPU or a GPU.

    On a CPU each call stays on its caller's thread, so that calls run side by side and a row's
    bits depend neither on its batch nor on the number of threads. int8 rounds all that is in a run
    to one scale: there every input has a run of its own.
    """

    name = RuntimeName.ONNXRUNTIME
    remark = ""

    def __init__(self, graph: Callable[[], bytes], device: str, precision: Precision) -> None:
        self.device = device
        self.precision = precision
        self.workers = cpu_cores()
        self.scale = 1 if device == "cpu" else _GPU_SCALE
        self.library = _library()
        self._graph = graph
        self._runs = itertools.count(1)
        self._turns = threading.BoundedSemaphore(_GPU_RUNS)

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        graph = self._graph()
        try:
            if self.device == "cpu":
                return _open_on_cpu(graph)
            return _open_on_gpu(graph, self.device)
        except FeaturizeError:
            raise
        except Exception as error:  # its own kinds share no base
            raise RuntimeUnavailable(
                f"{self.library} cannot load this encoder in {self.precision} on {self.device}: "
                f"{error}",
                fix="Use another --precision or --device.",
            ) from error

    def load(self) -> None:
        """Open the session, unless that was done; raise RuntimeUnavailable where it cannot be."""
        _ = self._session

    def run(self, inputs: dict[str, NDArray[np.generic]]) -> NDArray[np.float32]:
        """Run one batch; return vectors (n, dim) float32. Raise MemoryError for too large a one."""
        with memory_errors():
            if self.device != "cpu":
                with self._turns:
                    vectors = self._run_bound(inputs, self.device)
            elif self.precision is Precision.INT8:
                vectors = np.concatenate([self._run_on_cpu(row) for row in _rows(inputs)])
            else:
                vectors = self._run_on_cpu(inputs)
        return np.asarray(vectors, dtype=np.float32)

    def _run_on_cpu(self, inputs: dict[str, NDArray[np.generic]]) -> NDArray[np.generic]:
        (vectors,) = self._session.run(None, inputs)
        found: NDArray[np.generic] = vectors
        return found

    def _run_bound(self, inputs: dict[str, NDArray[np.generic]], place: str) -> NDArray[np.generic]:
        """Run one batch that is brought to a place, such as `cuda:0`, of which vectors come back.

        Now and then the memory that no batch has used lately is given back: inputs of ever new
        shapes would otherwise claim more and more of it.
        """
        import onnxruntime

        kind, _, number = place.partition(":")
        binding = self._session.io_binding()
        for name, array in inputs.items():
            value = onnxruntime.OrtValue.ortvalue_from_numpy(array, kind, int(number))
            binding.bind_ortvalue_input(name, value)
        binding.bind_output(self._session.get_outputs()[0].name, "cpu")
        options = onnxruntime.RunOptions()
        if next(self._runs) % _RUNS_BETWEEN_SHRINKING == 0:
            arena = f"{kind.replace('cuda', 'gpu')}:{number}"
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", arena)
        self._session.run_with_iobinding(binding, options)
        (vectors,) = binding.copy_outputs_to_cpu()
        found: NDArray[np.generic] = vectors
        return found


def _rows(inputs: dict[str, NDArray[np.generic]]) -> Iterator[dict[str, NDArray[np.generic]]]:
    """Cut a batch into batches of one."""
    for row in range(len(next(iter(inputs.values())))):
        yield {name: array[row : row + 1] for name, array in inputs.items()}


def _library() -> str:
    import onnxruntime

    return f"onnxruntime {onnxruntime.__version__}"


def _options() -> onnxruntime.SessionOptions:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _open_on_cpu(graph: bytes) -> onnxruntime.InferenceSession:
    import onnxruntime

    return onnxruntime.InferenceSession(graph, _options(), providers=["CPUExecutionProvider"])


def _open_on_gpu(graph: bytes, device: str) -> onnxruntime.InferenceSession:
    """Open a session on exactly the GPU that was asked for."""
    import onnxruntime

    with contextlib.redirect_stdout(sys.stderr):  # it prints what it does not find
        onnxruntime.preload_dlls()
    options = _options()
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    cuda = {
        "device_id": device.partition(":")[2],
        "use_tf32": "0",
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",  # the default tries all, for every new batch size
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
