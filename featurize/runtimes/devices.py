"""Which devices there are, asked of the driver, without loading a deep-learning library."""

from __future__ import annotations

import ctypes
import os
import sys

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
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return 0
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def cpu_cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
