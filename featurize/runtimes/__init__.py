"""What executes an ONNX graph. One seam: `Runtime.run`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, TypeAlias

from featurize.config import Precision, RuntimeName
from featurize.errors import MissingExtra, RuntimeUnavailable
from featurize.runtimes.devices import choose_device
from featurize.runtimes.twin import TwinRuntime

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Read: TypeAlias = Callable[[Precision], bytes]  # the graph for a precision


class Runtime(Protocol):
    """One graph, or two, on one device; on a CPU it is loaded when it is first needed.

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
    """What is to run a graph, where, in which precision."""

    runtime: RuntimeName
    device: str
    precision: Precision
    instead: Place | None = None  # what a GPU that does not work gives way to


def choose_place(device: str, runtime: RuntimeName, precision: Precision) -> Place:
    """Decide where graphs run, before one is loaded.

    Raises RuntimeUnavailable or MissingExtra where what was asked for is not there.
    """
    if runtime is RuntimeName.OPENVINO or precision is Precision.BF16:
        return _choose_openvino(device, runtime, precision)
    if precision is Precision.INT8:
        return _choose_int8(device)
    place = choose_device(device)
    if place == "cpu":
        chosen = Precision.FP32 if precision is Precision.AUTO else precision
        return Place(RuntimeName.ONNXRUNTIME, place, chosen)
    spare = choose_place("cpu", runtime, precision) if device == "auto" else None
    if precision is not Precision.AUTO:
        return Place(RuntimeName.ONNXRUNTIME, place, precision, spare)
    spare = Place(RuntimeName.ONNXRUNTIME, place, Precision.FP32, spare)
    return Place(RuntimeName.ONNXRUNTIME, place, Precision.FP16, spare)


def open_runtime(graphs: Sequence[Read], place: Place) -> Runtime:
    """Open the graph of an encoder, or those of texts and of images; read when they are loaded.

    On a GPU they are loaded at once, because only that shows whether the GPU works. Raises
    RuntimeUnavailable or MissingExtra where it does not and nothing may be used instead.
    """
    towers = [_open(partial(read, place.precision), place) for read in graphs]
    runtime = towers[0] if len(towers) == 1 else TwinRuntime(*towers)
    if place.device == "cpu":
        return runtime
    try:
        runtime.load()
    except (RuntimeUnavailable, MissingExtra) as error:
        if place.instead is None:
            raise
        spare = open_runtime(graphs, place.instead)
        used = f"{spare.precision} on {spare.device}"
        spare.remark = f"There is a GPU, but {error} Therefore {used} is used."
        return spare
    return runtime


def _open(graph: Callable[[], bytes], place: Place) -> Runtime:
    """Open one graph at a place."""
    if place.runtime is RuntimeName.OPENVINO:
        from featurize.runtimes.openvino import OpenVino

        return OpenVino(graph, place.precision)
    from featurize.runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime(graph, place.device, place.precision)


def _choose_int8(device: str) -> Place:
    """Choose onnxruntime on the CPU, which alone computes int8."""
    if device not in {"auto", "cpu"}:
        raise RuntimeUnavailable(
            f"int8 is computed on the CPU, not on {device}.",
            fix="Use --precision fp16, or --device cpu.",
        )
    return Place(RuntimeName.ONNXRUNTIME, "cpu", Precision.INT8)


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
    if precision in {Precision.FP16, Precision.INT8}:
        raise RuntimeUnavailable(
            f"OpenVINO computes fp32 and bf16 here, not {precision}.",
            fix="Use --runtime onnxruntime, or --precision bf16.",
        )
    if find_spec("openvino") is None:
        raise MissingExtra("The OpenVINO runtime", "openvino")
    if precision is not Precision.BF16:
        return Place(RuntimeName.OPENVINO, "cpu", Precision.FP32)
    from featurize.runtimes.openvino import computes_bf16

    if not computes_bf16():
        raise RuntimeUnavailable(
            "This CPU has no instructions for bf16 (AVX512_BF16 or AMX).",
            fix="Use --precision fp32, or int8 for texts.",
        )
    return Place(RuntimeName.OPENVINO, "cpu", Precision.BF16)
