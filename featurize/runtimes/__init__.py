"""What executes an ONNX graph. One seam: `Runtime.run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from featurize.bundle import Bundle
from featurize.config import Precision, RuntimeName
from featurize.errors import RuntimeUnavailable
from featurize.runtimes.devices import choose_device

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Runtime(Protocol):
    """One loaded graph on one device.

    `workers` is how many threads should call `run` at once, `scale` how much larger than on a CPU
    a batch should be. For one CPU type, a row's bits do not depend on its batch.
    """

    name: RuntimeName
    device: str
    precision: Precision
    workers: int
    scale: int

    def run(self, inputs: dict[str, NDArray[np.generic]]) -> NDArray[np.float32]:
        """Run one batch, from any thread: inputs by name, vectors (n, dim) float32."""


def open_runtime(
    bundle: Bundle, *, device: str, runtime: RuntimeName, precision: Precision
) -> Runtime:
    """Load a bundle's graph; raise RuntimeUnavailable where what was asked for is not there."""
    place = choose_device(device)
    if precision in {Precision.FP16, Precision.INT8}:
        raise RuntimeUnavailable(
            f"The bundle of {bundle.card.name!r} holds no {precision} variant.",
            fix="Use --precision fp32, or bf16 on a CPU.",
        )
    if runtime is RuntimeName.OPENVINO or precision is Precision.BF16:
        return _open_openvino(bundle, place, runtime, precision)
    from featurize.runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime(bundle.graph, place)


def _open_openvino(
    bundle: Bundle, place: str, runtime: RuntimeName, precision: Precision
) -> Runtime:
    """Load the graph with OpenVINO, which runs on the CPU only."""
    if runtime is RuntimeName.ONNXRUNTIME:
        raise RuntimeUnavailable(
            "onnxruntime computes no bf16 on a CPU.", fix="Use --runtime openvino, or auto."
        )
    if place != "cpu":
        raise RuntimeUnavailable(
            f"OpenVINO runs on the CPU, not on {place}.", fix="Use --device cpu."
        )
    from featurize.runtimes.openvino import OpenVino

    return OpenVino(bundle.graph, Precision.FP32 if precision is Precision.AUTO else precision)
