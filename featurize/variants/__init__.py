"""Graphs of lower precision: a bundle's own, else derived from fp32 once and kept in the cache."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from featurize import storage
from featurize.bundle import LOWER, Bundle, lowered
from featurize.cache import cache_folder
from featurize.config import Precision
from featurize.errors import FeaturizeError, MissingExtra, RuntimeUnavailable
from featurize.variants.fp16 import to_fp16
from featurize.variants.int8 import require_products, to_int8, without_products

__all__ = [
    "derive",
    "is_at_hand",
    "kept_graphs",
    "read_graph",
    "require_derivable",
    "without_products",
]

_DERIVATIONS = {Precision.FP16: to_fp16, Precision.INT8: to_int8}
_RECIPE = 1  # to be raised whenever other graphs come out


def read_graph(bundle: Bundle, name: str, precision: Precision) -> bytes:
    """Return a graph of a bundle that computes in a precision, after its SHA-256 was checked.

    fp32 and bf16 are computed from one graph; fp16 and int8 have graphs of their own, which the
    bundle holds, or which are derived when they are first asked for. Raises MissingExtra where that
    takes the package `onnx` and it is not installed, RuntimeUnavailable where an encoder cannot be
    computed in that precision.
    """
    if (own := _own(bundle, name, precision)) is not None:
        return bundle.read(own)
    folder = _folder(bundle.graphs[name], precision)
    if (graph := _kept(folder)) is not None:
        return graph
    with storage.lock(folder.with_name(f".{folder.name}.lock"), wait=True):
        if (graph := _kept(folder)) is not None:  # another process was first
            return graph
        storage.remove(folder)  # what a killed one left
        graph = derive(bundle, name, precision)
        storage.make_folder(folder)
        storage.put(folder / f"{storage.sha256_bytes(graph)}.onnx", graph)
        return graph


def is_at_hand(bundle: Bundle, precision: Precision) -> bool:
    """Say whether the graphs of a bundle can be read without deriving one first."""
    return all(
        _own(bundle, name, precision) or any(_folder(graph, precision).glob("*.onnx"))
        for name, graph in bundle.graphs.items()
    )


def require_derivable(bundle: Bundle, precision: Precision) -> None:
    """Raise what `read_graph` would, as far as the fp32 graphs show it without deriving."""
    if precision not in _DERIVATIONS:
        return
    _require_onnx(precision)
    if precision is Precision.INT8:
        import onnx

        for name in bundle.graphs:
            require_products(onnx.load_from_string(bundle.read(name)))


def kept_graphs(bundle: Bundle) -> list[Path]:
    """Return the files of all graphs that were derived from a bundle's."""
    folder, graphs = cache_folder() / "graphs", bundle.graphs.values()
    return sorted(path for graph in graphs for path in folder.glob(f"{graph[:32]}-*/*.onnx"))


def derive(bundle: Bundle, name: str, precision: Precision) -> bytes:
    """Derive a graph from one of fp32, past the cache; raises what `read_graph` does."""
    _require_onnx(precision)
    try:
        return _DERIVATIONS[precision](bundle.read(name))
    except FeaturizeError:
        raise
    except Exception as error:  # the tools raise whatever they met in the graph
        raise RuntimeUnavailable(
            f"{bundle.card.name} cannot be computed in {precision}: its graph could not be derived "
            f"({type(error).__name__}: {error}).",
            fix="Use --precision fp32.",
        ) from error


def _own(bundle: Bundle, name: str, precision: Precision) -> str | None:
    """Return the file of the bundle that is a graph in a precision, None where none is."""
    own = lowered(name, precision) if precision in LOWER else name
    return own if own in bundle.files else None


def _folder(graph: str, precision: Precision) -> Path:
    """Return where what is derived from the graph of a SHA-256 is kept."""
    import onnxruntime

    name = f"{graph[:32]}-{precision}-{_RECIPE}-{onnxruntime.__version__}"
    return cache_folder() / "graphs" / name


def _kept(folder: Path) -> bytes | None:
    """Return a derived graph, which is named by its SHA-256; None where there is no sound one."""
    for path in sorted(folder.glob("*.onnx")):
        graph = path.read_bytes()
        if storage.sha256_bytes(graph) == path.stem:
            return graph
    return None


def _require_onnx(precision: Precision) -> None:
    if find_spec("onnx") is None:
        raise MissingExtra(f"--precision {precision}", "precisions")
