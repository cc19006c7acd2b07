"""What executes an ONNX graph. One seam: `Runtime.run`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from featurize.bundle import GRAPH, Bundle
from featurize.config import Precision, RuntimeName
from featurize.errors import MissingExtra, RuntimeUnavailable
from featurize.runtimes.devices import choose_device

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Runtime(Protocol):
    """One graph on one device; on a CPU it is loaded when it is first needed.

    `workers` is how many threads should call `run` at once, `scale` how much larger than on a CPU
    a batch should be; `remark` is what the user should hear, if anything; `library`
    names package and version. For one CPU type, a row's bits do not depend on its batch.
    """

    name: RuntimeName
    device: str
    precision: Precision
    workers: int
    scale: int
    remark: str
    library: str

    def load(self) -> None:
        """Load the graph, unless that was done."""

    def run(self, inputs: dict[str, NDArray[np.generic]]) -> NDArray[np.float32]:
        """Run one batch, from any thread: inputs by name, vectors (n, dim) float32."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a graph is to run. With `optional`, a GPU that does not work gives way to the CPU."""

    runtime: RuntimeName
    device: str
    precision: Precision
    optional: bool = False


def choose_place(device: str, runtime: RuntimeName, precision: Precision) -> Place:
    """Decide where graphs run, before one is loaded.

    Raises RuntimeUnavailable or MissingExtra where what was asked for is not there.
    """
    if precision in {Precision.FP16, Precision.INT8}:
        raise RuntimeUnavailable(
            f"This version makes no {precision} variants of an encoder.",
            fix="Use --precision fp32, or bf16 on a CPU.",
        )
    if runtime is RuntimeName.OPENVINO or precision is Precision.BF16:
        return _choose_openvino(device, runtime, precision)
    place = choose_device(device)
    optional = device == "auto" and place != "cpu"
    return Place(RuntimeName.ONNXRUNTIME, place, Precision.FP32, optional)


def open_runtime(bundle: Bundle, place: Place) -> Runtime:
    """Open a bundle's graph, which is read, and its hash checked, when it is loaded.

    On a GPU it is loaded at once, because only that shows whether the GPU works. Raises
    RuntimeUnavailable where it does not.
    """
    graph = partial(bundle.read, GRAPH)
    if place.runtime is RuntimeName.OPENVINO:
        from featurize.runtimes.openvino import OpenVino

        return OpenVino(graph, place.precision)
    from featurize.runtimes.onnxruntime import OnnxRuntime

    runtime = OnnxRuntime(graph, place.device)
    if place.device == "cpu":
        return runtime
    try:
        runtime.load()
    except RuntimeUnavailable as error:
        if not place.optional:
            raise
        return OnnxRuntime(graph, "cpu", remark=f"There is a GPU, but {error} The CPU is used.")
    return runtime


def _choose_openvino(device: str, runtime: RuntimeName, precision: Precision) -> Place:
    """Choose OpenVINO, which runs on the CPU only."""
    if runtime is RuntimeName.ONNXRUNTIME:
        raise RuntimeUnavailable(
            "onnxruntime computes no bf16 on a CPU.", fix="Use --runtime openvino, or auto."
        )
    if device not in {"auto", "cpu"}:
        raise RuntimeUnavailable(
            f"OpenVINO runs on the CPU, not on {device}.", fix="Use --device cpu."
        )
    if find_spec("openvino") is None:
        raise MissingExtra("The OpenVINO runtime", "openvino")
    chosen = Precision.BF16 if precision is Precision.BF16 else Precision.FP32
    return Place(RuntimeName.OPENVINO, "cpu", chosen)
