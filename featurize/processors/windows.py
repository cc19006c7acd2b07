"""Windows over a text that is longer than an encoder reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from featurize.errors import InputRejected
from featurize.processors.cutting import next_cut
from featurize.types import RejectReason, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

_SOLID = re.compile(r"\S")
_STRETCH = 64  # characters that are tokenized at once, per token of a window


@dataclass(frozen=True, slots=True)
class Window:
    """The characters `start` to before `end` of a text, and their sample."""

    start: int
    end: int
    sample: Sample


class Cutter:
    """Cuts texts into windows of at most `capacity` tokens, which share about `overlap`.

    Edges are moved back to white space, as far as half of what a window adds to the one before it.
    `tokenizer` must not truncate. Takes time and memory in proportion to the text, a stretch of
    which is tokenized at a time.
    """

    def __init__(self, tokenizer: Tokenizer, capacity: int, overlap: int) -> None:
        self._tokenizer = tokenizer
        self._capacity = capacity
        self._overlap = overlap
        self._leeway = (capacity - overlap) // 2
        self._advance = max(1, (capacity - overlap) // 4)

    def cut(
        self, text: str, read: Callable[[str], Sample | InputRejected]
    ) -> Iterator[Window | None]:
        """Yield the windows of a text in order, None for one without a token.

        Every character but white space lies in one. `read` makes the sample of a window as of a
        text of its own, so that it decides whether a window fits. Raises InputRejected.
        """
        tokens, start = _Tokens.none(), 0
        while True:
            tokens = self._tokens(text, start, tokens)
            end, sample = self._longest(text, start, tokens, read)
            yield None if sample is None else Window(start, end, sample)
            if end == len(text):
                return
            start = self._next(text, start, end, tokens)

    def _tokens(self, text: str, start: int, known: _Tokens) -> _Tokens:
        """Return tokens from `start` on: more than a window holds, or all that are left."""
        if known.end == len(text) or len(known) - known.after(start) > self._capacity:
            return known
        length = _STRETCH * self._capacity
        while True:
            end = next_cut(text, start + length)
            encoding = self._tokenizer.encode(text[start:end], add_special_tokens=False)
            tokens = _Tokens.of(encoding.offsets, start, end)
            if end == len(text) or len(tokens) > self._capacity:
                return tokens
            length = 2 * (end - start)

    def _longest(
        self, text: str, start: int, tokens: _Tokens, read: Callable[[str], Sample | InputRejected]
    ) -> tuple[int, Sample | None]:
        """Return the end and the sample of the longest window from `start` that is seen whole.

        By itself a window may have more tokens than within the text; one character is never cut.
        """
        count, fewer = self._capacity, 1
        while True:
            end = self._end(text, start, tokens, count)
            sample = read(text[start:end])
            if isinstance(sample, InputRejected):
                if sample.reason is not RejectReason.EMPTY:
                    raise sample
                return end, None
            if not sample.columns["truncated"] or count == 1:
                return end, sample
            count, fewer = max(1, count - fewer), 2 * fewer

    def _end(self, text: str, start: int, tokens: _Tokens, count: int) -> int:
        """Return where a window of so many tokens ends, if possible before white space."""
        first = tokens.after(start)
        last = first + count - 1
        if last + 1 >= len(tokens):
            return len(text)
        end = int(tokens.stops[last])
        if not _SOLID.search(text, end):
            return len(text)
        floor = int(tokens.stops[max(first, last - self._leeway)])
        words = text[floor:end].rsplit(None, 1)
        if text[end].isspace() or len(words) < 2:
            return end
        return floor + len(words[0])

    def _next(self, text: str, start: int, end: int, tokens: _Tokens) -> int:
        """Return where the window after one begins: always later, if possible at a word."""
        first, past = tokens.after(start), tokens.after(end)
        least = max(first + self._advance, tokens.beginning_after(start))
        place = max(least, past - self._overlap)
        begin = end
        if place < past:
            begin = min(end, int(tokens.starts[place]))
            floor = int(tokens.starts[max(least, place - self._advance)])
            words = text[floor:begin].rsplit(None, 1)
            if len(words) == 2 and not text[begin - 1].isspace():
                begin -= len(words[1])
        solid = _SOLID.search(text, begin)
        assert solid is not None, "the last window ends with the text"
        return solid.start()


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Where the tokens of a stretch, up to `end`, start and stop in the text, (tokens,) int64."""

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    end: int

    @classmethod
    def none(cls) -> Self:
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), -1)

    @classmethod
    def of(cls, offsets: list[tuple[int, int]], start: int, end: int) -> Self:
        edges = start + np.array(offsets, np.int64).reshape(-1, 2)
        starts, stops = np.maximum.accumulate(edges, axis=0).T
        return cls(starts, stops, end)

    def __len__(self) -> int:
        return len(self.stops)

    def after(self, place: int) -> int:
        """Return the first token that stops after a place of the text."""
        return int(np.searchsorted(self.stops, place, side="right"))

    def beginning_after(self, place: int) -> int:
        """Return the first token that starts after a place of the text."""
        return int(np.searchsorted(self.starts, place, side="right"))
