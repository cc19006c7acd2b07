"""Graphs of lower precision as parts of a bundle, each held against the vectors of fp32."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from featurize import storage
from featurize.bundle import LOWER, Bundle, lowered, write_card
from featurize.config import Precision, RuntimeName
from featurize.encoder import Encoder
from featurize.errors import ExportError, UsageError
from featurize.fidelity import Fidelity
from featurize.known import LEAST_COSINE, KnownInputs
from featurize.runtimes import choose_place, open_runtime
from featurize.types import Json
from featurize.variants import derive

LEAST_NEIGHBOURS = {Precision.FP16: 0.9, Precision.INT8: 0.8}
_LIBRARIES = ("onnx", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Lower:
    """A precision whose graph a bundle is to hold, and whether it may lose more than it should.

    Raises UsageError for a precision that has no graph of its own.
    """

    precision: Precision
    accept_loss: bool = False

    def __post_init__(self) -> None:
        """Refuse a precision that is computed from the fp32 graph."""
        if self.precision not in LOWER:
            raise UsageError(
                f"A bundle can hold graphs of {' and '.join(LOWER)}; got {self.precision}.",
                fix="Leave --precision out: fp32 is in every bundle, and bf16 is computed from it.",
            )


@dataclass(frozen=True, slots=True)
class LowerGraph:
    """What was derived from the graphs of a bundle, by name, and what a card states about it."""

    precision: Precision
    graphs: dict[str, bytes]
    stated: Json

    @classmethod
    def of(cls, bundle: Bundle, lower: Lower) -> LowerGraph:
        """Derive the graphs of a precision, and run them on the bundle's known inputs.

        Raises MissingExtra without the package `onnx`, RuntimeUnavailable where the encoder cannot
        be computed so, ExportError where it loses more than was accepted.
        """
        graphs = {name: derive(bundle, name, lower.precision) for name in bundle.graphs}
        place = choose_place("cpu", RuntimeName.AUTO, lower.precision)
        reads = [partial(_as_it_is, graph) for graph in graphs.values()]
        encoder = Encoder(bundle, open_runtime(reads, place))
        fidelity = KnownInputs(encoder).fidelity()
        stated = {
            **asdict(fidelity),
            "accepted_loss": _require_faithful(bundle.card.name, lower, fidelity),
            "libraries": {name: str(import_module(name).__version__) for name in _LIBRARIES},
        }
        return cls(lower.precision, graphs, stated)

    def add_to(self, folder: Path, bundle: Bundle) -> None:
        """Write the graph and a card into a folder that holds the other files of a bundle."""
        for name, graph in self.graphs.items():
            (folder / lowered(name, self.precision)).write_bytes(graph)
        before = bundle.export.get("precisions")
        precisions = {**(before if isinstance(before, dict) else {}), self.precision: self.stated}
        write_card(folder, bundle.card, {**bundle.export, "precisions": precisions})


def add_graph(folder: Path, lower: Lower) -> None:
    """Add the graph of a precision to a bundle that is being made."""
    bundle = Bundle.open(folder)
    LowerGraph.of(bundle, lower).add_to(folder, bundle)


def copy_with_graph(bundle: Bundle, out: Path, lower: Lower) -> None:
    """Write a bundle that holds what another does, and the graph of a precision.

    Raises what `LowerGraph.of` does, and leaves `out` as it is then.
    """
    if any(lowered(name, lower.precision) in bundle.files for name in bundle.graphs):
        raise UsageError(f"{bundle.path} holds a graph in {lower.precision} already.")
    graph = LowerGraph.of(bundle, lower)
    with storage.new_folder(out, overwrite=True) as staged:
        for name in bundle.files:
            (staged / name).write_bytes(bundle.read(name))
        graph.add_to(staged, bundle)


def _as_it_is(graph: bytes, _precision: Precision) -> bytes:
    return graph


def _require_faithful(name: str, lower: Lower, fidelity: Fidelity) -> bool:
    """Say whether a loss is accepted; raise ExportError for one that is not, and for no vectors."""
    cosine, neighbours = LEAST_COSINE[lower.precision], LEAST_NEIGHBOURS[lower.precision]
    if fidelity.min_cosine >= cosine and fidelity.neighbours_kept >= neighbours:
        return False
    if not math.isfinite(fidelity.min_cosine):
        raise ExportError(
            f"{name} cannot be computed in {lower.precision}: the vectors of some known inputs are "
            "zeros or no numbers. Nothing was written.",
            fix="Use fp32, or another precision.",
        )
    if lower.accept_loss:
        return True
    raise ExportError(
        f"{name} loses too much in {lower.precision}: on {fidelity.inputs} known inputs the least "
        f"cosine to fp32 is {fidelity.min_cosine:.4f} ({cosine} or more is expected), and "
        f"{fidelity.neighbours_kept:.0%} of the 10 nearest neighbours stay ({neighbours:.0%} or "
        "more). Nothing was written.",
        fix="Use fp32, or another precision; or accept the loss, which the card then states, with "
        "--accept-loss.",
    )
