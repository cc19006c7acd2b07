"""What every reader of a table file gives: columns of records, and what is wrong with some."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from featurize.errors import InputRejected, SourceError
from featurize.types import RejectReason

if TYPE_CHECKING:
    import pyarrow as pa

Problems: TypeAlias = dict[int, InputRejected]


@dataclass(frozen=True, slots=True)
class Records:
    """Consecutive records of a file.

    `columns` are arrays of `count` values by their names in the file; `problems` holds the records
    that cannot be used, by position. A value with a problem is null.
    """

    columns: dict[str, pa.Array]
    count: int
    problems: Problems


def open_binary(path: Path) -> BinaryIO:
    """Open a file for reading, decompressed where its name ends in .gz."""
    if path.name.lower().endswith(".gz"):
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")


@contextlib.contextmanager
def naming_damage(name: str, records_read: Callable[[], int]) -> Iterator[None]:
    """Turn what a damaged file makes a reader raise into a SourceError that names the place."""
    from pyarrow import ArrowException

    try:
        yield
    except (EOFError, OSError, zlib.error, UnicodeError, ArrowException) as error:
        raise SourceError(
            f"{name} cannot be read: it is damaged after record {records_read()} ({error}).",
            fix="Bring a whole copy of the file.",
        ) from error


def missing_value(what: str) -> InputRejected:
    """Return the reject of a record that lacks a value it needs."""
    return InputRejected(RejectReason.MISSING_VALUE, f"the record has no {what}")
