"""CSV and TSV: exact strings, and a damaged record costs that record alone."""

from __future__ import annotations

import csv
import gzip
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurize.errors import SourceError, UsageError

if TYPE_CHECKING:
    from conftest import ReadSource

Write = Callable[..., Path]


def in_csv(content: bytes | str, read: ReadSource, write: Write, **options: Any) -> Any:
    """Read a CSV file of this content."""
    return read(write({"a.csv": content}) / "a.csv", **options)


def test_values_stay_exact_strings(read: ReadSource, write: Write) -> None:
    """Nothing is guessed: 007, NA and spaces come out as they went in."""
    content = 'text,label,n\n007,01,NA\n" a ",true,1.0\n"1,5",null,\n'
    got = in_csv(content, read, write)
    assert got.contents == {"a.csv#1": "007", "a.csv#2": " a ", "a.csv#3": "1,5"}
    assert list(got.labels.values()) == ["01", "true", "null"]
    assert list(got.column("n").values()) == ["NA", "1.0", ""]


def test_an_empty_label_is_none(read: ReadSource, write: Write) -> None:
    """A record without a label is unlabelled, not labelled with nothing."""
    got = in_csv("text,label\na,x\nb,\n", read, write)
    assert got.labels == {"a.csv#1": "x", "a.csv#2": None}


def test_numbered_ids_count_records_and_say_what_that_means(read: ReadSource, write: Write) -> None:
    """Without an id column, ids are SOURCE#N; blank lines are no records; a note warns."""
    got = in_csv('text\n\na\n\n"b\nc"\n\n', read, write)
    assert got.contents == {"a.csv#1": "a", "a.csv#2": "b\nc"}
    assert any("inserting a row renames" in note for note in got.source.notes)


def test_missing_ids_are_rejected_by_number(read: ReadSource, write: Write) -> None:
    """A record without its id is named by its number."""
    got = in_csv("id,text\nx,a\n,b\n", read, write)
    assert got.reasons == {"a.csv#2": "missing_value"}
    assert got.contents == {"x": "a"}


def test_white_space_is_empty(read: ReadSource, write: Write) -> None:
    """A text of white space alone, of any kind, is rejected."""
    got = in_csv('text,n\n"",1\n"  \u2003\n",2\n\u00a0,3\nx,4\n', read, write)
    assert got.reasons == dict.fromkeys(["a.csv#1", "a.csv#2", "a.csv#3"], "empty")


def test_ragged_rows_are_rejected_alone(read: ReadSource, write: Write) -> None:
    """A record with too many or too few fields says so, with its line."""
    got = in_csv("text,b\nx,1\ny\nz,2,3\nw,4\n", read, write)
    assert got.details == {
        "a.csv#2": "expected 2 fields, found 1 (line 3)",
        "a.csv#3": "expected 2 fields, found 3 (line 4)",
    }
    assert set(got.reasons.values()) == {"bad_row"}
    assert list(got.contents.values()) == ["x", "w"]


def test_bad_bytes_cost_their_row(read: ReadSource, write: Write) -> None:
    """A record that is not UTF-8 is rejected under its own id, and no other."""
    got = in_csv(b"id,text\na,ok\nb,caf\xe9\nc,\xc3\xa9\n", read, write)
    assert got.reasons == {"b": "bad_utf8"}
    assert "0xe9" in got.details["b"]
    assert got.contents == {"a": "ok", "c": "é"}


def test_stray_quotes_cost_their_line(read: ReadSource, write: Write) -> None:
    """A quote in the wrong place is rejected with its line, and parsing goes on."""
    got = in_csv('id,text\na,"x"y\nb,"ok"\nc,5" pipe\n', read, write)
    assert got.reasons == {"a.csv#1": "bad_row"}
    assert "line 2" in got.details["a.csv#1"]
    assert got.contents == {"b": "ok", "c": '5" pipe'}


@pytest.mark.parametrize("rows", [3, 400_000])
def test_a_quote_that_never_closes_costs_one_line(
    read: ReadSource, write: Write, rows: int
) -> None:
    """All records behind it are read, whether the file ends or the record grows too long."""
    lines = "".join(f"{n},text {n} {'x' * 30}\n" for n in range(rows))
    got = in_csv(f'id,text\nfirst,ok\nbad,"open\n{lines}', read, write)
    assert got.reasons == {"a.csv#2": "bad_row"}
    assert got.details["a.csv#2"] == "a quote opened at line 3 never closed"
    assert len(got.contents) == rows + 1


def test_quotes_that_never_close_cost_bounded_time(read: ReadSource, write: Write) -> None:
    """A file made so that every line swallows the rest is still read in seconds."""
    line = 'a,",x",b"b,"z\n'
    started = time.monotonic()
    got = in_csv("text,b,c,d\n" + line * 60_000, read, write)
    assert len(got.rows) > 50_000
    assert time.monotonic() - started < 30


