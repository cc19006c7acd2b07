"""JSON Lines: one object a line, types kept, a damaged line costs itself."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurize.errors import SourceError, UsageError

if TYPE_CHECKING:
    from conftest import ReadSource

Write = Callable[..., Path]


def in_jsonl(lines: list[Any], read: ReadSource, write: Write, **options: Any) -> Any:
    """Read lines, those that are no bytes as JSON."""
    packed = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return read(write({"a.jsonl": b"\n".join(packed)}) / "a.jsonl", **options)


def test_keys_may_differ_by_line(read: ReadSource, write: Write) -> None:
    """Columns are the keys in order of appearance; what is missing is null."""
    got = in_jsonl([{"text": "a", "x": 1}, {"y": "s", "text": "b"}], read, write)
    assert got.source.columns().names == ["x", "y"]
    assert got.column("x") == {"a.jsonl#1": 1, "a.jsonl#2": None}
    assert got.column("y") == {"a.jsonl#1": None, "a.jsonl#2": "s"}


@pytest.mark.parametrize(
    ("values", "kind", "kept"),
    [
        ([1, None, -5], pa.int64(), [1, None, -5]),
        ([2**62, 1], pa.int64(), [2**62, 1]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([True, None], pa.bool_(), [True, None]),
        (["007", None], pa.string(), ["007", None]),
        ([None, None], pa.string(), [None, None]),
        ([1, "a"], pa.string(), ["1", '"a"']),
        ([True, 1], pa.string(), ["true", "1"]),
        ([2**70, 1], pa.string(), [str(2**70), "1"]),
        ([2**60 + 1, 0.5], pa.string(), [str(2**60 + 1), "0.5"]),
        ([{"é": [1]}, None], pa.string(), ['{"é": [1]}', None]),
    ],
)
def test_types_fit_all_values(
    read: ReadSource, write: Write, values: list[Any], kind: pa.DataType, kept: list[Any]
) -> None:
    """A column has the narrowest type that changes no value, else JSON text."""
    got = in_jsonl([{"text": "a", "n": value} for value in values], read, write)
    assert got.source.columns().field("n").type == kind
    assert list(got.column("n").values()) == kept


def test_bad_lines_cost_themselves(read: ReadSource, write: Write) -> None:
    """What is no object, no JSON or no text is rejected with its line number."""
    lines = [
        {"text": "good"},
        b"{broken",
        b"[1]",
        b'{"text": NaN}',
        b"[" * 100_000,
        b'{"text": "caf\xe9"}',
        b'{"text": "x", "n": "\\ud800"}',
        b"",
        b"  ",
        {"text": 5},
        {"text": None},
        {"text": ""},
        b'{"text": "\\ud834\\udd1e"}',
    ]
    got = in_jsonl(lines, read, write)
    reasons = [got.reasons.get(f"a.jsonl#{n}") for n in range(1, 12)]
    assert reasons == [
        None,
        *["bad_row"] * 4,
        *["bad_utf8"] * 2,
        "bad_row",
        "missing_value",
        "empty",
        None,
    ]
    assert "line 3: expected an object, found an array" in got.details["a.jsonl#3"]
    assert "found a number" in got.details["a.jsonl#8"]
    assert got.contents["a.jsonl#11"] == "𝄞"


def test_ids_are_strings_or_integers(read: ReadSource, write: Write) -> None:
    """Integers become their digits; other types are bad rows, none is a missing value."""
    lines = [{"id": i, "text": "a"} for i in ("x", 7, 2**70, None, "", 1.5, True)]
    got = in_jsonl(lines, read, write)
    assert got.contents.keys() == {"x", "7", str(2**70)}
    assert list(got.reasons.values()) == ["missing_value"] * 2 + ["bad_row"] * 2


def test_labels_keep_their_type(read: ReadSource, write: Write) -> None:
    """A label of integers stays one of integers."""
    got = in_jsonl([{"text": "a", "label": 3}, {"text": "b"}], read, write)
    assert got.source.label_type() == pa.int64()
    assert list(got.labels.values()) == [3, None]


def test_gz_ndjson_and_byte_order_mark(read: ReadSource, write: Write) -> None:
    """Compressed files, the other suffix and a byte order mark are read."""
    root = write({"a.ndjson.gz": gzip.compress(b'\xef\xbb\xbf{"text": "a"}\r\n')})
    assert read(root / "a.ndjson.gz").contents == {"a.ndjson.gz#1": "a"}


def test_images_are_paths(read: ReadSource, write: Write) -> None:
    """An image column names files beside the table file."""
    root = write({"a.jsonl": '{"image": "x/1.png"}\n{"image": 3}\n', "x/1.png": b"png"})
    got = read(root / "a.jsonl")
    assert got.contents == {"a.jsonl#1": b"png"}
    assert got.reasons == {"a.jsonl#2": "bad_row"}


def test_no_object_is_no_input(read: ReadSource, write: Write) -> None:
    """A file without one readable object is an error; a truncated .gz names the place."""
    nothing: list[list[Any]] = [[], [b"x"], [{}]]
    for lines in nothing:
        with pytest.raises(SourceError, match="No input found"):
            in_jsonl(lines, read, write)
    packed = gzip.compress(b'{"text": "a"}\n' * 1000)[:-20]
    with pytest.raises(SourceError, match="damaged after record"):
        read(write({"a.jsonl.gz": packed}) / "a.jsonl.gz")


@pytest.mark.parametrize("start", ["", "\ufeff", " \n\t"])
def test_an_array_is_told_from_lines(read: ReadSource, write: Write, start: str) -> None:
    """A JSON array, in one line or in many, is no table of lines with one lucky record."""
    objects = [{"text": "a"}, {"text": "b"}]
    for content in (json.dumps(objects), "[\n" + ",\n".join(map(json.dumps, objects)) + "\n]"):
        with pytest.raises(SourceError, match="JSON array; one object per line is expected"):
            read(write({"a.jsonl": start + content}) / "a.jsonl")


def test_a_key_twice_is_a_bad_row(read: ReadSource, write: Write) -> None:
    """Neither value of a repeated key wins, at any depth; odd keys can be named too."""
    lines = [
        {"text": "good"},
        b'{"text": "a", "n": 1, "text": "b"}',
        b'{"text": "a", "n": {"x": 1, "x": 1}}',
        b'{"text": "a", "\\ud800": 1, "\\ud800": 1}',
    ]
    got = in_jsonl(lines, read, write)
    assert got.details == {
        "a.jsonl#2": "line 2: the key 'text' occurs twice",
        "a.jsonl#3": "line 3: the key 'x' occurs twice",
        "a.jsonl#4": "line 4: the key '\\ud800' occurs twice",
    }
    assert set(got.reasons.values()) == {"bad_row"}


def test_options_of_csv_are_refused(read: ReadSource, write: Write) -> None:
    """JSON has one encoding and no delimiter."""
    for options in ({"delimiter": ";"}, {"encoding": "cp1252"}, {"label_from": "top"}):
        with pytest.raises(UsageError):
            in_jsonl([{"text": "a"}], read, write, **options)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=5,
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs"])), JSON), min_size=1, max_size=6
    ),
    st.booleans(),
)
def test_what_is_written_is_read(
    read: ReadSource, write: Write, rows: list[tuple[str, Any]], plain: bool
) -> None:
    """Any texts and values come back: of a column's type, or as their JSON text."""
    lines = [
        json.dumps({"text": text, "v": value}, ensure_ascii=plain).encode() for text, value in rows
    ]
    got = in_jsonl(lines, read, write)
    assert got.contents == {
        f"a.jsonl#{n}": text for n, (text, _) in enumerate(rows, 1) if text.strip()
    }
    strings = all(value is None or isinstance(value, str) for _, value in rows)
    for n, (_, value) in enumerate(rows, 1):
        found = got.column("v")[f"a.jsonl#{n}"]
        if isinstance(found, str) and not strings:
            found = json.loads(found)
        assert found == value


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.binary(max_size=30) | JSON.map(lambda v: json.dumps({"text": v}).encode())))
def test_any_lines_are_listed_or_rejected(
    read: ReadSource, write: Write, lines: list[bytes]
) -> None:
    """No content of a file makes reading it fail."""
    got = in_jsonl([{"text": "a"}, *lines], read, write)
    assert len(got.rows) == len(got.contents) + len(got.reasons)
