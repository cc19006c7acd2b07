"""Arrays of a stranger's file: none is made before it is known to be as large as it says."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KINDS = "biufUSV"


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays of an npz file by name; raise ValueError where one is not what it says.

    Members are not compressed, so that none can grow, and hold no objects.
    """
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename} is compressed")
            with archive.open(member) as file:
                require_true_shape(file, member.file_size)
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def require_true_shape(file: IO[bytes], size: int) -> None:
    """Raise ValueError unless an npy file of `size` bytes holds just the array of its header."""
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"an array of format {version}")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject or dtype.kind not in _KINDS:
        raise ValueError(f"an array of {dtype}")
    stated, held = math.prod(shape) * dtype.itemsize, size - file.tell()
    if min(shape, default=0) < 0 or stated != held:
        raise ValueError(f"an array of {stated:,} bytes by its header holds {held:,}")
