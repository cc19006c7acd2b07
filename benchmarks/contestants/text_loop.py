"""The least that can be done: batches of ready tokens through the graph, vectors into an array.

No files, no tokenizing, no table: what a pipeline with the same graph cannot beat.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from graphs import VERSIONS, Graph, open_graphs, work_through
from protocol import Work, read_texts, serve
from tokenizers import Tokenizer

BATCH_TOKENS = 768


def load(options: dict[str, Any]) -> Work:
    """Tokenize, cut texts of equal length into batches, longest first, and open the graph."""
    model = Path(options["model"])
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokens = [found.ids for found in tokenizer.encode_batch(read_texts(options["inputs"]))]
    batches = equal_lengths(tokens)
    graphs = open_graphs((model / "model.onnx").read_bytes(), options["variant"], options["cores"])

    def run(some: list[list[int]]) -> Any:
        vectors = np.empty((len(tokens), 384), np.float32)

        def task(batch: list[int]) -> Any:
            ids = np.array([tokens[row] for row in batch], np.int64)

            def encode(graph: Graph) -> None:
                vectors[batch] = graph({"input_ids": ids, "attention_mask": np.ones_like(ids)})

            return encode

        work_through(graphs, map(task, some))
        return vectors

    run(batches[: 2 * len(graphs)])
    return Work(len(tokens), lambda: run(batches))


def equal_lengths(tokens: list[list[int]]) -> list[list[int]]:
    """Cut rows of equal length into batches of at most BATCH_TOKENS tokens, longest first."""
    groups = defaultdict(list)
    for row, ids in enumerate(tokens):
        groups[len(ids)].append(row)
    batches = []
    for length in sorted(groups, reverse=True):
        size, rows = max(1, BATCH_TOKENS // length), groups[length]
        batches += [rows[start : start + size] for start in range(0, len(rows), size)]
    return batches


if __name__ == "__main__":
    serve(load, VERSIONS)
