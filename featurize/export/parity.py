"""The gate every export passes: its vectors are those of the model it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from featurize.config import Prompt, Reading
from featurize.encoder import Encoder
from featurize.errors import ExportError, InputRejected
from featurize.export.candidate import Candidate
from featurize.types import Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-5
_DEEP = 12  # layers, above which rounding adds up
_DEEP_TOLERANCE = 5e-5
_DEEP_COSINE = 0.999999
_FEWEST = 16
_PADDED_ROWS = 8
_PROMPTED = 8  # every so many inputs are encoded with every prompt
_REPORT = "This model cannot be used; please report it."
_PADDED_COST = 512  # longer rows side by side would need gigabytes for their attention


@dataclass(frozen=True, slots=True)
class Parity:
    """How far vectors are from the reference, over `inputs` inputs and every way of encoding.

    `max_abs_diff` is the largest difference in any dimension, relative to the row's L2 norm.
    """

    max_abs_diff: float
    min_cosine: float
    inputs: int


def check_parity(encoder: Encoder, candidate: Candidate, expected: NDArray[np.float32]) -> Parity:
    """Encode the reference inputs as users will, and in every other way a graph is called.

    `expected` are the reference's vectors (n, dim) float32. Raises ExportError with the figure and
    the worst input where a difference is above the tolerance.
    """
    if len(expected) < _FEWEST:
        raise ExportError(
            f"{candidate.card.name} gives vectors for {len(expected)} of the known inputs alone: "
            "too few to check an export. Is its tokenizer its own?",
            fix="Bring a whole copy of the model.",
        )
    _require_same_ids(encoder, candidate)
    found = []
    for way, rows, ours, theirs in _passes(encoder, candidate, expected):
        found.append(_compare(ours, theirs))
        difference, cosine = found[-1]
        worst = int(np.argmax(np.where(np.isnan(difference), np.inf, difference)))
        _require(candidate, way, rows[worst], float(difference[worst]), float(cosine.min()))
    return Parity(
        max_abs_diff=float(max(difference.max() for difference, _ in found)),
        min_cosine=float(min(cosine.min() for _, cosine in found)),
        inputs=len(candidate.contents),
    )


_Pass: TypeAlias = "tuple[str, list[int], NDArray[np.float32], NDArray[np.float32]]"


def _passes(
    encoder: Encoder, candidate: Candidate, expected: NDArray[np.float32]
) -> Iterator[_Pass]:
    """Yield how inputs were encoded, which of them, their vectors, and those of the reference."""
    contents = list(candidate.contents)
    everything = list(range(len(contents)))
    usual, encoder.budget = encoder.budget, 1
    yield "one by one", everything, encoder.encode(contents), expected
    encoder.budget = usual
    twice = [*everything, *everything]
    yield "in batches", twice, encoder.encode(contents * 2), expected[twice]
    for rows, vectors in _padded(encoder, contents):
        yield "padded", rows, vectors, expected[rows]
    yield from _prompted(encoder, candidate)


def _prompted(encoder: Encoder, candidate: Candidate) -> Iterator[_Pass]:
    """Encode some inputs with every prompt the source knows, and as it does where none is named."""
    card = candidate.card
    rows = list(range(0, len(candidate.contents), _PROMPTED))
    contents = [candidate.contents[row] for row in rows]
    for role in (None, *candidate.roles) if candidate.roles else ():
        text = card.prompts.get(role or card.default_prompt or "", "")
        reading = Reading(prompt=Prompt(role, text))
        found = Encoder(encoder.bundle, encoder.runtime, reading).encode(contents)
        way = f"with the prompt of {role!r}" if role else "with the default prompt"
        yield way, rows, found, candidate.encode(contents, role)


def _require_same_ids(encoder: Encoder, candidate: Candidate) -> None:
    """Raise ExportError where a text too long to compare its vector has other token ids.

    Texts that the product rejects as too costly to read have none.
    """
    texts = [text for text, _ in candidate.overlong]
    for sample, (text, expected) in zip(
        encoder.processor.prepare(texts), candidate.overlong, strict=True
    ):
        if isinstance(sample, InputRejected):
            continue
        found = sample.features["input_ids"].tolist()
        if found != list(expected):
            raise ExportError(
                f"The export of {candidate.card.name} is not faithful: of {text[:60]!r}, it reads "
                f"{len(found)} tokens, the original {len(expected)}, or others. Nothing was "
                "written.",
                fix=_REPORT,
            )


def _padded(
    encoder: Encoder, contents: list[str | bytes]
) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    """Encode inputs of different lengths side by side, where the graph has a mask for that."""
    with ThreadPoolExecutor(1) as worker:
        prepared = encoder.prepare(contents, worker)
    samples = [(row, sample) for row, sample in enumerate(prepared) if _is_short(sample)]
    for start in range(0, len(samples), _PADDED_ROWS):
        rows, members = zip(*samples[start : start + _PADDED_ROWS], strict=True)
        inputs = [encoder.processor.collate([member]) for member in members]
        if "attention_mask" not in inputs[0]:
            return
        yield (
            list(rows),
            encoder.runtime.run(
                {name: _stack_padded([one[name][0] for one in inputs]) for name in inputs[0]}
            ),
        )


def _is_short(sample: Sample | InputRejected) -> bool:
    return isinstance(sample, Sample) and sample.cost <= _PADDED_COST


def _stack_padded(rows: list[NDArray[np.generic]]) -> NDArray[np.generic]:
    """Stack rows of different lengths, with zeros after the shorter ones."""
    stacked = np.zeros((len(rows), max(map(len, rows))), dtype=rows[0].dtype)
    for target, row in zip(stacked, rows, strict=True):
        target[: len(row)] = row
    return stacked


def _compare(
    vectors: NDArray[np.float32], expected: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each row the largest difference relative to its norm, and the cosine."""
    ours, theirs = vectors.astype(np.float64), expected.astype(np.float64)
    norms = np.linalg.norm(theirs, axis=1)
    with np.errstate(invalid="ignore"):  # a vector of zeros gives NaN, which no tolerance admits
        cosine = (ours * theirs).sum(axis=1) / (norms * np.linalg.norm(ours, axis=1))
        return np.abs(ours - theirs).max(axis=1) / norms, cosine


def _require(candidate: Candidate, way: str, row: int, difference: float, cosine: float) -> None:
    """Raise ExportError unless the figures are within the tolerance; NaN is not."""
    deep = candidate.layers > _DEEP
    allowed = _DEEP_TOLERANCE if deep else TOLERANCE
    if difference <= allowed and (not deep or cosine >= _DEEP_COSINE):
        return
    content = candidate.contents[row]
    name = repr(content[:60]) if isinstance(content, str) else f"reference image {row}"
    raise ExportError(
        f"The export of {candidate.card.name} is not faithful: encoded {way}, its vectors differ "
        f"by up to {difference:.2e} of their length (allowed: {allowed:.0e}; smallest cosine "
        f"{cosine:.7f}), most for {name}. Nothing was written.",
        fix=_REPORT,
    )
