"""Who takes part in which workload, and who could not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from comparison.contestant import CORES, Entrant, Role
from comparison.inputs import Workload
from comparison.models import HUB_NAME, TextModel

JOBS = {
    "fp32": {},
    "openvino": {"runtime": "openvino"},
    "bf16": {"precision": "bf16"},
}
ABSENT = {
    "text-embeddings-inference": "no Python package (pip: `No matching distribution found for "
    "text-embeddings-inference`); a server in Rust, to be built or run as a container",
    "clip-retrieval 2.45.0": "installs, but does not import: its clip-anytorch needs "
    "`pkg_resources`, which setuptools 82 no longer has; with an older one its torchvision does "
    "not fit a CPU build of torch (`operator torchvision::nms does not exist`). It takes CLIP "
    "models by name only, so not these weights",
}


def text_entrants(workload: Workload, model: TextModel) -> list[Entrant]:
    """Return all that embed texts; the first is the reference."""
    original = {"model": str(model.original)}
    graph = {"model": str(model.with_graph)}
    hub = {"HF_HOME": str(model.hub)}
    peers = [
        _sentence_transformers("sentence-transformers", "fp32", original),
        _sentence_transformers("sentence-transformers, bf16 autocast", "bf16", original),
        _fastembed("fastembed, batch 256, its default", 256, graph),
        _fastembed("fastembed, batch 32, its best", 32, graph),
        Entrant("embetter", "text_embetter.py", environment="embetter", options=original),
        Entrant(
            "embed-anything, which reads up to 512 tokens; a quarter of the texts",
            "text_embed_anything.py",
            environment="embed-anything",
            options={"model": HUB_NAME, "first": workload.count // 4},
            variables=hub,
        ),
        Entrant(
            "infinity",
            "text_infinity.py",
            environment="infinity",
            options=original,
            variables={"INFINITY_ANONYMOUS_USAGE_STATS": "0"},
        ),
    ]
    jobs = {**JOBS, "int8": {"precision": "int8"}}
    ours = _ours(jobs)
    return _all(workload, [*peers, *ours, *_loops("text_loop.py", model.with_graph), *_gemms()])


def image_entrants(workload: Workload, model: Path) -> list[Entrant]:
    """Return all that embed images; the first is the reference."""
    peers = [
        Entrant("torch, batch 32", "image_torch.py", options={"batch": 32, "channels_last": False}),
        Entrant(
            "torch, channels_last, batch 4",
            "image_torch.py",
            options={"batch": 4, "channels_last": True},
        ),
    ]
    decode = Entrant("D1: decode and resize, one core", "image_decode.py", Role.DECODE)
    return _all(workload, [*peers, *_ours(JOBS), decode, *_loops("image_model.py", model)])


def _sentence_transformers(name: str, variant: str, options: dict[str, str]) -> Entrant:
    return Entrant(name, "text_sentence_transformers.py", variant=variant, options=options)


def _fastembed(name: str, batch: int, options: dict[str, str]) -> Entrant:
    return Entrant(
        name, "text_fastembed.py", environment="fastembed", options={**options, "batch": batch}
    )


def _ours(jobs: dict[str, dict[str, str]]) -> list[Entrant]:
    """Return the product, and the product on a single input: what a run costs before it encodes."""
    whole = [
        Entrant(
            f"featurize, {variant}", "featurize_embed.py", Role.OURS, variant, None, {"job": job}
        )
        for variant, job in jobs.items()
    ]
    commands = [
        Entrant(
            f"`featurize embed`, {variant}, the whole command",
            "featurize_command.py",
            Role.COMMAND,
            variant,
            None,
            {"job": JOBS[variant]},
        )
        for variant in ("fp32", "bf16")
    ]
    starts = [
        Entrant(
            f"a single input, {variant}",
            "featurize_embed.py",
            Role.START,
            variant,
            None,
            {"job": job},
        )
        for variant, job in jobs.items()
    ]
    return [*whole, *commands, *starts]


def _loops(script: str, model: Path) -> list[Entrant]:
    """Return the graph alone, in each variant of ours."""
    name = "loop on ready batches" if script.startswith("text") else "M: the model, all cores"
    options = {"model": str(model), "cores": CORES}
    return [
        Entrant(f"{name}, {variant}", script, Role.LOOP, variant, None, options) for variant in JOBS
    ]


def _gemms() -> list[Entrant]:
    """Return matrix products: onnxruntime's in fp32, OpenVINO's in bf16."""
    return [
        Entrant(f"matrix product, {variant}", "gemm.py", Role.GEMM, variant, None, {"cores": CORES})
        for variant in ("fp32", "bf16")
    ]


def _all(workload: Workload, entrants: list[Entrant]) -> list[Entrant]:
    """Tell everyone of the inputs; a START gets the single one."""
    told = workload.options
    single = {**told, "inputs": told["single"], "count": 1}
    return [
        replace(
            entrant,
            options={
                "variant": entrant.variant,
                **(single if entrant.role is Role.START else told),
                **entrant.options,
            },
        )
        for entrant in entrants
    ]
