"""autofaiss: builds an index of vectors in a file, and looks how far it must search.

Reads one JSON object from stdin and prints one to stdout. It asks for `vectors`, `queries` and
`truth` (the true ten neighbours), files of numpy's; `key`, of the index, and `memory`, such as
"400MB", or null for what it chooses; and the `recalls` for which the smallest search parameter is
wanted.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from importlib.metadata import version
from statistics import median
from typing import Any

import faiss
import numpy as np
from autofaiss import build_index
from autofaiss.indices.index_utils import get_index_size

NEAR, ROUNDS, ALONE = 10, 3, 100
GAIN = 0.0005  # of recall, that twice the effort must bring


def main() -> None:
    """Build, then measure the parameters it chose and those that reach the recalls."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print
    asked = json.load(sys.stdin)
    queries, truth = np.load(asked["queries"]), np.load(asked["truth"])
    vectors = np.load(asked["vectors"])
    limit = {"max_index_memory_usage": asked["memory"]} if asked["memory"] else {}
    limit |= {"index_key": asked["key"]} if asked["key"] else {}
    stages = _Stages()
    logging.getLogger("autofaiss").addHandler(stages)
    began = time.perf_counter()
    index, infos = build_index(vectors, save_on_disk=False, metric_type="ip", **limit)
    seconds = time.perf_counter() - began
    del vectors
    parameters = infos["index_param"]
    told = {
        "seconds": seconds,
        "measuring": stages.measuring,
        "key": infos["index_key"],
        "bytes": get_index_size(index),
        "tuned": _point(index, parameters, queries, truth),
        "reaching": [_least(index, parameters, each, queries, truth) for each in asked["recalls"]],
        "versions": {name: version(name) for name in ("autofaiss", "faiss-cpu", "numpy")},
    }
    print(json.dumps(told), file=answers, flush=True)


class _Stages(logging.Handler):
    """Sums the seconds that autofaiss says it took to tune and to measure what it had built."""

    measuring = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Hear one line of its log."""
        found = re.search(
            r'"(Computing best|Compute fast).*" in ([0-9.]+) secs', record.getMessage()
        )
        if found:
            self.measuring += float(found[2])


def _least(index: Any, tuned: str, recall: float, queries: Any, truth: Any) -> Any:
    """Return the point of the smallest effort that reaches a recall; None where none does.

    Efforts are doubled until one is enough, or twice as much finds no more; then halved in between.
    """
    low, high, before = 0, 1 if "nprobe" in tuned else 16, -1.0
    while (now := _recall(index, _with(tuned, high), queries, truth)) < recall:
        if now < before + GAIN:
            return None
        low, high, before = high, 2 * high, now
    while high - low > max(1, low // 20):
        middle = (low + high) // 2
        is_enough = _recall(index, _with(tuned, middle), queries, truth) >= recall
        low, high = (low, middle) if is_enough else (middle, high)
    return _point(index, _with(tuned, high), queries, truth)


def _with(tuned: str, effort: int) -> str:
    """Return its parameters with another effort, in the proportions it tunes them with."""
    if "nprobe" not in tuned:
        return f"efSearch={effort}"
    changed = re.sub(r"nprobe=\d+", f"nprobe={effort}", tuned)
    return re.sub(r"efSearch=\d+", f"efSearch={2 * effort}", changed)


def _point(index: Any, parameters: str, queries: Any, truth: Any) -> dict[str, Any]:
    """Measure recall and speed of some parameters."""
    recall = _recall(index, parameters, queries, truth)
    together = median(_seconds(index, queries) for _ in range(ROUNDS))
    alone = median(_seconds(index, query[np.newaxis]) for query in queries[:ALONE])
    return {
        "parameters": parameters,
        "recall": recall,
        "together": len(queries) / together,
        "alone": 1000 * alone,
    }


def _recall(index: Any, parameters: str, queries: Any, truth: Any) -> float:
    if parameters:
        _set(index, parameters)
    found = index.search(queries, NEAR)[1]
    shares = [len({*one} & {*other}) / NEAR for one, other in zip(found, truth, strict=True)]
    return float(np.mean(shares))


def _set(index: Any, parameters: str) -> None:
    """Set its parameters; more cells than there are would be refused."""
    inner = faiss.try_extract_index_ivf(index)
    if inner is not None:
        probes = int(re.search(r"nprobe=(\d+)", parameters)[1])
        parameters = re.sub(r"nprobe=\d+", f"nprobe={min(probes, inner.nlist)}", parameters)
    faiss.ParameterSpace().set_index_parameters(index, parameters)


def _seconds(index: Any, queries: Any) -> float:
    began = time.perf_counter()
    index.search(queries, NEAR)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
