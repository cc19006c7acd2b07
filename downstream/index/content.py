"""Content: what an index holds beside its card, in memory and as files."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING

import numpy as np

from downstream.artifact import Artifact
from downstream.index.choice import FLAT, KINDS, Aim, memory_of
from downstream.index.graphs import GRAPHS, read_graph, write_graph
from downstream.index.origin import origin_of
from downstream.index.retriever import DEPTHS, Retriever
from downstream.index.rows import Rows
from downstream.index.tuning import Curve
from featurize.bundle import EncoderCard
from featurize.errors import IndexFileError, OutdatedIndex
from featurize.table.reader import EmbeddingTable
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS, VECTORS, GRAPH = "rows.parquet", "vectors.npy", "index.faiss"
APART, REMOVED = "apart.npy", "removed.npy"
INDEX = Artifact(
    "index",
    "featurize index TABLE --out INDEX",
    "index.json",
    (ROWS, VECTORS),
    IndexFileError,
    OutdatedIndex,
    (GRAPH, APART, REMOVED),
)


@dataclass(frozen=True)
class Content:
    """The rows, what finds the nearest of them, and the places of those that updates `removed`."""

    rows: Rows
    retriever: Retriever
    removed: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        """Return the number of rows that are there."""
        return len(self.rows) - len(self.removed)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Return the vectors of all rows, (n, dim) float32."""
        return self.retriever.vectors

    @cached_property
    def live(self) -> NDArray[np.bool_] | None:
        """Say which rows are there, (n,); None where all are."""
        if not len(self.removed):
            return None
        live = np.ones(len(self.rows), bool)
        live[self.removed] = False
        return live


def facts_of(table: EmbeddingTable, aim: Aim, content: Content, curve: Curve | None) -> Json:
    """Return the card of an index: `curve` is None for exact search, whose recall is 1."""
    libraries = ("faiss-cpu", "numpy", "pyarrow")
    graph = content.retriever.graph
    kind = FLAT if graph is None else graph.kind
    reached = 1.0 if curve is None else curve.chosen.recall[DEPTHS[0]]
    return {
        "method": kind,
        "rows": len(content),
        "removed": len(content.removed),
        "dim": table.card.dim,
        "aim": aim.to_json(),
        "recall": {"target": aim.recall, "reached": round(reached, 5)},
        "memory": memory_of(kind, len(content.rows), table.card.dim),
        "curve": None if curve is None else curve.to_json(),
        "encoder": table.card.to_json(),
        "origin": origin_of(table),
        "libraries": {name: importlib.metadata.version(name) for name in libraries},
    }


def save_content(path: Path, facts: Json, content: Content) -> None:
    """Write card and content to a folder, which replaces an older index there as a whole."""
    with INDEX.saving(path, facts) as folder:
        np.save(folder / VECTORS, content.vectors, allow_pickle=False)
        with (folder / ROWS).open("wb") as copy:
            content.rows.copy_to(copy)
        if content.retriever.graph is not None:
            write_graph(content.retriever.graph, folder / GRAPH)
            np.save(folder / APART, content.retriever.apart, allow_pickle=False)
        if len(content.removed):
            np.save(folder / REMOVED, content.removed, allow_pickle=False)


def open_content(path: Path, *, outdated: bool = False) -> tuple[Json, Content]:
    """Return card and content of a saved index, whose hashes are checked before all else.

    Raises IndexFileError for a damaged one, OutdatedIndex where ids were forgotten from its table
    since it was made, unless it may be `outdated`. Where another index takes its place meanwhile,
    that one is opened: files of two never come together.
    """
    while True:
        before = INDEX.peek(path)["sha256"]
        try:
            opened = _opened(path, outdated=outdated)
        except IndexFileError:
            if INDEX.peek(path)["sha256"] == before:
                raise
        else:
            if INDEX.peek(path)["sha256"] == before:
                return opened


def _opened(path: Path, *, outdated: bool) -> tuple[Json, Content]:
    import pyarrow as pa

    try:
        facts = INDEX.read(path)
        origin = facts["origin"]
        if not outdated:
            INDEX.require_not_forgotten(origin["table"], origin["version"], origin.get("table_id"))
        return facts, _read(path, facts)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, SyntaxError) as error:
        raise IndexFileError(f"{path} is no complete index: {error}.", fix=INDEX.mend) from error
    except (pa.ArrowException, TokenError) as error:
        raise IndexFileError(f"{path} is no complete index: {error}.", fix=INDEX.mend) from error


def _read(path: Path, facts: Json) -> Content:
    """Read what belongs together; raise ValueError where it does not."""
    rows = Rows((path / ROWS).open("rb"))
    vectors = np.load(path / VECTORS, mmap_mode="r", allow_pickle=False)
    expected = (len(rows), facts["dim"])
    if EncoderCard.from_json(facts["encoder"]).dim != facts["dim"]:
        raise ValueError(f"its encoder does not make vectors of {facts['dim']} numbers")
    if vectors.dtype != np.float32 or vectors.shape != expected or not len(rows):
        raise ValueError(f"{VECTORS} is {vectors.dtype} {vectors.shape}, not float32 {expected}")
    removed = _places(path / REMOVED, facts, len(rows))
    if facts["method"] == FLAT:
        return Content(rows, Retriever(vectors), removed)
    if facts["method"] not in KINDS:
        raise ValueError(f"an index of kind {facts['method']!r} is not known")
    if str(DEPTHS[0]) not in facts["curve"]["efforts"] or not {"aim", "recall"} <= facts.keys():
        raise ValueError("its card does not say how far it searches, and what for")
    graph, apart = (
        read_graph(GRAPHS[facts["method"]], path / GRAPH),
        _places(path / APART, facts, len(rows)),
    )
    if (len(graph) + len(apart), graph.index.d) != expected:
        raise ValueError(f"{GRAPH} has {len(graph)} entries of {graph.index.d} numbers")
    return Content(rows, Retriever(vectors, graph, apart), removed)


def _places(path: Path, facts: Json, rows: int) -> NDArray[np.int64]:
    """Read rising places of rows; where the card states no such file there are none."""
    if path.name not in facts["files"]:
        return np.empty(0, np.int64)
    places: NDArray[np.int64] = np.load(path, allow_pickle=False)
    if places.dtype != np.int64 or places.ndim != 1 or (np.diff(places) <= 0).any():
        raise ValueError(f"{path.name} holds no rising places")
    if len(places) and not 0 <= places[0] <= places[-1] < rows:
        raise ValueError(f"{path.name} holds places beyond the {rows} rows")
    return places
