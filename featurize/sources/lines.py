"""The lines of a file, in flat memory: a line may be of any length, a record read twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from featurize.errors import InputRejected
from featurize.sources.files import MAX_BYTES
from featurize.types import RejectReason

RECORD_LIMIT = 16 << 20
_READ_AGAIN_ALWAYS = 64 << 20
_READ_AGAIN_PER_READ = 8


class RecordTooLong(Exception):
    """A record goes on over more lines than any record should."""


class RecordLines:
    """The lines of a text file, with those of the current record at hand to be read again.

    `number` is the number of the line given last, from 1; `first` that of the record's first line.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self._fresh = 0
        self._stale = 0
        self.size = 0
        self.number = 0
        self.first = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.size > self._limit():
            raise RecordTooLong
        if self._again:
            line = self._again.popleft()
        else:
            line = self._file.readline(MAX_BYTES)
            self._fresh += len(line)
        if not line:
            raise StopIteration
        self.number += 1
        self._record.append(line)
        self.size += len(line)
        if len(line) == MAX_BYTES and line[-1] not in "\r\n":
            self._skip_line()
            raise too_long_line(self.number)
        return line

    def start_record(self) -> None:
        """Let the next line begin a record."""
        self._record.clear()
        self.size = 0
        self.first = self.number + 1

    def give_up_first(self) -> None:
        """Give all lines of the current record but its first again."""
        rest = self._record[1:]
        self._again.extendleft(reversed(rest))
        self._stale += self.size
        self.number -= len(rest)

    def _limit(self) -> int:
        """Return the size after which a record may not go on.

        A file can be made so that every line must be read again up to the limit. Time stays linear
        in its length: once too much was read again, a record is a line.
        """
        allowed = _READ_AGAIN_ALWAYS + _READ_AGAIN_PER_READ * self._fresh
        return RECORD_LIMIT if self._stale < allowed else 0

    def _skip_line(self) -> None:
        """Read to the end of the current line."""
        while (piece := self._file.readline(1 << 20)) and piece[-1] not in "\r\n":
            pass


def binary_lines(file: BinaryIO) -> Iterator[bytes | InputRejected]:
    """Yield the lines of a file, and a reject in the place of each that is too long."""
    number = 0
    while line := file.readline(MAX_BYTES):
        number += 1
        if len(line) < MAX_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while (piece := file.readline(1 << 20)) and not piece.endswith(b"\n"):
            pass
        yield too_long_line(number)


def too_long_line(number: int) -> InputRejected:
    """Return the reject of a line beyond the limit."""
    return InputRejected(
        RejectReason.TOO_LARGE, f"line {number} is longer than {MAX_BYTES >> 20} MiB"
    )
