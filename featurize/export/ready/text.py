"""Ready files that take texts to candidates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize.bundle import TOKENIZER, EncoderCard, VectorSpace
from featurize.errors import ExportError
from featurize.export.candidate import Candidate
from featurize.export.folders import json_object, json_object_if_any, license_of
from featurize.export.graph import OUTPUT
from featurize.export.ready.editing import Writing, assemble, rename
from featurize.export.ready.given import Given
from featurize.export.ready.original import run_batches
from featurize.export.ready.references import TextReference
from featurize.export.ready.text_use import IDS, MASK, TYPES, TextUse, read_text_use, text_folder
from featurize.export.text import texts_to_check
from featurize.storage import canonical_json, sha256_bytes
from featurize.types import Json, Modality

if TYPE_CHECKING:
    import onnx

LIBRARIES = ("tokenizers",)


def load_text_file(given: Given, max_length: int | None) -> Candidate:
    """Propose a file that takes texts; its tokenizer lies beside it or above its folder."""
    folder = text_folder(given.path)
    preparation = _tokenizer(folder)
    config = json_object_if_any(folder / "config.json")
    use, assumed = read_text_use(given, folder, max_length)
    graph = text_graph(given.model, use)
    space = VectorSpace(
        weights=given.weights,
        preparation=sha256_bytes(preparation),
        architecture=f"onnx/{use.output}",
        pooling=use.pooling or "none",
        normalize=use.normalize,
        max_length=use.max_length,
        dim=_dim(given, graph),
    )
    reference = TextReference(given.original, folder / TOKENIZER, use)
    checked, overlong = texts_to_check(reference.token_ids, use.max_length)
    return Candidate(
        card=EncoderCard(given.name, (Modality.TEXT,), space, use.prompts, use.default_prompt),
        graph=lambda: graph,
        preparation=(TOKENIZER, preparation),
        contents=checked,
        encode=reference.encode,
        layers=_layers(config),
        libraries=LIBRARIES,
        source=given.name,
        license=given.card.license or license_of(folder),
        roles=tuple(use.prompts),
        overlong=[(text, reference.token_ids(text)) for text in overlong],
        assumed=assumed,
    )


def text_graph(given: onnx.ModelProto, use: TextUse) -> bytes:
    """Return a graph from `input_ids` and `attention_mask` (batch, tokens) to vectors."""
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(given)
    for name in {use.output, OUTPUT}:  # a file may call its values as ours are called
        rename(model.graph, name, f"given.{name}")
    before, after = Writing("before"), Writing("after")
    if use.types:
        before.add("Sub", IDS, IDS, output=TYPES)
    vectors = f"given.{use.output}"
    if use.pooling is not None:
        vectors = POOLINGS[use.pooling](after, vectors)
    vectors = after.flatten(vectors)
    if use.normalize:
        after.normalize(vectors)
    axes = ["batch", "tokens"]
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, axes)
        for name in (IDS, MASK)
    ]
    return assemble(model, inputs, before, after)


def _mean(after: Writing, hidden: str) -> str:
    """Average the tokens of the mask, as a matrix product: a sum depends on the batch."""
    weights = _weights(after)
    rows = after.add("Reshape", weights, after.constant([0, 1, -1]))
    columns = after.add("Reshape", weights, after.constant([0, -1, 1]))
    counts = after.add("MatMul", rows, columns)  # (batch, 1, 1), because 1 x 1 = 1
    counts = after.add("Max", counts, after.constant([1e-9], np.float32))
    return after.add("Div", after.add("MatMul", rows, hidden), counts)


def _first(after: Writing, hidden: str) -> str:
    return after.add("Gather", hidden, after.constant(0), attributes={"axis": 1})


def _largest(after: Writing, hidden: str) -> str:
    """Take the maximum over the tokens of the mask."""
    from onnx import TensorProto

    columns = after.add("Reshape", MASK, after.constant([0, -1, 1]))
    there = after.add("Cast", columns, attributes={"to": TensorProto.BOOL})
    lowest = after.constant([-np.inf], np.float32)
    features = after.add("Where", there, hidden, lowest)
    features = after.add("Transpose", features, attributes={"perm": [0, 2, 1]})
    return after.add("GlobalMaxPool", features)


def _last(after: Writing, hidden: str) -> str:
    """Take the last token of the mask: the one with none behind it."""
    from onnx import TensorProto

    weights = _weights(after)
    backwards = {"exclusive": 1, "reverse": 1}
    behind = after.add("CumSum", weights, after.constant(1), attributes=backwards)
    ends = after.add("Equal", behind, after.constant([0], np.float32))
    ends = after.add("Cast", ends, attributes={"to": TensorProto.FLOAT})
    chosen = after.add("Mul", ends, weights)  # (batch, tokens), a single 1 in each row
    rows = after.add("Reshape", chosen, after.constant([0, 1, -1]))
    return after.add("MatMul", rows, hidden)


def _weights(after: Writing) -> str:
    from onnx import TensorProto

    return after.add("Cast", MASK, attributes={"to": TensorProto.FLOAT})


POOLINGS: dict[str, Callable[[Writing, str], str]] = {
    "mean": _mean,
    "cls": _first,
    "max": _largest,
    "lasttoken": _last,
}


def _tokenizer(folder: Path) -> bytes:
    """Return the tokenizer without limits; raise ExportError where texts get more than it does."""
    if not (folder / TOKENIZER).is_file():
        raise ExportError(
            f"{folder} holds no {TOKENIZER}, without which the model cannot read texts.",
            fix=f"Put the model's {TOKENIZER} and config.json beside it.",
        )
    if json_object_if_any(folder / "sentence_bert_config.json").get("do_lower_case"):
        raise ExportError(
            "The model lower-cases texts before its tokenizer; ready files are used as far as "
            f"{TOKENIZER} says it all.",
            fix="Install the extra `export`, which exports such models from their own weights.",
        )
    stated = json_object(folder / TOKENIZER)
    return canonical_json({**stated, "truncation": None, "padding": None})


def _layers(config: Json) -> int:
    names = ("num_hidden_layers", "n_layers", "num_layers")
    return max(int(config.get(name) or 0) for name in names)


def _dim(given: Given, graph: bytes) -> int:
    """Return the length of the vectors; raise ExportError where they depend on the batch."""
    ids = np.arange(15, dtype=np.int64).reshape(3, 5) % 4 + 2
    rows = run_batches(graph, {IDS: ids, MASK: np.ones_like(ids)})
    if rows is None:
        raise ExportError(
            f"{given.name} is made for one text at a time: in batches of two or three it fails or "
            "gives other vectors.",
            fix="Export the model again, with batch and token axes of any size.",
        )
    return int(rows.shape[1])
