"""Listed inputs to samples, on the workers: loaded, hashed, prepared, cut into pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from itertools import chain
from typing import TYPE_CHECKING

from featurize.errors import InputRejected
from featurize.pipeline.extraction import Extraction
from featurize.pipeline.slots import Draft, Prepared
from featurize.pipeline.stages import Stage
from featurize.pipeline.workers import Workers, beat
from featurize.processors import Processor
from featurize.sources import Record
from featurize.storage import sha256_bytes
from featurize.types import RejectReason, Sample

if TYPE_CHECKING:
    import pyarrow as pa

_SLICES_PER_WORKER = 2
_PIECES_PER_WINDOW = 64  # so that a worker is heard of often


def prepare_samples(listed: pa.Table, extraction: Extraction, workers: Workers) -> list[Sample]:
    """Load and prepare listed inputs; return all samples of those that are not rejected."""
    listed = listed.filter(listed.column("reason").is_null())
    records = records_of(listed)
    windows = prepared_windows(list(range(len(records))), records, extraction, workers)
    outcomes = (item.outcome for _, prepared in windows for item in prepared)
    drafts = (it for outcome in outcomes if isinstance(outcome, list) for it in outcome)
    return [sample for draft in drafts for sample in draft.piece.samples]


def records_of(listed: pa.Table) -> list[Record]:
    """Return the listed inputs as a source loads them."""
    names = ("id", "source", "content", "path")
    values = (listed.column(name).to_pylist() for name in names)
    return [Record(*record) for record in zip(*values, strict=True)]


def prepared_windows(
    positions: list[int], records: list[Record], extraction: Extraction, workers: Executor
) -> Iterator[tuple[list[int], list[Prepared]]]:
    """Yield windows of prepared inputs; while one is used, the next is being prepared."""
    size = extraction.encoder.processor.window
    windows = [positions[start : start + size] for start in range(0, len(positions), size)]

    def submit(window: list[int]) -> list[Future[list[Prepared]]]:
        length = -(-len(window) // (_SLICES_PER_WORKER * extraction.encoder.runtime.workers))
        slices = [window[start : start + length] for start in range(0, len(window), length)]
        return [
            workers.submit(_prepare, extraction, [records[place] for place in part])
            for part in slices
        ]

    ahead = [submit(window) for window in windows[:1]]
    for number, window in enumerate(windows):
        current = ahead.pop()
        ahead += [submit(following) for following in windows[number + 1 : number + 2]]
        yield window, list(chain.from_iterable(future.result() for future in current))


def _prepare(extraction: Extraction, records: Sequence[Record]) -> list[Prepared]:
    """Load, hash and prepare inputs, on one worker."""
    processor = extraction.encoder.processor
    prepared: dict[int, Prepared] = {}
    loaded: dict[int, str | bytes] = {}
    with extraction.clock.busy(Stage.READ):
        for place, record in enumerate(records):
            beat(f"reading {record.id}")
            try:
                loaded[place] = extraction.source.load(record)
            except InputRejected as rejection:
                prepared[place] = Prepared(None, rejection)
    places = list(loaded)
    size = max(1, processor.window // _PIECES_PER_WINDOW)
    with extraction.clock.busy(Stage.PREPARE):
        for piece in (places[start : start + size] for start in range(0, len(places), size)):
            beat(f"preparing {records[piece[0]].id}")
            outcomes = processor.prepare([loaded[place] for place in piece])
            for place, outcome in zip(piece, outcomes, strict=True):
                doing = f"preparing {records[place].id}"
                prepared[place] = _drafted(processor, loaded[place], outcome, doing)
    return [prepared[place] for place in range(len(records))]


def _drafted(
    processor: Processor, content: str | bytes, outcome: Sample | InputRejected, doing: str
) -> Prepared:
    """Return what becomes rows of a content, whose sample is given."""
    digest = content_digest(content)
    if isinstance(outcome, InputRejected):
        return Prepared(digest, outcome)
    try:
        pieces = processor.pieces(content, outcome, lambda: beat(doing))
    except InputRejected as rejection:
        return Prepared(digest, rejection)
    if digest is None:  # what the sample was made of ends before the character that is none
        detail = "the text holds a lone surrogate, which is no character"
        return Prepared(None, InputRejected(RejectReason.BAD_UTF8, detail))
    digests = (digest if it.window is None else sha256_bytes(it.window.encode()) for it in pieces)
    return Prepared(digest, list(map(Draft, digests, pieces)))


def content_digest(content: str | bytes) -> str | None:
    """Return the SHA-256 of bytes or of a text as UTF-8; None where it is no Unicode text."""
    try:
        return sha256_bytes(content.encode() if isinstance(content, str) else content)
    except UnicodeEncodeError:
        return None
