"""Texts to token ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.config import Overflow, Reading
from featurize.errors import InputRejected, UsageError
from featurize.processors.cutting import MAX_UNBROKEN, UNBROKEN, next_cut, too_long
from featurize.types import Piece, RejectReason, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Encoding, Tokenizer

CHARS_PER_TOKEN = 16
MAX_READ = 4 * MAX_UNBROKEN  # or CHARS_PER_TOKEN for each token of a long context


class TextProcessor:
    """Tokenizes texts behind the prompt and says which were longer than the encoder reads.

    Features: `input_ids` (n_tokens,) int64; with a tokenizer that pads to a fixed length, that
    many, and no mask tells the encoder which are padding. A text is rejected as `too_long` if it
    has over 32,768 characters without a place to cut it (white space, or between ideographs), or if
    131,072, or 16 for each token the encoder reads, do not fill the encoder.
    """

    columns = {"text": "string", "n_tokens": "int32", "truncated": "bool"}  # noqa: RUF012
    content_column: str | None = "text"
    window = 8192
    budget = 1024
    chunk_bytes = 2 << 20

    def __init__(self, tokenizer: Tokenizer, max_length: int, reading: Reading) -> None:
        self._padding = _padding(tokenizer)
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length)
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._most = max(MAX_READ, CHARS_PER_TOKEN * max_length)
        self._short = min(CHARS_PER_TOKEN * max_length, MAX_UNBROKEN)
        self._overflow = reading.overflow
        self._prompt = reading.prompt.text if reading.prompt else ""
        if self._prompt and len(tokenizer.encode(self._prompt).ids) >= max_length:
            raise UsageError(
                f"The prompt leaves no room for a text: the encoder reads {max_length} tokens.",
                fix="Give a shorter --prompt.",
            )

    def admit(self, value: Any) -> str | bytes:
        """Return a text as it is."""
        if not isinstance(value, str):
            raise TypeError(f"Expected a text (str), got {type(value).__name__}: {value!r:.80}")
        return value

    def prepare(self, contents: Sequence[str | bytes]) -> list[Sample | InputRejected]:
        """Tokenize texts; one that cannot be tokenized becomes its rejection."""
        texts = [self._prompt + str(content) for content in contents]
        try:
            if all(len(text) <= self._short for text in texts):
                encodings = self._tokenizer.encode_batch(texts)
                return [self._sample(*pair) for pair in zip(texts, encodings, strict=True)]
        except TypeError:  # one text holds a lone surrogate: find it below
            pass
        return [self._prepare_one(text) for text in texts]

    def pieces(
        self, _content: str | bytes, sample: Sample, _on_window: Callable[[], None]
    ) -> list[Piece]:
        """Make one row of a text."""
        return [Piece.whole(sample)]

    def collate(self, samples: Sequence[Sample]) -> dict[str, NDArray[np.generic]]:
        """Stack token ids of equal length: `input_ids`, `attention_mask` (n, tokens) int64.

        There is no mask where texts are padded.
        """
        ids = np.stack([sample.features["input_ids"] for sample in samples])
        mask = {} if len(self._padding) else {"attention_mask": np.ones_like(ids)}
        return {"input_ids": ids, **mask}

    def _prepare_one(self, text: str) -> Sample | InputRejected:
        try:
            return self._sample(text, self._encode(text))
        except InputRejected as rejection:
            return rejection
        except TypeError:
            detail = "the text holds a lone surrogate, which is no character"
            return InputRejected(RejectReason.BAD_UTF8, detail)

    def _sample(self, text: str, encoding: Encoding) -> Sample | InputRejected:
        ids = np.array(encoding.ids, dtype=np.int64)  # (n_tokens,)
        prompt = len(self._prompt)
        if not len(ids) or (prompt and _end(encoding) <= prompt):
            return InputRejected(RejectReason.EMPTY, "the text has no token the encoder knows")
        truncated = len(ids) >= self._max_length and _unseen(text, encoding)
        if truncated and self._overflow is Overflow.REJECT:
            detail = f"the text has more than the {self._max_length} tokens the encoder reads"
            return too_long(detail)
        columns: dict[str, str | int | bool] = {
            "text": text[prompt:],
            "n_tokens": len(ids),
            "truncated": truncated,
        }
        if len(self._padding):
            ids = np.concatenate([ids, self._padding[len(ids) :]])
        return Sample(features={"input_ids": ids}, cost=len(ids), columns=columns)

    def _encode(self, text: str) -> Encoding:
        """Tokenize the shortest prefix that fills the encoder, because tokenizers read it all.

        A prefix grows until what follows it can no longer change the ids that are kept.
        """
        length = self._short
        while (cut := next_cut(text, length)) < len(text):
            if cut > self._most:
                raise too_long(f"{self._most:,} characters do not fill the encoder")
            encoding = self._tokenizer.encode(text[:cut])
            if _is_settled(text[:cut], encoding):
                return encoding
            if encoding.overflowing and cut >= MAX_UNBROKEN:
                raise too_long(UNBROKEN)
            length = MAX_UNBROKEN if encoding.overflowing else 2 * cut
        return self._tokenizer.encode(text)


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a `tokenizer.json`."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))


def _padding(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Return the ids that a tokenizer gives a text without tokens: (length,), or none at all."""
    stated = tokenizer.padding or {}
    return np.full(stated.get("length") or 0, stated.get("pad_id", 0), np.int64)


def _is_settled(prefix: str, encoding: Encoding) -> bool:
    """Say whether the tokens kept of a prefix are the same whatever follows it.

    What follows can change the last word, as the tokenizer divides words; where it takes the whole
    text for one, what comes after the last space.
    """
    if not encoding.overflowing:
        return False
    kept, cut = _last_word(encoding), _last_word(encoding.overflowing[-1])
    return kept < cut or _end(encoding) <= prefix.rfind(" ")


def _last_word(encoding: Encoding) -> int:
    return max((word for word in encoding.word_ids if word is not None), default=0)


def _unseen(text: str, encoding: Encoding) -> bool:
    """Say whether truncation left out anything but white space.

    A character may take several tokens: it is seen when the last of them is.
    """
    left_out = (span for part in encoding.overflowing for span in part.offsets)
    start = next((start for start, stop in left_out if stop > start), len(text))
    return bool(text[start:].strip())


def _end(encoding: Encoding) -> int:
    """Return the place after the last character that was seen."""
    return max(stop for _, stop in encoding.offsets)