def test_nul_bytes_are_text(read: ReadSource, write: Write) -> None:
    """A NUL is a character like others."""
    assert in_csv(b"text,n\na\x00b,1\n", read, write).contents == {"a.csv#1": "a\x00b"}


def test_long_fields_are_read(read: ReadSource, write: Write) -> None:
    """The csv module's own bound of 128 KiB does not hold."""
    assert len(in_csv(f"text\n{'x' * 3_000_000}\n", read, write).contents["a.csv#1"]) == 3_000_000


def test_byte_order_mark_and_line_ends(read: ReadSource, write: Write) -> None:
    """A byte order mark names no column; every kind of line end ends a line."""
    got = in_csv(b"\xef\xbb\xbftext,n\r\na,1\rb,2\nc,3", read, write)
    assert list(got.contents.values()) == ["a", "b", "c"]


def test_tsv_gz_and_other_delimiters(read: ReadSource, write: Write) -> None:
    """TSV is split at tabs, .gz is decompressed, --delimiter splits at anything else."""
    files = {"a.tsv.gz": gzip.compress(b"text\tn\na,b\t1\n"), "b.csv": "text;n\na,b;1\n"}
    root = write(files)
    assert read(root / "a.tsv.gz").contents == {"a.tsv.gz#1": "a,b"}
    assert read(root / "b.csv", delimiter=";").contents == {"b.csv#1": "a,b"}


def test_encodings(read: ReadSource, write: Write) -> None:
    """--encoding names how the bytes are read."""
    assert in_csv("text\ncafé\n".encode("cp1252"), read, write, encoding="cp1252").contents == {
        "a.csv#1": "café"
    }
    assert in_csv("text\ncafé\n".encode("utf-16"), read, write, encoding="utf-16").contents == {
        "a.csv#1": "café"
    }


@pytest.mark.parametrize(
    "options", [{"encoding": "klingon"}, {"encoding": "hex"}, {"delimiter": "ab"}]
)
def test_unusable_options_are_refused(
    read: ReadSource, write: Write, options: dict[str, str]
) -> None:
    """An encoding or a delimiter that does not exist is a usage error."""
    with pytest.raises(UsageError):
        in_csv("text\na\n", read, write, **options)


@pytest.mark.parametrize("content", ["", "\n\n", "text,n\n"])
def test_no_record_is_no_input(read: ReadSource, write: Write, content: str) -> None:
    """A file without one record is an error."""
    with pytest.raises(SourceError, match="No input found"):
        in_csv(content, read, write)


def test_a_damaged_gz_names_the_place(read: ReadSource, write: Write) -> None:
    """A truncated or flipped .gz file is an error that names the file and the last record."""
    body = "text\n" + "".join(f"{n} {hash(n * n)}\n" for n in range(100_000))
    packed = gzip.compress(body.encode())
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 0xFF
    for content in (packed[: len(packed) // 2], bytes(flipped), b"text\nno gzip\n"):
        with pytest.raises(SourceError, match=r"a\.csv\.gz .* damaged after record \d+"):
            read(write({"a.csv.gz": content}) / "a.csv.gz")


def test_a_listing_of_100_000_rows_takes_seconds(read: ReadSource, write: Write) -> None:
    """100,000 records are listed in less than three seconds."""
    body = "text,label\n" + "".join(f'"some, text {n}",{n % 7}\n' for n in range(100_000))
    started = time.monotonic()
    assert len(in_csv(body, read, write).rows) == 100_000
    assert time.monotonic() - started < 3


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
PIECES = st.sampled_from(['"', ",", "\n", "\r\n", "\r", "007", "\x00", "𝄞", "é", " ", "\ufeff"])
CELLS = TEXT | st.lists(PIECES | TEXT, max_size=6).map("".join)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8))
def test_what_is_written_is_read(
    read: ReadSource, write: Write, rows: list[tuple[str, str]]
) -> None:
    """Any strings that the csv module writes come back, or are empty."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerows([("text", "n"), *rows])
    got = in_csv(file.getvalue(), read, write)
    expected = {f"a.csv#{n}": text for n, (text, _) in enumerate(rows, 1) if text.strip()}
    assert got.contents == expected
    assert set(got.reasons.values()) <= {"empty"}
    assert got.column("n") == {f"a.csv#{n}": other for n, (_, other) in enumerate(rows, 1)}


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.binary(max_size=60) | st.lists(st.sampled_from([b'"', b",", b"\n", b"a"])).map(b"".join))
def test_any_bytes_are_listed_or_rejected(read: ReadSource, write: Write, body: bytes) -> None:
    """No content of a file makes reading it fail, but for one without records."""
    try:
        got = in_csv(b"text,n\n" + body, read, write)
    except SourceError as error:
        assert "No input found" in str(error)
    else:
        assert len(got.rows) == len(got.contents) + len(got.reasons)
