"""CSV files with the usual surprises: what is said points at the option that mends them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from featurize.errors import InputRejected, SourceError, UsageError
from featurize.sources.files import decode_text

if TYPE_CHECKING:
    from conftest import ReadSource

Write = Callable[..., Path]


def test_a_column_without_a_name_gets_one(read: ReadSource, write: Write) -> None:
    """The index column of a data frame is carried under its place, and can be renamed."""
    path = write({"a.csv": ",text,\n0,a,x\n"}) / "a.csv"
    got = read(path)
    assert got.contents == {"a.csv#1": "a"}
    assert got.source.columns().names == ["column_1", "column_3"]
    assert "Column 3 of a.csv has no name and is called column_3." in got.source.notes
    assert read(path, id_column="column_1", rename=("column_3=n",)).column("n") == {"0": "x"}


def test_names_made_up_may_clash(read: ReadSource, write: Write) -> None:
    """A made-up name is one like others: two of a kind are refused with their places."""
    with pytest.raises(UsageError, match="Columns 2 and 3 of a.csv are both named 'column_3'"):
        read(write({"a.csv": "text,column_3,\na,b,c\n"}) / "a.csv")


@pytest.mark.parametrize(
    ("name", "content", "mark"),
    [
        ("a.csv", "text;label\na;b\n", ";"),
        ("a.csv", "text\tlabel\na\tb\n", r"\t"),
        ("a.csv", "text|label\na|b\n", "|"),
        ("a.tsv", "text,label\na,b\n", ","),
        ("a.csv", '"text";"label"\n"a";"b"\n', ";"),
    ],
)
def test_another_delimiter_is_suggested(
    read: ReadSource, write: Write, name: str, content: str, mark: str
) -> None:
    """A header in one piece names the delimiter in it, and the suggestion works as it stands."""
    path = write({name: content}) / name
    for options in ({}, {"text_column": "text"}):
        with pytest.raises((UsageError, SourceError)) as caught:
            read(path, **options)
        assert caught.value.fix.endswith(f"--delimiter '{mark}'")
        assert read(path, delimiter=mark, **options).labels == {f"{name}#1": "b"}


def test_one_column_with_other_marks_is_read(read: ReadSource, write: Write) -> None:
    """Where the content column is found, its name may hold anything."""
    path = write({"a.csv": "text;x\na;b\n"}) / "a.csv"
    assert read(path, text_column="text;x").contents == {"a.csv#1": "a;b"}


def test_a_file_of_another_encoding_is_told(read: ReadSource, write: Write) -> None:
    """Where most records are not UTF-8 a note names --encoding; where few are, none does."""
    path = write({"a.csv": "text\nÄpfel\nÖl\nplain\n".encode("cp1252")}) / "a.csv"
    got = read(path)
    assert list(got.reasons.values()) == ["bad_utf8"] * 2
    note = "2 of 3 records of a.csv are not utf-8"
    assert any(note in said and "--encoding cp1252" in said for said in got.source.notes)
    assert read(path, encoding="cp1252").contents["a.csv#2"] == "Öl"
    path.write_bytes(b"text\nplain\n\xc4\n")
    assert not any("--encoding" in said for said in read(path).source.notes)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_is_recognised(read: ReadSource, write: Write, codec: str) -> None:
    """A byte order mark of UTF-16 names that encoding, and no codec the user did not give."""
    data = "\ufefftext\nÄpfel\n".encode(codec)
    path = write({"a.csv": data}) / "a.csv"
    with pytest.raises(SourceError) as caught:
        read(path)
    assert caught.value.message == "The header of a.csv is not utf-8, it begins as UTF-16 does."
    assert caught.value.fix.endswith("--encoding utf-16")
    assert read(path, encoding="utf-16").contents == {"a.csv#1": "Äpfel"}
    with pytest.raises(InputRejected, match="bad_utf8: UTF-16, by its first two bytes"):
        decode_text(data)


def test_a_header_of_another_encoding_names_the_option(read: ReadSource, write: Write) -> None:
    """A header that is not UTF-8 says so in the words of the user's options."""
    path = write({"a.csv": "text,größe\na,1\n".encode("cp1252")}) / "a.csv"
    with pytest.raises(SourceError) as caught:
        read(path)
    assert caught.value.message == "The header of a.csv is not utf-8."
    assert caught.value.fix.endswith("--encoding cp1252")


def test_an_empty_source_is_no_folder(read: ReadSource) -> None:
    """An empty string, as of an unset variable, does not scan the folder one stands in."""
    with pytest.raises(UsageError, match="source expects a path"):
        read("")  # type: ignore[arg-type]
