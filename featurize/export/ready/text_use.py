"""How texts reach the graph of a ready file: what its folder and the graph say, or is assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from featurize.bundle import TOKENIZER
from featurize.errors import ExportError
from featurize.export.folders import MODULES, json_object_if_any
from featurize.export.layout import pooling_modes, read_modules, read_settings
from featurize.export.ready.editing import every_node
from featurize.export.ready.given import Given
from featurize.export.text import limit_of
from featurize.types import Json

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
POOLED = ("mean", "cls", "max", "lasttoken")
_TOKENS = ("last_hidden_state", "token_embeddings")
_VECTOR = "sentence_embedding"
_SIMPLE = ("Transformer Pooling", "Transformer Pooling Normalize")
_UNLIMITED = 1_000_000
# Families whose position table has rows that no text reaches: up to that of the padding.
_SHIFTED = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer"}


@dataclass(frozen=True, slots=True)
class TextUse:
    """How token ids reach a graph, and vectors come of it.

    `types` says whether it takes `token_type_ids`, `pooling` how token vectors become one; None
    where the output is that already. `prompts` are put before texts, by role; `default_prompt` is
    the role where none is named.
    """

    output: str
    types: bool
    pooling: str | None
    normalize: bool
    max_length: int
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None


def text_folder(path: Path) -> Path:
    """Return the folder of a model's tokenizer: that of the file, or above a folder `onnx`."""
    folder = path.absolute().parent
    above = [folder.parent] if folder.name == "onnx" else []
    return next((one for one in [folder, *above] if (one / TOKENIZER).is_file()), folder)


def read_text_use(given: Given, folder: Path, asked: int | None) -> tuple[TextUse, tuple[str, ...]]:
    """Find out how a file is used; return it with what had to be assumed, a sentence each.

    Raises ExportError where the graph takes or gives what is not understood.
    """
    types = _takes_types(given)
    stated = read_modules(folder) if (folder / MODULES).is_file() else []
    stated = [module for module in stated if module[0] != "Dropout"]
    settings = read_settings(folder)
    kinds = " ".join(kind for kind, _ in stated)
    output = _output(given, kinds)
    whole = _axes(given, output, types) == 1
    if settings["cut"] or not (whole or kinds in ("", *_SIMPLE)):
        raise ExportError(
            f"{given.name} gives vectors that go through {kinds.replace(' ', ', ')}, cut or not; a "
            "ready file is completed by Pooling and Normalize alone.",
            fix="Install the extra `export`, which exports such models from their own weights.",
        )
    normalize = kinds.endswith("Normalize") if kinds else True
    use = TextUse(
        output=output,
        types=types,
        pooling=None if whole else _pooling(given, stated[1][1]) if stated else "mean",
        normalize=normalize if given.card.normalize is None else given.card.normalize,
        max_length=_length(given, folder, asked),
        prompts=settings["prompts"],
        default_prompt=settings["default_prompt"],
    )
    return use, _assumed(given, use, kinds)


def _pooling(given: Given, folder: Path) -> str:
    modes = pooling_modes(folder)
    if len(modes) != 1 or modes[0] not in POOLED:
        raise ExportError(
            f"{given.name} is pooled by {' + '.join(modes)}; one of {', '.join(POOLED)} is "
            "expected.",
            fix="Install the extra `export`, which exports such models from their own weights.",
        )
    return modes[0]


def _assumed(given: Given, use: TextUse, kinds: str) -> tuple[str, ...]:
    if kinds:
        return ()
    pooled = "" if use.pooling is None else "their mean"
    scaled = "unit length" if use.normalize and given.card.normalize is None else ""
    if not pooled and not scaled:
        return ()
    what = ", brought to ".join(filter(None, (pooled or "vectors as they are", scaled)))
    return (
        f"{given.name} does not say how its token vectors become one of a text. Assumed: {what}. "
        f"If its makers say otherwise, put their {MODULES} and 1_Pooling/config.json beside "
        f"{TOKENIZER}.",
    )


def _takes_types(given: Given) -> bool:
    """Say whether a graph takes token types; raise ExportError for inputs beyond them."""
    from onnx import TensorProto

    inputs = given.inputs
    others = sorted(set(inputs) - {IDS, MASK, TYPES})
    if others or not {IDS, MASK} <= set(inputs):
        raise ExportError(
            f"{given.name} takes {', '.join(sorted(inputs))}; {IDS} and {MASK}, and {TYPES} or "
            "not, are expected.",
            fix="Export the model again as an encoder, without a cache, and with positions that "
            "the graph counts itself.",
        )
    kinds = {TensorProto.DataType.Name(one.type.tensor_type.elem_type) for one in inputs.values()}
    if kinds != {"INT64"}:
        raise ExportError(f"{given.name} takes {', '.join(sorted(kinds))}; INT64 is expected.")
    quantized = {n.op_type for n in every_node(given.model.graph) if "Quantize" in n.op_type}
    if quantized:
        raise ExportError(
            f"{given.name} is quantised ({', '.join(sorted(quantized))}); weights in fp32 are "
            "expected, from which lower precisions are derived here.",
            fix="Use the fp32 file of the model (model.onnx), and --precision to lower it.",
        )
    return TYPES in inputs


def _output(given: Given, kinds: str) -> str:
    """Return the output to use: token vectors where it is known how they are pooled.

    A sentence vector of the file's own may depend on the batch in its last bits, so it is second.
    """
    there = given.outputs
    tokens = [name for name in _TOKENS if name in there]
    usual = [*tokens, _VECTOR] if kinds in _SIMPLE or _VECTOR not in there else [_VECTOR]
    known = next((name for name in usual if name in there), None)
    return given.card.output or known or given.output()


def _axes(given: Given, output: str, types: bool) -> int:
    """Return how many axes an output has for one text."""
    names = [IDS, MASK, TYPES] if types else [IDS, MASK]
    inputs = {name: np.ones((1, 5), dtype=np.int64) for name in names}
    if types:
        inputs[TYPES][:] = 0
    shape = given.original.run(inputs, given.chosen("output", output, given.outputs)).shape
    if len(shape) not in {1, 2} or (len(shape) == 2 and shape[0] != 5):
        raise ExportError(
            f"{given.name} gives {output} of shape {shape} for a text of five tokens; a vector, or "
            "one for each token, is expected."
        )
    return len(shape)


def _length(given: Given, folder: Path, asked: int | None) -> int:
    """Return how many tokens a text may have: what was asked for, or the least that is stated."""
    from tokenizers import Tokenizer

    limit = min(
        _stated(folder / "sentence_bert_config.json", "max_seq_length"),
        _stated(folder / "tokenizer_config.json", "model_max_length"),
        _positions(json_object_if_any(folder / "config.json")),
    )
    if asked is None and limit >= _UNLIMITED:
        raise ExportError(
            f"{given.name} states no longest input.",
            fix="Give one when exporting: featurize export FILE --max-length N.",
        )
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    return limit_of(given.name, asked, limit, tokenizer.num_special_tokens_to_add(False) + 1)


def _stated(path: Path, name: str) -> int:
    value = json_object_if_any(path).get(name)
    return int(min(value, _UNLIMITED)) if isinstance(value, int | float) else _UNLIMITED


def _positions(config: Json) -> int:
    """Return how many positions a transformer of that configuration knows."""
    stated = config.get("max_position_embeddings")
    if not isinstance(stated, int) or stated <= 0:
        return _UNLIMITED
    if config.get("model_type") in _SHIFTED:
        return stated - int(config.get("pad_token_id", 1)) - 1
    return stated
