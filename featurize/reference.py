"""Known inputs and their vectors, which a bundle carries to be checked against."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize.types import Modalities, Modality

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_reference(
    path: Path, contents: Sequence[str | bytes], vectors: NDArray[np.float32]
) -> None:
    """Write inputs and vectors (n, dim) float32 as an `.npz` that NumPy reads without pickle.

    `inputs` holds the bytes of all inputs (texts as UTF-8), input i from `offsets[i]` to
    `offsets[i + 1]`; where there are texts and images, `is_text` tells them apart. Equal contents
    give equal files.
    """
    parts = [content.encode() if isinstance(content, str) else content for content in contents]
    is_text = np.array([isinstance(content, str) for content in contents])
    arrays: dict[str, NDArray[np.generic]] = {
        "inputs": np.frombuffer(b"".join(parts), dtype=np.uint8),
        "offsets": np.cumsum([0, *map(len, parts)], dtype=np.int64),
        "vectors": np.ascontiguousarray(vectors, dtype=np.float32),
    }
    if len(set(is_text.tolist())) > 1:
        arrays["is_text"] = is_text
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
            # A ZipInfo of its own has the fixed date 1980-01-01.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue())


def read_reference(
    path: Path, modalities: Modalities
) -> tuple[list[str | bytes], NDArray[np.float32]]:
    """Read the inputs of an encoder that takes `modalities`, and their vectors (n, dim) float32."""
    with np.load(path, allow_pickle=False) as archive:
        data, offsets, vectors = (archive[name] for name in ("inputs", "offsets", "vectors"))
        everything = np.full(len(vectors), Modality.TEXT in modalities)
        is_text = archive.get("is_text", everything)
    parts = [data[start:stop].tobytes() for start, stop in pairwise(offsets)]
    contents = (
        part.decode() if text else part for part, text in zip(parts, is_text.tolist(), strict=True)
    )
    return list(contents), vectors
