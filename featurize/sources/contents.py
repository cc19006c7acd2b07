"""Finds the content of the records of a table file: texts, image bytes or image paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from featurize.errors import InputRejected
from featurize.sources.files import MAX_BYTES, Files, check_size, check_text
from featurize.sources.records import Problems, missing_value

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of consecutive records: the values themselves, or paths to files.

    `sizes` are their lengths in bytes.
    """

    values: pa.Array | None
    paths: list[str | None] | None
    sizes: NDArray[np.int64]


def text_contents(column: pa.Array, problems: Problems) -> Contents:
    """Take the texts of a column of strings; add a problem for each that cannot be embedded."""
    sizes = _lengths(column)
    for row, text in enumerate(column.to_pylist()):
        if text is None:
            problems.setdefault(row, missing_value("text"))
        elif not text or text.isspace() or sizes[row] > MAX_BYTES:
            problems.setdefault(row, _refused_text(text, int(sizes[row])))
    return Contents(column, None, sizes)


def image_contents(column: pa.Array, problems: Problems, files: Files) -> Contents:
    """Take the images of a column of bytes, of paths, or of structs of both.

    Adds a problem for each that is missing or may not be read.
    """
    import pyarrow.types as kinds

    if kinds.is_struct(column.type):
        return _of_structs(column, problems, files)
    if kinds.is_string(column.type):
        return _of_rows(None, column.to_pylist(), problems, files)
    return _of_rows(column, [None] * len(column), problems, files)


def _of_structs(column: pa.Array, problems: Problems, files: Files) -> Contents:
    """Take the bytes of each struct, or else its path."""
    import pyarrow.compute as pc

    names = {field.name for field in column.type}
    values = pc.struct_field(column, "bytes")
    paths: list[str | None] = [None] * len(column)
    if "path" in names:
        paths = pc.struct_field(column, "path").to_pylist()
    return _of_rows(values, paths, problems, files)


def _of_rows(
    values: pa.Array | None, texts: Sequence[str | None], problems: Problems, files: Files
) -> Contents:
    """Take each row's bytes, or else the file its path names."""
    given = [False] * len(texts) if values is None else values.is_valid().to_pylist()
    sizes = np.zeros(len(texts), np.int64) if values is None else _lengths(values)
    paths: list[str | None] = [None] * len(texts)
    for row, text in enumerate(texts):
        if row in problems:
            continue
        try:
            if given[row]:
                check_size(int(sizes[row]))
            elif text is None:
                raise missing_value("image")
            else:
                paths[row], sizes[row] = files.locate(text)
        except InputRejected as problem:
            problems[row] = problem
    return Contents(values, paths, sizes)


def _lengths(column: pa.Array) -> NDArray[np.int64]:
    """Return the length of every value in bytes, 0 for null."""
    import pyarrow.compute as pc

    lengths: NDArray[np.int64] = pc.binary_length(column).fill_null(0).to_numpy().astype(np.int64)
    return lengths


def _refused_text(text: str, size: int) -> InputRejected:
    """Return why a text is refused."""
    try:
        check_text(text)
        check_size(size)
    except InputRejected as problem:
        return problem
    raise AssertionError("only a text that one of the checks refuses is asked about")
