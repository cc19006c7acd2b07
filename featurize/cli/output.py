"""What goes to stdout: texts that steer no terminal, and one JSON object."""

from __future__ import annotations

import base64
import json
import math
import sys
from typing import TYPE_CHECKING, Any

from featurize.errors import FileError
from featurize.types import Json
from featurize.wording import printable

if TYPE_CHECKING:
    from rich.console import RenderableType


def print_text(shown: RenderableType) -> None:
    """Print a text as it is, without loading what lays out tables."""
    if isinstance(shown, str):
        _write_out(printable(shown, keep_lines=True), sys.stdout.encoding)
        return
    from rich.console import Console as Terminal

    Terminal().print(shown, markup=False, highlight=False)


def print_json(data: Json) -> None:
    """Print one JSON object."""
    text = json.dumps(_plain(data), indent=2, ensure_ascii=False, default=_as_text)
    _write_out(text, "utf-8")


def _write_out(text: str, encoding: str) -> None:
    """Write lines to stdout; what its encoding cannot spell becomes an escape."""
    try:
        sys.stdout.buffer.write(f"{text}\n".encode(encoding, "backslashreplace"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(f"The result could not be printed: {error.strerror}.") from error


def _plain(value: Any) -> Any:
    """Return a value without the numbers that JSON has no spelling for; they become null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _as_text(value: Any) -> str:
    """Spell a value that JSON has no type for; bytes as base64."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
