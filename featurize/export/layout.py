"""What a sentence-transformers folder says about itself, read before any of it is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from featurize.errors import ExportError
from featurize.storage import canonical_json, sha256_bytes, sha256_file
from featurize.types import Json

MODULES = "modules.json"
POOLINGS = ("mean", "cls", "max", "lasttoken")
_SUPPORTED = "Transformer, Pooling, then any number of Dense, then Normalize or not"
_ORDER = re.compile(r"Transformer Pooling( Dense)*( Normalize)?")
_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """A folder that can be exported: its modules, all of them of kinds that are supported.

    `activations` has one class name for each dense layer; `weights` is the SHA-256 of the weight
    file, or of the names and sums of several; `config` is the transformer's configuration.
    """

    folder: Path
    transformer: Path
    pooling: str
    activations: tuple[str, ...]
    normalize: bool
    weights: str
    config: Json
    license: str | None

    @classmethod
    def read(cls, folder: Path) -> Layout:
        """Read a folder; raise ExportError, naming it, for what is not supported or runs code."""
        modules = [(_kind(module), _inside(folder, module)) for module in _modules(folder)]
        kinds = " ".join(kind for kind, _ in modules)
        if not _ORDER.fullmatch(kinds):
            raise ExportError(
                f"{folder.name} is made of {kinds.replace(' ', ', ')}; supported are {_SUPPORTED}."
            )
        (_, transformer), (_, pooling), *rest = modules
        dense = [path for kind, path in rest if kind == "Dense"]
        _refuse_prompt(folder)
        return cls(
            folder=folder,
            transformer=transformer,
            pooling=_pooling(pooling),
            activations=tuple(_activation(path) for path in dense),
            normalize=kinds.endswith("Normalize"),
            weights=_digest(folder, [transformer, *dense]),
            config=_config(transformer),
            license=_license(folder),
        )


def _modules(folder: Path) -> list[Json]:
    """Read the list of modules, each with its type and its path in the folder."""
    modules = _json(folder / MODULES)
    if not isinstance(modules, list) or not all({"type", "path"} <= set(m) for m in modules):
        raise ExportError(f"{folder / MODULES} cannot be read: a list of modules was expected.")
    return modules


def _kind(module: Json) -> str:
    """Return the class name of a module that sentence-transformers itself brings."""
    package, _, kind = str(module["type"]).rpartition(".")
    if package.partition(".")[0] != "sentence_transformers":
        raise ExportError(
            f"The model's module {module['type']} is code of its own, which is never run; "
            f"supported are {_SUPPORTED}."
        )
    return kind


def _inside(folder: Path, module: Json) -> Path:
    path = Path(module["path"])
    if path.is_absolute() or ".." in path.parts:
        raise ExportError(f"{folder / MODULES} names a module outside its folder: {path}.")
    return folder / path


def _config(folder: Path) -> Json:
    """Read the transformer's configuration; refuse one that brings code or an adapter."""
    for name in ("config.json", "tokenizer_config.json"):
        if "auto_map" in _json_object_if_any(folder / name):
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
    return _json_object(folder / "config.json")


def _pooling(folder: Path) -> str:
    config = _json_object(folder / "config.json")
    modes = config.get("pooling_mode")
    if modes is None:
        modes = [mode for flag, mode in _POOLING_FLAGS.items() if config.get(flag)] or ["mean"]
    modes = [modes] if isinstance(modes, str) else list(modes)
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise ExportError(
            f"The model's Pooling is {' + '.join(modes)}; exactly one of {', '.join(POOLINGS)} is "
            "supported."
        )
    return str(modes[0])


def _activation(folder: Path) -> str:
    """Return the class name of a dense layer's activation."""
    config = _json_object(folder / "config.json")
    path = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    names = {config.get("module_input_name"), config.get("module_output_name")}
    if config.get("use_residual") or not names <= {None, "sentence_embedding"}:
        raise ExportError(
            f"The Dense module {folder.name} has a residual or works on token vectors; supported "
            "is a linear layer with an activation on the pooled vector."
        )
    if not str(path).startswith("torch.nn."):
        raise ExportError(
            f"The Dense module {folder.name} has the activation {path}; supported are those of "
            "torch.nn."
        )
    return str(path).rpartition(".")[2]


def _refuse_prompt(folder: Path) -> None:
    config = _json_object_if_any(folder / "config_sentence_transformers.json")
    default = config.get("default_prompt_name")
    if default and config.get("prompts", {}).get(default):
        raise ExportError(
            f"The model puts the prompt {default!r} before every text; models with a default "
            "prompt are not supported yet.",
        )


def _digest(folder: Path, modules: Iterable[Path]) -> str:
    """Return the SHA-256 of the one weight file, or of the relative names and sums of several."""
    sums = {
        file.relative_to(folder).as_posix(): sha256_file(file)
        for module in modules
        for file in _weight_files(module)
    }
    return next(iter(sums.values())) if len(sums) == 1 else sha256_bytes(canonical_json(sums))


def _weight_files(module: Path) -> list[Path]:
    index = _json_object_if_any(module / "model.safetensors.index.json")
    names = sorted(set(index["weight_map"].values())) if index else ["model.safetensors"]
    files = [module / Path(name).name for name in names]
    for file in files:
        if not file.is_file():
            raise ExportError(
                f"{module} holds no {file.name}; weights are read from safetensors files only, "
                "because other formats can run code.",
                fix="Load the model with sentence-transformers and save it again.",
            )
    return files


def _license(folder: Path) -> str | None:
    """Return the licence that the model card's front matter states."""
    card = folder / "README.md"
    text = card.read_text("utf-8", errors="replace") if card.is_file() else ""
    front = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    stated = re.search(r"^license:\s*(\S+)\s*$", front[1], re.MULTILINE) if front else None
    return stated[1] if stated else None


def _json(path: Path) -> Any:
    """Read a JSON file; raise ExportError where it is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ExportError(f"{path.parent} holds no {path.name}.") from None
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} cannot be read: {error}.") from error


def _json_object(path: Path) -> Json:
    data = _json(path)
    if not isinstance(data, dict):
        raise ExportError(f"{path} cannot be read: a JSON object was expected.")
    return data


def _json_object_if_any(path: Path) -> Json:
    return _json_object(path) if path.exists() else {}
