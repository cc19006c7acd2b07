"""Model to bundle: the only floor that loads torch, transformers or sentence-transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize import storage
from featurize.bundle import CARD, REFERENCE, Bundle, graph_names, write_card
from featurize.encoder import Encoder
from featurize.errors import ExportError, FeaturizeError, UsageError
from featurize.export.builtin import PACKAGES
from featurize.export.candidate import Candidate
from featurize.export.origin import Found, locate
from featurize.export.parity import Parity, check_parity
from featurize.export.precision import Lower, add_graph, copy_with_graph
from featurize.reference import write_reference
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Lower", "export", "ignore", "is_bundle", "locate", "lower_bundle", "write_bundle"]

EXPORTER = 1
_LIBRARIES = ("onnx", "onnxruntime", "numpy")


def ignore(line: str) -> None:
    """Say nothing."""


def export(
    model: str | Path | Found,
    out: Path,
    *,
    max_length: int | None = None,
    lower: Lower | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = ignore,
) -> Bundle:
    """Export a model, check it against the original, and write its bundle.

    `model` is `minilm`, `efficientnet-lite0`, an ONNX file, the folder or Hub id of a model of
    sentence-transformers, transformers or timm, or what `locate` found; `max_length` lowers the
    number of tokens a text may have, and `lower` adds the graph of a lower precision. The bundle
    appears whole or not at all; with `overwrite` it replaces an older one. Raises UsageError where
    `model` or `out` cannot be meant, MissingExtra without the packages it takes, ExportError for
    models that are not supported or come out unfaithful, in fp32 or the lower precision.
    """
    out = Path(out)
    _require_room(out, overwrite)
    found = locate(model) if isinstance(model, str | Path) else model
    candidate = found.load(max_length)
    for sentence in candidate.assumed:
        say(sentence)
    parity = write_bundle(candidate, out, lower)
    say(
        f"Checked against the original on {parity.inputs} inputs: vectors differ by at most "
        f"{parity.max_abs_diff:.1e}."
    )
    return Bundle.open(out)


def is_bundle(model: str | Path) -> bool:
    """Say whether a name is that of a bundle's folder, and of no built-in model."""
    return str(model) not in PACKAGES and (Path(model).expanduser() / CARD).is_file()


def lower_bundle(folder: str | Path, out: Path, lower: Lower) -> Bundle:
    """Write a new bundle that holds what the one in `folder` does, and a graph of lower precision.

    Raises UsageError where there is no room at `out` or nothing to add, MissingExtra without the
    package `onnx`, RuntimeUnavailable and ExportError where the precision cannot be had, or not
    without losing too much.
    """
    _require_room(out, overwrite=False)
    copy_with_graph(Bundle.open(Path(folder).expanduser()), out, lower)
    return Bundle.open(out)


def write_bundle(candidate: Candidate, out: Path, lower: Lower | None = None) -> Parity:
    """Write a bundle over what is at `out`, if its vectors are those of the reference.

    With `lower`, it has a graph of that precision too. Raises ExportError, and leaves `out` as it
    is, where vectors are others.
    """
    graphs = [tower.graph() for tower in candidate.towers]
    towers, expected = zip(*map(_with_vectors, candidate.towers), strict=True)
    names = graph_names(candidate.card.modalities)
    with storage.new_folder(out, overwrite=True) as staged:
        for name, graph, tower in zip(names, graphs, towers, strict=True):
            (staged / name).write_bytes(graph)
            (staged / tower.preparation[0]).write_bytes(tower.preparation[1])
        contents = [content for tower in towers for content in tower.contents]
        write_reference(staged / REFERENCE, contents, np.concatenate(expected))
        parity = _check(staged, towers, expected)
        write_card(staged, candidate.card, _provenance(candidate, parity))
        if lower is not None:
            add_graph(staged, lower)
    return parity


def _with_vectors(candidate: Candidate) -> tuple[Candidate, NDArray[np.float32]]:
    """Return the candidate without inputs that have no vector in the original, and the vectors.

    To tables of tokens, some words are nothing: their vectors are zeros, which become rejects.
    """
    expected = _reference_vectors(candidate)
    kept = np.flatnonzero(expected.any(axis=1))
    contents = [candidate.contents[int(row)] for row in kept]
    return replace(candidate, contents=contents), expected[kept]


def _reference_vectors(candidate: Candidate) -> NDArray[np.float32]:
    """Encode with the original; with torch on one thread, whose number last bits depend on."""
    if "torch" not in candidate.libraries:
        return candidate.encode(candidate.contents, "")
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return candidate.encode(candidate.contents, "")
    finally:
        torch.set_num_threads(threads)


def _check(
    staged: Path, towers: Sequence[Candidate], expected: Sequence[NDArray[np.float32]]
) -> Parity:
    """Open the staged files as a user would, under a provisional card, and compare."""
    write_card(staged, towers[0].card, {})
    encoder = Encoder.open(Bundle.open(staged), device="cpu")
    try:
        checked = [check_parity(encoder, *pair) for pair in zip(towers, expected, strict=True)]
    except FeaturizeError:
        raise
    except Exception as error:  # a runtime has kinds of its own for inputs that a graph refuses
        raise ExportError(
            f"The export of {encoder.card.name} is not faithful: its graph does not take what its "
            f"preparation gives ({error}). Nothing was written."
        ) from error
    return Parity(
        max_abs_diff=max(parity.max_abs_diff for parity in checked),
        min_cosine=min(parity.min_cosine for parity in checked),
        inputs=sum(parity.inputs for parity in checked),
    )


def _provenance(candidate: Candidate, parity: Parity) -> Json:
    """Return how the bundle was made, without times and places."""
    libraries = (*_LIBRARIES, *candidate.libraries)
    stated: Json = {"revision": candidate.revision, "assumed": list(candidate.assumed)}
    return {
        "exporter": EXPORTER,
        "source": candidate.source,
        "license": candidate.license,
        "parity": asdict(parity),
        "libraries": {name: str(import_module(name).__version__) for name in libraries},
        **{name: value for name, value in stated.items() if value},
    }


def _require_room(out: Path, overwrite: bool) -> None:
    """Raise UsageError where a folder is in the way; only a bundle is ever replaced."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if overwrite and (out / CARD).is_file():
        return
    raise UsageError(
        f"{out} exists already.", fix="Choose another folder for the bundle, or remove this one."
    )
