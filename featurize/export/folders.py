"""The files of a model's folder: configuration, weights and licence, none of which runs code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from featurize.errors import ExportError
from featurize.storage import canonical_json, sha256_bytes, sha256_file
from featurize.types import Json

MODULES = "modules.json"
CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
_PROCESSOR = "processor_config.json"  # in which newer models have that of images too
_MAY_BRING_CODE = (CONFIG, "tokenizer_config.json", PREPROCESSOR, _PROCESSOR)
_WEIGHTS = "model.safetensors"
_RENAMED = "transformers_weights"  # in a configuration, the name of other weights
_LOADED_AS = (_RENAMED, "variant", "gguf_file")  # the same in how sentence-transformers loads it
# Fields of config.json that training, loading or the library's own bookkeeping read, never vectors.
_INERT = {
    "_name_or_path",
    "_attn_implementation",
    "architectures",
    "attention_probs_dropout_prob",
    "attention_dropout",
    "classifier_dropout",
    "dropout",
    "dtype",
    "finetuning_task",
    "gradient_checkpointing",
    "hidden_dropout_prob",
    "id2label",
    "initializer_range",
    "label2id",
    "torch_dtype",
    "transformers_version",
    "use_cache",
}


def read_config(folder: Path) -> Json:
    """Read the model's configuration; refuse one that brings code, an adapter or other weights."""
    for name in _MAY_BRING_CODE:
        if _brings_code(json_object_if_any(folder / name)):
            raise ExportError(
                f"{folder / name} asks for code from the model's repository (`auto_map`), which is "
                "never run.",
                fix="Use a model whose architecture is part of transformers.",
            )
    if (folder / "adapter_config.json").exists():
        raise ExportError(
            f"{folder} holds an adapter and not a whole model.",
            fix="Merge the adapter into its base model and save that.",
        )
    config = json_object(folder / CONFIG)
    _refuse_settings(folder / CONFIG, config, (_RENAMED,))
    for path in folder.glob("sentence_*_config.json"):
        for part in json_object(path).values():
            _refuse_settings(path, part if isinstance(part, dict) else {}, _LOADED_AS)
    return config


def _brings_code(settings: Json) -> bool:
    """Say whether settings, or those inside them, name code of the model's own."""
    inner = (value for value in settings.values() if isinstance(value, dict))
    return "auto_map" in settings or any(map(_brings_code, inner))


def _refuse_settings(path: Path, settings: Json, names: Iterable[str]) -> None:
    """Raise ExportError where settings lead to other weights than those that are hashed."""
    if asked := [name for name in names if settings.get(name)]:
        raise ExportError(
            f"{path} asks for other weights than {_WEIGHTS} (`{asked[0]}`), which are not read.",
            fix="Load the model with the library that saved it and save it again.",
        )


def require_processor(folder: Path) -> None:
    """Raise ExportError unless a folder says how its images are prepared."""
    if "image_processor" not in json_object_if_any(folder / _PROCESSOR):
        json_object(folder / PREPROCESSOR)


def config_digest(config: Json) -> str:
    """Return a short digest of the configuration's fields that can change a vector."""
    active = {key: value for key, value in config.items() if key not in _INERT}
    return sha256_bytes(canonical_json(active))[:12]


def digest(folder: Path, modules: Iterable[Path]) -> str:
    """Return the SHA-256 of the one weight file, or of the relative names and sums of several."""
    sums = {
        file.relative_to(folder).as_posix(): sha256_file(file)
        for module in modules
        for file in weight_files(module)
    }
    return next(iter(sums.values())) if len(sums) == 1 else sha256_bytes(canonical_json(sums))


def weight_files(module: Path) -> list[Path]:
    """Return the files a module's weights lie in; raise ExportError unless they are safetensors."""
    files = [module / name for name in _weight_names(module)]
    for file in files:
        if not file.is_file():
            raise ExportError(
                f"{module} holds no {file.name}; weights are read from safetensors files only, "
                "because other formats can run code.",
                fix="Load the model with the library that saved it and save it again.",
            )
    return files


def _weight_names(module: Path) -> list[str]:
    """Return the names of the one weight file, or else of the parts that an index lists."""
    path = module / f"{_WEIGHTS}.index.json"
    if (module / _WEIGHTS).is_file() or not path.exists():
        return [_WEIGHTS]
    parts = json_object(path).get("weight_map")
    names = sorted(set(map(str, parts.values()))) if isinstance(parts, dict) else []
    if not names or not all(re.fullmatch(r"[^/\\]+\.safetensors", name) for name in names):
        raise ExportError(
            f"{path} cannot be read: names of safetensors files beside it were expected, found "
            f"{', '.join(names) or 'none'}."
        )
    return names


def license_of(folder: Path) -> str | None:
    """Return the licence that the model card's front matter states."""
    card = folder / "README.md"
    text = card.read_text("utf-8", errors="replace") if card.is_file() else ""
    front = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    stated = re.search(r"^license:\s*(\S+)\s*$", front[1], re.MULTILINE) if front else None
    return stated[1] if stated else None


def read_json(path: Path) -> Any:
    """Read a JSON file; raise ExportError where it is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ExportError(f"{path.parent} holds no {path.name}.") from None
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} cannot be read: {error}.") from error


def json_object(path: Path) -> Json:
    """Read a JSON object; raise ExportError for anything else."""
    data = read_json(path)
    if not isinstance(data, dict):
        raise ExportError(f"{path} cannot be read: a JSON object was expected.")
    return data


def json_object_if_any(path: Path) -> Json:
    """Read a JSON object, an empty one where there is no file."""
    return json_object(path) if path.exists() else {}
