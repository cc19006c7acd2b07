"""autofaiss, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison.contestant import CORES, SCRIPTS
from comparison.environments import python_of

PEER = "autofaiss"
VERSION = "2.18"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Point:
    """Search parameters, the recall they reach, queries/s together and milliseconds alone."""

    parameters: str
    recall: float
    together: float
    alone: float


@dataclass(frozen=True, slots=True)
class Asked:
    """What autofaiss is asked for, and the seconds it may take; by default it chooses by itself."""

    name: str
    most_seconds: int
    key: str | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """An index that autofaiss has built; `reaching` are None where no parameter does.

    Of its seconds of building, `measuring` went to tuning and measuring the built index.
    """

    asked: Asked
    seconds: float
    measuring: float
    key: str
    bytes: int
    tuned: Point
    reaching: list[Point | None]
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """Files with vectors, queries and their true neighbours, and the recalls to reach."""

    vectors: Path
    queries: Path
    truth: Path
    recalls: list[float]


def built_by_autofaiss(task: Task, asked: Asked, peers: Path) -> Peer | None:
    """Let autofaiss build an index; None where it takes longer than it may."""
    memory = None if asked.memory is None else f"{asked.memory / 2**20:.0f}MB"
    given: dict[str, Any] = {
        **{name: str(getattr(task, name)) for name in ("vectors", "queries", "truth")},
        "recalls": task.recalls,
        "key": asked.key,
        "memory": memory,
    }
    try:
        done = subprocess.run(
            [python_of(PEER, peers), SCRIPTS / "index_autofaiss.py"],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            env={**os.environ, **dict.fromkeys(_THREADS, str(CORES)), "PYTHONPATH": ""},
            timeout=asked.most_seconds,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        raise RuntimeError(f"autofaiss ended with {done.returncode}: {done.stderr[-2000:]}")
    told = json.loads(done.stdout)
    reaching = [None if point is None else Point(**point) for point in told.pop("reaching")]
    return Peer(asked=asked, tuned=Point(**told.pop("tuned")), reaching=reaching, **told)
