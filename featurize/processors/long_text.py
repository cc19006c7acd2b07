"""Long texts as windows, each read as if it were a text of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from featurize.config import Reading
from featurize.errors import InputRejected, UsageError
from featurize.processors.text import TextProcessor
from featurize.processors.windows import Cutter, Window
from featurize.types import Piece, RejectReason, Sample

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_DEFAULT_SHARE = 8  # of a window, that the next one shares


class LongTextProcessor(TextProcessor):
    """Cuts texts that are longer than the encoder reads into windows that overlap.

    Each becomes a row, or a sample of the text's one row where the reading pools them. What is
    prepared as a single text is read as by a TextProcessor, cut.
    """

    def __init__(self, tokenizer: Tokenizer, max_length: int, reading: Reading) -> None:
        whole = type(tokenizer).from_str(tokenizer.to_str())
        whole.no_padding()
        whole.no_truncation()
        super().__init__(tokenizer, max_length, reading)
        capacity = max(1, max_length - len(whole.encode(self._prompt)))
        self._cutter = Cutter(whole, capacity, _overlap(reading, capacity))
        self._pools = reading.pool is not None
        if not self._pools:
            of_window = {"parent_id": "string", "parent_sha256": "string"}
            of_window |= {"char_start": "int32", "char_end": "int32"}
            self.columns = of_window | TextProcessor.columns

    def pieces(
        self, content: str | bytes, sample: Sample, on_window: Callable[[], None]
    ) -> list[Piece]:
        """Make a row of each window of a text, or one of all; raise InputRejected."""
        text = str(content)
        windows = list(self._windows(text, sample, on_window))
        if not windows:
            detail = "no window of the text has a token the encoder knows"
            raise InputRejected(RejectReason.EMPTY, detail)
        if not self._pools:
            return [_as_row(text, window) for window in windows]
        samples = tuple(window.sample for window in windows)
        columns: dict[str, str | int | bool] = {
            "text": text,
            "n_tokens": sum(int(sample.columns["n_tokens"]) for sample in samples),
            "truncated": any(sample.columns["truncated"] for sample in samples),
        }
        return [Piece(samples, columns)]

    def _windows(
        self, text: str, sample: Sample, on_window: Callable[[], None]
    ) -> Iterator[Window]:
        if not sample.columns["truncated"]:
            yield Window(0, len(text), sample)
            return
        try:
            for window in self._cutter.cut(text, self._read):
                on_window()
                if window is not None:
                    yield window
        except TypeError:
            detail = "the text holds a lone surrogate, which is no character"
            raise InputRejected(RejectReason.BAD_UTF8, detail) from None

    def _read(self, window: str) -> Sample | InputRejected:
        """Prepare a window as a text of its own."""
        return self._prepare_one(self._prompt + window)


def _as_row(text: str, window: Window) -> Piece:
    place: dict[str, str | int | bool] = {"char_start": window.start, "char_end": window.end}
    part = text[window.start : window.end]
    return Piece((window.sample,), window.sample.columns | place, part)


def _overlap(reading: Reading, capacity: int) -> int:
    """Return the tokens that windows share; raise UsageError where nothing else would be left."""
    if reading.overlap is None:
        return capacity // _DEFAULT_SHARE
    if reading.overlap >= capacity:
        raise UsageError(
            f"--overlap expects fewer tokens than a window of this encoder holds, {capacity:,}; "
            f"got {reading.overlap:,}.",
            fix="Windows that share an eighth of their tokens are the default.",
        )
    return reading.overlap
