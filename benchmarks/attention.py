"""Compare ways to compute attention in a graph, at the seam of the runtime, beside torch.

Run as `python benchmarks/attention.py --device cuda:0` (fp16), or `cpu` (fp32). Each graph gets
batches of equal length, as the pipeline makes them: a mask then says nothing, and one way leaves it
out. Weights are random; what is measured does not depend on them.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import torch
from results import write_section
from torch import nn
from transformers import BertConfig, BertModel, ViTConfig, ViTModel

from featurize.config import Precision
from featurize.export.graph import strip
from featurize.export.quiet import quiet
from featurize.runtimes.devices import hardware
from featurize.runtimes.onnxruntime import OnnxRuntime
from featurize.variants import to_fp16

if TYPE_CHECKING:
    from numpy.typing import NDArray

Inputs = dict[str, torch.Tensor]
ROUNDS = 7
GPU_TOKENS, CPU_TOKENS = 32_768, 512  # a batch: the budgets of the pipeline
LENGTHS = (16, 64, 256, 512)


class TextTower(nn.Module):
    """A BERT with mean pooling, which takes a mask or none."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.model = BertModel(config, add_pooling_layer=False)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return unit vectors (n, dim)."""
        hidden = self.model(input_ids, attention_mask=attention_mask).last_hidden_state
        weights = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        return pooled(hidden, weights)


class ImageTower(nn.Module):
    """A ViT with mean pooling."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.model = ViTModel(config, add_pooling_layer=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return unit vectors (n, dim)."""
        hidden = self.model(pixels).last_hidden_state
        return pooled(hidden, torch.ones_like(hidden[:, :, 0]))


def pooled(hidden: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the normalised means of (n, length, dim)."""
    rows = weights.to(hidden.dtype).unsqueeze(1)
    return nn.functional.normalize(torch.matmul(rows, hidden).squeeze(1) / rows.sum(2))


@dataclass(frozen=True, slots=True)
class Way:
    """A way to compute attention: torch's name of it, the opset, and whether a mask is given."""

    name: str
    attention: str
    opset: int
    masked: bool


WAYS = (
    Way("plain products", "eager", 20, True),
    Way("Attention", "sdpa", 24, True),
    Way("Attention, no mask", "sdpa", 24, False),
)
TOWERS: dict[str, Callable[[], nn.Module]] = {
    "MiniLM size": lambda: TextTower(
        BertConfig(
            hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
        )
    ),
    "base size": lambda: TextTower(BertConfig()),
    "ViT base": lambda: ImageTower(ViTConfig()),
}


def main() -> None:
    """Measure all towers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    device = parser.parse_args().device
    torch.manual_seed(0)
    command = f"python benchmarks/attention.py --device {device}"
    where = "a GPU" if device.startswith("cuda") else "a CPU"
    write_section(f"Attention on {where}", command, list(table(device)))


def table(device: str) -> Iterator[str]:
    """Measure every tower at every length."""
    number = "fp16" if device.startswith("cuda") else "fp32"
    yield (
        f"{hardware(device)}, {number}, one thread of ours on a CPU and all of torch's. "
        f"Milliseconds a batch, medians of {ROUNDS} rounds in turn; least cosine to torch in fp32."
    )
    yield ""
    names = [way.name for way in WAYS]
    yield f"| encoder | batch | {' | '.join(names)} | torch, sdpa | least cosine |"
    yield "|---|---" + "|---:" * (len(WAYS) + 2) + "|"
    for name, make in TOWERS.items():
        tower = make().eval()
        runs = {way: opened(tower, way, device) for way in WAYS if way.masked or "ViT" not in name}
        for shape, inputs in batches(name, device):
            yield f"| {name} | {shape} | {row(tower, runs, inputs, device)} |"


def batches(name: str, device: str) -> Iterator[tuple[str, Inputs]]:
    """Make batches of random inputs of each length."""
    tokens = GPU_TOKENS if device.startswith("cuda") else CPU_TOKENS
    if "ViT" in name:
        count = max(2, tokens // 197)
        yield f"{count} images", {"pixels": torch.randn(count, 3, 224, 224)}
        return
    for length in LENGTHS:
        count = max(1, tokens // length)
        ids = torch.randint(1000, 20_000, (count, length))
        yield f"{count} x {length}", {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def row(tower: nn.Module, runs: dict[Way, OnnxRuntime], inputs: Inputs, device: str) -> str:
    """Time all ways and torch on one batch."""
    arrays = {name: value.numpy() for name, value in inputs.items()}
    unmasked = {name: value for name, value in arrays.items() if name != "attention_mask"}
    calls: list[Callable[[], NDArray[np.float32]]] = [
        lambda run=run, given=arrays if way.masked else unmasked: run.run(given)  # type: ignore[misc]
        for way, run in runs.items()
    ]
    calls.append(torch_call(tower, inputs, device))
    with torch.no_grad():
        exact = tower(**inputs).numpy()
    least = min(float((call() * exact).sum(axis=1).min()) for call in calls)
    spent: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for times, call in zip(spent, calls, strict=True):
            began = time.perf_counter()
            call()
            times.append(1000 * (time.perf_counter() - began))
    cells = [f"{median(times):.1f}" for times in spent]
    missing = ["-"] * (len(WAYS) - len(runs))
    return " | ".join([*cells[:-1], *missing, cells[-1], f"{least:.6f}"])


def torch_call(tower: nn.Module, inputs: Inputs, device: str) -> Callable[[], NDArray[np.float32]]:
    """Return a call of torch that ends with vectors on the host."""
    placed = copy.deepcopy(tower)
    placed.model.set_attn_implementation("sdpa")  # type: ignore[operator, union-attr]
    if device.startswith("cuda"):
        placed = placed.half().to(device)

    def call() -> NDArray[np.float32]:
        with torch.inference_mode():
            given = {
                name: (value.half() if value.is_floating_point() else value).to(device)
                if device.startswith("cuda")
                else value
                for name, value in inputs.items()
            }
            found: NDArray[np.float32] = placed(**given).float().cpu().numpy()
            return found

    return call


def opened(tower: nn.Module, way: Way, device: str) -> OnnxRuntime:
    """Export a tower in one way and open it."""
    tower.model.set_attn_implementation(way.attention)  # type: ignore[operator, union-attr]
    example: Inputs = {"pixels": torch.randn(2, 3, 224, 224)}
    axes: tuple[str, ...] = ("batch",)
    if isinstance(tower, TextTower):
        ids = torch.randint(1000, 20_000, (2, 8))
        example, axes = {"input_ids": ids}, ("batch", "length")
        if way.masked:
            example["attention_mask"] = torch.ones_like(ids)
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            tower,
            kwargs=example,
            dynamo=True,
            opset_version=way.opset,
            input_names=list(example),
            output_names=["vectors"],
            dynamic_shapes={name: dict(enumerate(axes)) for name in example},
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    strip(model)
    graph: bytes = model.SerializeToString()
    precision = Precision.FP32
    if device.startswith("cuda"):
        graph, precision = to_fp16(graph), Precision.FP16
    return OnnxRuntime(lambda: graph, device, precision)


if __name__ == "__main__":
    main()
