"""What both derivations take from onnxruntime and onnx."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


@contextlib.contextmanager
def importable() -> Iterator[None]:
    """Let onnxruntime's tools find each other, which they do as modules of no package."""
    known = list(sys.path)
    from onnxruntime import transformers

    sys.path[:] = [*known, *transformers.__path__]
    try:
        yield
    finally:
        sys.path[:] = known


def plain(model: onnx.ModelProto) -> bytes:
    """Return the bytes of a graph without inner types, which lead to slower kernels."""
    del model.graph.value_info[:]
    graph: bytes = model.SerializeToString(deterministic=True)
    return graph
