"""What every contestant speaks: a JSON line for each command on stdin, a JSON line as its answer.

`{"do": "load", ...options}` loads the model and the inputs; `{"do": "run", "save": PATH}` does the
work once and says how long it took; where PATH is no null, the vectors are saved there, untimed.
This file runs in the environment of every peer: it needs Python and numpy alone.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Work:
    """A loaded contestant.

    `run` is what is timed and `count` how much it does: texts, images or floating-point operations.
    `vectors` turns what it gave into (count, dim), untimed; None where it makes no vectors.
    """

    count: int
    run: Callable[[], Any]
    vectors: Callable[[Any], Any] | None = np.asarray


def serve(load: Callable[[dict[str, Any]], Work], packages: Sequence[str]) -> None:
    """Answer commands until stdin ends; `packages` are those whose versions matter."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print
    work: Work | None = None
    for line in sys.stdin:
        command = json.loads(line)
        answer: dict[str, Any]
        try:
            if command["do"] == "load":
                work = load(command)
                answer = {"versions": {name: version(name) for name in packages}}
            else:
                assert work is not None
                answer = _run(work, command["save"])
        except BaseException as error:
            message = str(error).strip().splitlines() or [""]
            answer = {"error": f"{type(error).__name__}: {message[0]}"[:300]}
            print(json.dumps(answer), file=answers, flush=True)
            raise
        print(json.dumps(answer), file=answers, flush=True)


def _run(work: Work, save: str | None) -> dict[str, Any]:
    """Do the work once; memory is read before the vectors are."""
    started = time.perf_counter()
    result = work.run()
    seconds = time.perf_counter() - started
    answer: dict[str, Any] = {
        "seconds": seconds,
        "count": work.count,
        "peak_bytes": peak_bytes(),
        "vectors": None,
    }
    if save and work.vectors:
        np.save(save, np.asarray(work.vectors(result), dtype=np.float32))
        answer["vectors"] = save
    return answer


def peak_bytes() -> int:
    """Return the most memory that this process, or a process it ran, had resident."""
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    status = Path("/proc/self/status")
    if not status.exists():
        return max(child, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    # ru_maxrss of a new process starts at the memory of the one that started it; VmHWM does not.
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return max(child, int(line.split()[1])) * 1024


def read_texts(path: str) -> list[str]:
    """Read the text column of a CSV file."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        return [row["text"] for row in csv.DictReader(file)]


def read_images(folder: str) -> list[Path]:
    """List the files of a folder in order of their names."""
    return sorted(Path(folder).iterdir())
