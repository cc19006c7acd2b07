"""The closed choices of options."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from featurize.errors import UsageError

Choice = TypeVar("Choice", bound=StrEnum)


class RuntimeName(StrEnum):
    """What executes the graph."""

    AUTO = "auto"
    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"


class Precision(StrEnum):
    """The number format of the computation; that of stored vectors is a Store."""

    AUTO = "auto"
    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"


class Store(StrEnum):
    """The number format of stored vectors."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    BINARY = "binary"


class Overflow(StrEnum):
    """What becomes of a text longer than the encoder reads."""

    TRUNCATE = "truncate"
    CHUNK = "chunk"
    REJECT = "reject"


class Pool(StrEnum):
    """How the vectors of a long text's windows become one."""

    MEAN = "mean"


class LabelFrom(StrEnum):
    """Which folder of a file's path names its label."""

    PARENT = "parent"
    TOP = "top"


def choose(choices: type[Choice], value: str, name: str) -> Choice:
    """Return the choice that a string names; raise UsageError listing the known ones."""
    try:
        return choices(value)
    except ValueError:
        known = ", ".join(choices)
        raise UsageError(f"{name} expects one of {known}; got {value!r}.") from None
