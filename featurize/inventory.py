"""The encoders at hand: those that are built in, and what the cache holds, sound or not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from featurize.bundle import Bundle
from featurize.cache import kept, measured
from featurize.catalog import BUILT_IN, cached_folders, unfinished_folders
from featurize.config import Precision, RuntimeName
from featurize.encoder import Encoder
from featurize.errors import FeaturizeError
from featurize.export import ignore
from featurize.known import KnownInputs
from featurize.runtimes import choose_place
from featurize.runtimes.devices import hardware
from featurize.types import Json
from featurize.variants import is_at_hand, kept_graphs

_PLACE = ("device", "precision", "graph", "library")
_INPUTS = 128
_SECONDS = 3.0  # for measuring a rate
_DAMAGES = (FeaturizeError, OSError, ValueError, TypeError, KeyError, AttributeError)


class State(StrEnum):
    """Whether an encoder can be used at once."""

    READY = "ready"
    ABSENT = "exported at first use"
    UNFINISHED = "unfinished"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Rate:
    """How many inputs of a cost (tokens of a text) an encoder encodes a second here, all told."""

    per_second: float
    cost: int
    precision: str
    device: str
    library: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One encoder at hand; what is not known of it is None.

    `bytes` are those of its folder and of the graphs derived from it; `precisions` can be computed
    here without deriving another. `problem` says what is wrong with a damaged one, or
    why its rate was not measured.
    """

    name: str
    state: State
    built_in: bool
    path: str | None = None
    modality: str | None = None
    dim: int | None = None
    max_length: int | None = None
    bytes: int = 0
    license: str | None = None
    fingerprint: str | None = None
    precisions: tuple[str, ...] = ()
    rates: tuple[Rate, ...] = ()
    problem: str | None = None


# what the sums that pin their weights stand for
_BUILT_IN = {
    "minilm": Entry("minilm", State.ABSENT, True, None, "text", 384, 256, license="apache-2.0"),
    "efficientnet-lite0": Entry(
        "efficientnet-lite0", State.ABSENT, True, None, "image", 1280, license="apache-2.0"
    ),
}


def list_encoders(*, measure: bool = False, say: Callable[[str], None] = ignore) -> list[Entry]:
    """List built-in encoders, then the rest of the cache; files are checked, nothing is loaded.

    With `measure`, those that are ready are loaded, and run where their rate is not known yet.
    """
    found = {folder.name: _entry(folder, say if measure else None) for folder in cached_folders()}
    listed = [found.pop(name, _BUILT_IN[name]) for name in BUILT_IN]
    return [*listed, *found.values(), *map(_unfinished, unfinished_folders())]


def _entry(folder: Path, say: Callable[[str], None] | None) -> Entry:
    """Describe what lies in a folder; its rate is measured, and that said, where `say` is given."""
    entry = Entry(
        folder.name, State.DAMAGED, folder.name in BUILT_IN, str(folder), bytes=_bytes([folder])
    )
    try:
        bundle = Bundle.open(folder)
        described = _described(entry, bundle)
    except _DAMAGES as error:
        message = error.message if isinstance(error, FeaturizeError) else repr(error)
        return replace(entry, problem=message)
    return described if say is None else _with_rate(described, bundle, say)


def _unfinished(folder: Path) -> Entry:
    name = folder.name[1:].rpartition(".")[0]
    return Entry(name, State.UNFINISHED, name in BUILT_IN, str(folder), bytes=_bytes([folder]))


def _described(entry: Entry, bundle: Bundle) -> Entry:
    card = bundle.card
    return replace(
        entry,
        name=str(card.name),
        state=State.READY,
        modality="+".join(card.modalities),
        dim=card.dim,
        max_length=card.space.max_length or None,
        bytes=_bytes([bundle.path, *kept_graphs(bundle)]),
        license=bundle.export.get("license"),
        fingerprint=card.fingerprint,
        precisions=tuple(str(name) for name in Precision if _is_computed(bundle, name)),
        rates=tuple(_rates(bundle)),
    )


def _is_computed(bundle: Bundle, precision: Precision) -> bool:
    """Say whether a precision needs nothing that is not here."""
    if precision is Precision.AUTO or not is_at_hand(bundle, precision):
        return False
    try:
        choose_place("auto", RuntimeName.AUTO, precision)
    except FeaturizeError:
        return False
    return True


def _rates(bundle: Bundle) -> Iterator[Rate]:
    """Give what was measured with the bundle's graph on this machine."""
    for key, value in kept("rate"):
        if not key.keys() >= {*_PLACE, "cost", "hardware"}:
            continue
        if key["graph"] != bundle.graph_for(str(key["precision"])):
            continue
        if key["hardware"] == hardware(key["device"]):
            yield Rate(value, key["cost"], key["precision"], key["device"], key["library"])


def _with_rate(entry: Entry, bundle: Bundle, say: Callable[[str], None]) -> Entry:
    """Measure the rate of a bundle where it usually runs, unless that was done before."""
    say(f"Measuring {entry.name} ...")
    try:
        _measure(bundle)
    except FeaturizeError as error:
        return replace(entry, problem=error.message)
    return replace(entry, rates=tuple(_rates(bundle)))


def _measure(bundle: Bundle) -> None:
    encoder = Encoder.open(bundle)
    key: Json = {name: encoder.variant[name] for name in _PLACE}
    key["hardware"] = hardware(encoder.runtime.device)
    inputs, key["cost"] = _usual(encoder)
    measured("rate", key, lambda: _rate(encoder, inputs))


def _rate(encoder: Encoder, inputs: list[str | bytes]) -> float:
    encoder.encode(inputs)  # loads the graph, and prepares it for these shapes
    began, done = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < _SECONDS:
        encoder.encode(inputs)
        done += len(inputs)
    return done / spent


def _usual(encoder: Encoder) -> tuple[list[str | bytes], int]:
    """Return known inputs of one usual cost, often enough to fill batches, and that cost.

    They are texts where the encoder takes texts and images.
    """
    known = KnownInputs(encoder)
    pairs = list(zip(known.contents, known.samples(), strict=True))
    pairs = [pair for pair in pairs if pair[1].kind == pairs[0][1].kind]
    costs = [sample.cost for _, sample in pairs]
    usual = sorted(costs)[len(costs) * 3 // 4]
    inputs = [item for item, sample in pairs if sample.cost == usual]
    return inputs * -(-_INPUTS // len(inputs)), usual


def _bytes(places: list[Path]) -> int:
    """Return the size of files, and of all files in folders; what vanishes meanwhile is nothing."""
    total = 0
    for place in places:
        for path in [place, *place.rglob("*")]:
            try:
                total += path.lstat().st_size if path.is_file() else 0
            except OSError:
                continue
    return total
