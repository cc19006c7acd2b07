"""What a folder of a text encoder says about itself, read before any of it is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from featurize.errors import ExportError
from featurize.export.folders import (
    MODULES,
    digest,
    json_object,
    json_object_if_any,
    license_of,
    read_config,
    read_json,
)
from featurize.types import Json

POOLINGS = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
_SUPPORTED = (
    "Transformer and Pooling, or StaticEmbedding, then any number of Dense, LayerNorm, Dropout and "
    "Normalize"
)
_ORDER = re.compile(r"(Transformer Pooling|StaticEmbedding)( (Dense|LayerNorm|Dropout|Normalize))*")
_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_SETTINGS = "config_sentence_transformers.json"
_MODEL2VEC = "model2vec"


class Body(StrEnum):
    """What makes vectors of tokens."""

    TRANSFORMER = "Transformer"
    STATIC = "StaticEmbedding"


@dataclass(frozen=True, slots=True)
class Step:
    """A module that works on pooled vectors: its class, its folder, and what a card calls it."""

    kind: str
    path: Path
    label: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A folder that can be exported: its modules, all of them of kinds that are supported.

    `pooling` are the modes whose vectors are joined, none where the body pools; `head` is what
    follows, in order. `weights` is the SHA-256 of the weight
    file, or of the names and sums of several; `config` is the body's configuration. Vectors are cut
    to `cut` numbers at last, where it is given.
    """

    folder: Path
    body: Body
    path: Path
    pooling: tuple[str, ...]
    head: tuple[Step, ...]
    weights: str
    config: Json
    license: str | None
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    cut: int | None = None
    assumed: tuple[str, ...] = ()

    @property
    def normalize(self) -> bool:
        """Say whether vectors have unit length at the end."""
        return bool(self.head) and self.head[-1].kind == "Normalize" and self.cut is None

    @property
    def steps(self) -> str:
        """Return what is done after the body, as a card states it; the last normalisation apart."""
        head = self.head[:-1] if self.normalize else self.head
        first = [] if self.cut is None else [f"first({self.cut})"]
        return "+".join([*(self.pooling or ("mean",)), *(step.label for step in head), *first])

    @classmethod
    def read(cls, folder: Path) -> Layout:
        """Read a folder; raise ExportError, naming it, for what is not supported or runs code."""
        if not (folder / MODULES).is_file():
            return _plain(folder)
        modules = read_modules(folder)
        kinds = " ".join(kind for kind, _ in modules)
        if not _ORDER.fullmatch(kinds):
            raise ExportError(
                f"{folder.name} is made of {kinds.replace(' ', ', ')}; supported are {_SUPPORTED}."
            )
        (kind, path), *rest = modules
        body = Body(kind)
        pooling = () if body is Body.STATIC else pooling_modes(rest.pop(0)[1])
        head = tuple(_step(*module) for module in rest if module[0] != "Dropout")
        weighted = [step.path for step in head if step.kind != "Normalize"]
        return cls(
            folder=folder,
            body=body,
            path=path,
            pooling=pooling,
            head=head,
            weights=digest(folder, [path, *weighted]),
            config={} if body is Body.STATIC else read_config(path),
            license=license_of(folder),
            **read_settings(folder),
        )


def _plain(folder: Path) -> Layout:
    """Read a transformer, or a Model2Vec model, that says nothing about pooling.

    It is pooled as sentence-transformers pools it: by the mean, a causal language model by its last
    token.
    """
    config = read_config(folder)
    static = config.get("model_type") == _MODEL2VEC
    architecture = next(iter(config.get("architectures") or [""]))
    causal = architecture.endswith("ForCausalLM") and config.get("is_causal", True)
    pooled = "the last token's vector" if causal else "their mean"
    assumed = (
        f"{folder.name} does not say how its token vectors become one of a text. Assumed, as "
        f"sentence-transformers does: {pooled}, not brought to unit length. If its makers say "
        f"otherwise, put their {MODULES} and 1_Pooling/config.json into the folder."
    )
    return Layout(
        folder=folder,
        body=Body.STATIC if static else Body.TRANSFORMER,
        path=folder,
        pooling=() if static else ("lasttoken" if causal else "mean",),
        head=(_step("Normalize", folder),) if static and config.get("normalize") else (),
        weights=digest(folder, [folder]),
        config={} if static else config,
        license=license_of(folder),
        assumed=() if static else (assumed,),
        **read_settings(folder),
    )


def read_modules(folder: Path) -> list[tuple[str, Path]]:
    """Return the class name and the folder of each module, all of sentence-transformers itself."""
    return [(_kind(module), _inside(folder, module)) for module in _modules(folder)]


def _modules(folder: Path) -> list[Json]:
    """Read the list of modules, each with its type and its path in the folder."""
    modules = read_json(folder / MODULES)
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


def pooling_modes(folder: Path) -> tuple[str, ...]:
    """Return the modes of a Pooling, in the order in which their vectors are joined."""
    config = json_object(folder / "config.json")
    modes = config.get("pooling_mode")
    if modes is None:
        modes = [mode for flag, mode in _POOLING_FLAGS.items() if config.get(flag)] or ["mean"]
    modes = [modes] if isinstance(modes, str) else list(modes)
    if unknown := [str(mode) for mode in modes if mode not in POOLINGS]:
        raise ExportError(
            f"The model's Pooling is {' + '.join(unknown)}; supported are {', '.join(POOLINGS)}."
        )
    if not config.get("include_prompt", True):
        raise ExportError(
            "The model's Pooling leaves out the tokens of the prompt, which is not supported.",
            fix="Use a model whose Pooling has `include_prompt`.",
        )
    return tuple(modes)


def _step(kind: str, folder: Path) -> Step:
    """Read a module that follows pooling; raise ExportError for what is not supported."""
    config = json_object_if_any(folder / "config.json")
    names = {config.get("module_input_name"), config.get("module_output_name")}
    if not names <= {None, "sentence_embedding"}:
        raise ExportError(
            f"The module {folder.name} works on token vectors; supported are modules that work on "
            "the pooled vector."
        )
    if kind != "Dense":
        return Step(kind, folder, kind.lower())
    path = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    if not path.startswith("torch.nn."):
        raise ExportError(
            f"The Dense module {folder.name} has the activation {path}; supported are those of "
            "torch.nn."
        )
    residual = "+residual" if config.get("use_residual") else ""
    return Step(kind, folder, f"dense({path.rpartition('.')[2]}{residual})")


def read_settings(folder: Path) -> Json:
    """Return the prompts that are not empty, which one is the default, and where vectors end."""
    settings = json_object_if_any(folder / _SETTINGS)
    prompts = {role: text for role, text in (settings.get("prompts") or {}).items() if text}
    default, cut = settings.get("default_prompt_name"), settings.get("truncate_dim")
    if not all(isinstance(part, str) for pair in prompts.items() for part in pair):
        raise ExportError(f"{folder / _SETTINGS} cannot be read: prompts are texts by name.")
    if cut is not None and (type(cut) is not int or cut < 1):
        raise ExportError(f"{folder / _SETTINGS} cannot be read: truncate_dim is {cut!r}.")
    return {
        "prompts": prompts,
        "default_prompt": default if default in prompts else None,
        "cut": cut,
    }
