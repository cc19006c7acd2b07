"""The given file as it is, and graphs made of it, run by plain onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Original:
    """A file that onnxruntime reads from its place, external data and all."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        self._name = path.name
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime raises types of its own
            raise ExportError(f"onnxruntime cannot load {path}: {error}") from error

    def run(self, inputs: Mapping[str, NDArray[Any]], output: str) -> NDArray[np.float64]:
        """Return what it gives for a batch of one, without the batch axis."""
        try:
            found = self._session.run([output], dict(inputs))[0]
        except Exception as error:
            raise ExportError(f"onnxruntime cannot run {self._name}: {error}") from error
        row: NDArray[np.float64] = np.asarray(found, dtype=np.float64)[0]
        return row


def run_batches(graph: bytes, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32] | None:
    """Run a graph on the rows one by one, on two and on all of them; return the vectors of all.

    Returns None where that fails, or a row's vector depends on how many are with it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    rows = len(next(iter(inputs.values())))
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        found = [
            session.run(None, {name: values[part] for name, values in inputs.items()})[0]
            for part in [*(slice(row, row + 1) for row in range(rows)), slice(2), slice(rows)]
        ]
    except Exception:  # noqa: BLE001 - the runtime raises types of its own
        return None
    *alone, two, together = found
    if together.ndim != 2 or len(together) != rows or len(two) != 2:
        return None
    close = partial(np.allclose, rtol=0, atol=1e-4 * np.abs(together).max(), equal_nan=True)
    same = close(np.concatenate(alone), together) and close(two, together[:2])
    return together if same else None
