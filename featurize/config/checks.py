"""What an option's value must be, whoever gives it."""

from __future__ import annotations

import re

from featurize.errors import UsageError

_MOST_SECONDS = 1_000_000


def check_device(device: str) -> None:
    """Raise UsageError unless the device is auto, cpu, cuda or cuda:N."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise UsageError(f"--device expects auto, cpu, cuda or cuda:N, got {device!r}.")


def check_seconds(value: float, flag: str) -> None:
    """Raise UsageError unless the value is a number of seconds that a timer can run."""
    if not isinstance(value, int | float) or not 0 < value <= _MOST_SECONDS:
        raise UsageError(
            f"--{flag} expects seconds, more than 0 and at most {_MOST_SECONDS:,}, got {value!r}."
        )


def check_overlap(tokens: int | None) -> None:
    """Raise UsageError unless the overlap of windows is left open or a number of tokens."""
    if tokens is not None and (not isinstance(tokens, int) or tokens < 0):
        raise UsageError(f"--overlap expects a number of tokens from 0 up, got {tokens!r}.")


def allowed_rejects(limit: str | int | None, inputs: int) -> int | None:
    """Return how many rejects `N` or `P%` of the inputs allows; None where there is no limit."""
    if limit is None:
        return None
    match = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)%", str(limit).strip())
    if match is None or float(match[2] or 0) > 100:
        raise UsageError(f"--max-rejects expects a count N or a share P% to 100%, got {limit!r}.")
    count, share = match.groups()
    return int(count) if count is not None else int(inputs * float(share) / 100)
