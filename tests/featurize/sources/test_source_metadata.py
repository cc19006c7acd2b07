"""metadata.csv and metadata.jsonl in a folder of images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from featurize.errors import SourceError, UsageError

if TYPE_CHECKING:
    from conftest import ReadSource

Write = Callable[..., Path]


def test_columns_are_carried_and_the_label_taken(read: ReadSource, write: Write) -> None:
    """Columns describe their image; `label` wins over the folder; no row gives nulls."""
    meta = "file_name,mm,label\nx/a.jpg,007,cat\nx/b.jpg,2,\n"
    got = read(write({"metadata.csv": meta, "x/a.jpg": "a", "x/b.jpg": "b", "y/c.jpg": "c"}))
    assert got.labels == {"x/a.jpg": "cat", "x/b.jpg": None, "y/c.jpg": None}
    assert got.column("mm") == {"x/a.jpg": "007", "x/b.jpg": "2", "y/c.jpg": None}
    assert got.source.ignored == {}
    assert "Column 'label' is taken as the label." in got.source.notes


def test_without_a_label_the_folder_stays_the_label(read: ReadSource, write: Write) -> None:
    """Metadata without labels leaves the rule for folders in force."""
    got = read(write({"x/metadata.csv": "file_name,mm\na.jpg,1\n", "x/a.jpg": "a", "y/b.jpg": "b"}))
    assert got.labels == {"x/a.jpg": "x", "y/b.jpg": "y"}
    assert got.column("mm") == {"x/a.jpg": "1", "y/b.jpg": None}


def test_jsonl_keeps_its_types(read: ReadSource, write: Write) -> None:
    """Numbers stay numbers, whatever the file they come from."""
    rows = [{"file_name": "a.jpg", "n": 1, "kind": 3}, {"file_name": "b.jpg", "n": 2.5}]
    meta = "".join(json.dumps(row) + "\n" for row in rows)
    got = read(write({"metadata.jsonl": meta, "a.jpg": "a", "b.jpg": "b"}), label_column="kind")
    assert got.source.columns() == pa.schema([("n", pa.float64())])
    assert got.source.label_type() == pa.int64()
    assert got.labels == {"a.jpg": 3, "b.jpg": None}


def test_the_nearest_file_describes_an_image(read: ReadSource, write: Write) -> None:
    """A metadata file nearer to an image hides one above it; their columns are joined."""
    files = {
        "metadata.csv": "file_name,n\na.jpg,1\nx/b.jpg,9\n",
        "x/metadata.jsonl": '{"file_name": "b.jpg", "n": 2, "more": true}\n',
        "a.jpg": "a",
        "x/b.jpg": "b",
        "x/y/c.jpg": "c",
    }
    got = read(write(files))
    assert got.column("n") == {"a.jpg": "1", "x/b.jpg": "2", "x/y/c.jpg": None}
    assert got.column("more") == {"a.jpg": None, "x/b.jpg": True, "x/y/c.jpg": None}


def test_rows_without_a_file_are_rejected(read: ReadSource, write: Write) -> None:
    """Every row describes an image or is a reject with its reason."""
    meta = "file_name,n\na.jpg,1\nno.jpg,2\n../up.jpg,3\n/etc/x.jpg,4\nd.pdf,5\n,6\na.jpg,7\nbad\n"
    got = read(write({"metadata.csv": meta, "a.jpg": "a", "d.pdf": "d"}))
    assert got.contents.keys() == {"a.jpg"}
    rejected = {(r["id"], r["reason"]) for r in got.rows if r["reason"]}
    assert rejected == {
        ("no.jpg", "unreadable"),
        ("../up.jpg", "outside_root"),
        ("/etc/x.jpg", "outside_root"),
        ("d.pdf", "unsupported"),
        ("metadata.csv#6", "missing_value"),
        ("a.jpg", "duplicate_id"),
        ("metadata.csv#8", "bad_row"),
    }
    assert {row["source"] for row in got.rows if row["reason"]} == {"metadata.csv"}


def test_only_a_file_name_is_enough(read: ReadSource, write: Write) -> None:
    """A metadata file that only lists files finds the missing ones."""
    got = read(write({"metadata.csv": "file_name\na.jpg\nb.jpg\n", "a.jpg": "a"}))
    assert got.reasons == {"b.jpg": "unreadable"}


def test_reserved_names_ask_for_a_rename(read: ReadSource, write: Write) -> None:
    """A caption column called text must be renamed, and can be."""
    root = write({"metadata.csv": "file_name,text\na.jpg,hello\n", "a.jpg": "a"})
    with pytest.raises(UsageError) as caught:
        read(root)
    assert "--rename text=NEW" in caught.value.fix
    assert read(root, rename=("text=caption",)).column("caption") == {"a.jpg": "hello"}


def test_unclear_metadata_is_refused(read: ReadSource, write: Write) -> None:
    """Two files for one folder, and columns that are not there, stop the run."""
    root = write({"metadata.csv": "file_name,n\na.jpg,1\n", "a.jpg": "a"})
    with pytest.raises(UsageError, match="--label-column kind"):
        read(root, label_column="kind")
    (root / "metadata.jsonl").write_text('{"file_name": "a.jpg"}\n')
    with pytest.raises(SourceError, match="describe the same images"):
        read(root)


def test_folders_and_columns_are_not_both_the_label(read: ReadSource, write: Write) -> None:
    """A label from a folder and one from a column are refused together."""
    root = write({"metadata.csv": "file_name,kind\nx/a.jpg,cat\n", "x/a.jpg": "a"})
    with pytest.raises(UsageError, match="--label-from and --label-column"):
        read(root, label_from="parent", label_column="kind")


def test_an_index_column_is_carried(read: ReadSource, write: Write) -> None:
    """A column without a name gets one by its place, and a note says so."""
    got = read(write({"metadata.csv": ",file_name\n0,a.jpg\n", "a.jpg": "a"}))
    assert got.column("column_1") == {"a.jpg": "0"}
    assert "Column 1 of metadata.csv has no name and is called column_1." in got.source.notes


def test_a_file_without_file_names_describes_nothing(read: ReadSource, write: Write) -> None:
    """Another table of that name is ignored, and a note says so."""
    got = read(write({"metadata.csv": "a,b\n1,2\n", "a.jpg": "a"}))
    assert got.source.ignored == {".csv": 1}
    assert any("file_name" in note for note in got.source.notes)


def test_a_folder_of_texts_has_no_metadata(read: ReadSource, write: Write) -> None:
    """Metadata describes images only."""
    got = read(write({"metadata.csv": "file_name\na.txt\n", "a.txt": "a"}))
    assert got.source.ignored == {".csv": 1}
