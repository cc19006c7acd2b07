"""M of the images' bound: what the model alone encodes on all cores, from pixels in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from graphs import VERSIONS, Graph, open_graphs, work_through
from pictures import scaled, square
from protocol import Work, read_images, serve

BATCH = 8


def load(options: dict[str, Any]) -> Work:
    """Prepare all pixels and open the graph."""
    graph = (Path(options["model"]) / "model.onnx").read_bytes()
    squares = [square(path.read_bytes()) for path in read_images(options["inputs"])]
    starts = range(0, len(squares), BATCH)
    batches = [(start, scaled(squares[start : start + BATCH])) for start in starts]
    graphs = open_graphs(graph, options["variant"], options["cores"])

    def run(some: list[tuple[int, Any]]) -> Any:
        vectors = np.empty((len(squares), 1280), np.float32)

        def task(batch: tuple[int, Any]) -> Any:
            start, pixels = batch

            def encode(graph: Graph) -> None:
                vectors[start : start + len(pixels)] = graph({"pixels": pixels})

            return encode

        work_through(graphs, map(task, some))
        return vectors

    run(batches[: 2 * len(graphs)])
    return Work(len(squares), lambda: run(batches))


if __name__ == "__main__":
    serve(load, VERSIONS)
