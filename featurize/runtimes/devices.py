"""Which devices there are, asked of the driver, without loading a deep-learning library."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
from pathlib import Path

from featurize.errors import RuntimeUnavailable


def choose_device(asked: str) -> str:
    """Return `cpu` or `cuda:N`; `auto` takes the first GPU where there is one.

    Raises RuntimeUnavailable where a GPU was asked for and the driver reports none.
    """
    if asked == "cpu":
        return "cpu"
    gpus = count_gpus()
    if asked == "auto":
        return "cuda:0" if gpus else "cpu"
    number = int(asked.partition(":")[2] or 0)
    if number >= gpus:
        raise RuntimeUnavailable(
            f"--device {asked} was asked for, but the NVIDIA driver reports {gpus} GPUs.",
            fix="Run `featurize doctor` to see what is missing, or use --device cpu.",
        )
    return f"cuda:{number}"


def count_gpus() -> int:
    """Return how many CUDA devices the driver reports; 0 without a driver."""
    driver = _driver()
    count = ctypes.c_int()
    if driver is None or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def _driver() -> ctypes.CDLL | None:
    """Return NVIDIA's driver, ready to be asked; None where there is none."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return None
    return driver if driver.cuInit(0) == 0 else None


def hardware(device: str) -> str:
    """Return the model of the processor or GPU behind a device, as its maker calls it."""
    if device == "cpu":
        return f"{_cpu_model()}, {cpu_cores()} cores"
    driver = _driver()
    name = ctypes.create_string_buffer(256)
    if driver is None or driver.cuDeviceGetName(name, len(name), int(device.partition(":")[2])):
        return device
    return name.value.decode(errors="replace")


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def cpu_cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
