"""Parquet: types are kept, damage is named."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featurize.config import Job
from featurize.errors import SourceError, UsageError
from featurize.sources import open_source

if TYPE_CHECKING:
    from conftest import ReadSource

Write = Callable[..., Path]


def in_parquet(table: Any, read: ReadSource, folder: Path, **options: Any) -> Any:
    """Read a table, or the columns of one, from a Parquet file."""
    path = folder / "a.parquet"
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), path)
    return read(path, **options)


def bad_strings(values: list[bytes], kind: pa.DataType | None = None) -> pa.Array:
    """Return an array of strings that may not be UTF-8."""
    array = pa.array(values, pa.binary())
    return pa.Array.from_buffers(kind or pa.string(), len(values), array.buffers())


def test_types_are_kept(read: ReadSource, tmp_path: Path) -> None:
    """Carried columns and the label have the types of the file; nulls stay nulls."""
    columns = {
        "text": pa.array(["a", "b"]),
        "label": pa.array([1, None], pa.int16()),
        "when": pa.array([0, 1], pa.timestamp("ms", "UTC")),
        "price": pa.array([decimal.Decimal("1.10"), None]),
        "tags": pa.array([["x"], None]),
        "point": pa.array([{"x": 1.5}, None]),
    }
    got = in_parquet(columns, read, tmp_path)
    assert got.source.columns().types == [
        columns[n].type for n in ("when", "price", "tags", "point")
    ]
    assert got.source.label_type() == pa.int16()
    assert list(got.labels.values()) == [1, None]
    assert list(got.column("tags").values()) == [["x"], None]


def test_encodings_of_arrow_become_plain(read: ReadSource, tmp_path: Path) -> None:
    """Dictionaries, extensions, views and large types are decoded, inside others too."""
    labels = pa.array(["x", "y"]).dictionary_encode()
    columns = {
        "text": pa.array(["a", "b"], pa.large_string()),
        "label": labels,
        "view": pa.array(["v", None], pa.string_view()),
        "nested": pa.array([["x"], None], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
        "key": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"1" * 16] * 2, pa.binary(16))),
        "nothing": pa.nulls(2),
    }
    got = in_parquet(columns, read, tmp_path)
    assert got.source.label_type() == pa.string()
    assert got.source.columns().types == [
        pa.string(),
        pa.list_(pa.string()),
        pa.binary(16),
        pa.string(),
    ]
    assert list(got.labels.values()) == ["x", "y"]
    assert list(got.column("nested").values()) == [["x"], None]


def test_integer_ids_become_digits(read: ReadSource, tmp_path: Path) -> None:
    """Ids of integers are strings of digits, in the order of their bytes."""
    got = in_parquet({"id": [10, 9, None], "text": ["a", "b", "c"]}, read, tmp_path)
    assert got.contents == {"10": "a", "9": "b"}
    assert got.reasons == {"a.parquet#3": "missing_value"}


def test_texts_that_are_not_utf8_cost_their_row(read: ReadSource, tmp_path: Path) -> None:
    """Only the damaged rows are rejected, whatever the column and its type."""
    columns = {
        "text": bad_strings([b"a", b"b\xff", b"c", b"d"]),
        "n": bad_strings([b"1", b"2", b"\xc3", b"4"], pa.string()),
    }
    got = in_parquet(columns, read, tmp_path)
    assert got.reasons == {"a.parquet#2": "bad_utf8", "a.parquet#3": "bad_utf8"}
    assert got.contents == {"a.parquet#1": "a", "a.parquet#4": "d"}
    assert list(got.column("n").values()) == ["1", "2", None, "4"]


def test_damaged_text_inside_lists_costs_its_row(read: ReadSource, tmp_path: Path) -> None:
    """Text inside other types is looked at too."""
    tags = pa.ListArray.from_arrays(pa.array([0, 1, 2]), bad_strings([b"x", b"\xff"]))
    got = in_parquet({"text": pa.array(["a", "b"]), "tags": tags}, read, tmp_path)
    assert got.reasons == {"a.parquet#2": "bad_utf8"}


@pytest.mark.parametrize(
    ("columns", "options", "hint"),
    [
        ({"text": [1]}, {}, "int64"),
        ({"text": ["a"], "id": [1.5]}, {}, "double"),
        ({"image": [1]}, {}, "int64"),
        ({"image": [{"path": "x"}]}, {}, "struct"),
        ({"a": ["x"], "b": ["y"]}, {}, "a, b"),
        ({"text": ["a"]}, {"delimiter": ","}, "--delimiter"),
        ({"text": ["a"]}, {"image_root": "."}, "--image-root"),
    ],
)
def test_types_that_fit_no_part_are_refused(
    read: ReadSource,
    tmp_path: Path,
    columns: Any,
    options: dict[str, str],
    hint: str,
) -> None:
    """A column of another type names the type."""
    with pytest.raises(UsageError, match=hint):
        in_parquet(columns, read, tmp_path, **options)


def test_images_are_bytes_paths_or_both(read: ReadSource, write: Write) -> None:
    """Bytes are taken as they are; a path is read; bytes win over a path."""
    root = write({"x/1.png": b"one"})
    binary = {"image": pa.array([b"png", b"", None])}
    got = in_parquet(binary, read, root)
    assert got.contents == {"a.parquet#1": b"png"}
    assert got.reasons == {"a.parquet#2": "empty", "a.parquet#3": "missing_value"}
    assert in_parquet({"image": ["x/1.png"]}, read, root).contents == {"a.parquet#1": b"one"}
    structs = [
        {"bytes": b"png", "path": "x/1.png"},
        {"bytes": None, "path": "x/1.png"},
        {"bytes": None, "path": None},
        None,
    ]
    got = in_parquet({"image": structs}, read, root)
    assert got.contents == {"a.parquet#1": b"png", "a.parquet#2": b"one"}
    assert set(got.reasons.values()) == {"missing_value"}


def test_paths_stay_inside_their_root(read: ReadSource, write: Write, tmp_path: Path) -> None:
    """Paths may wander and links may lead anywhere inside the root; nothing outside is read."""
    root = write({"t/x/1.png": b"1", "t/2.PNG": b"2", "t/3.pdf": b"3", "out.png": b"secret"})
    folder = root / "t"
    (folder / "in.png").symlink_to(folder / "2.PNG")
    (folder / "out.png").symlink_to(root / "out.png")
    paths = {
        "x/../x/1.png": b"1",
        str(folder / "2.PNG"): b"2",
        "in.png": b"2",
        "out.png": "outside_root",
        "../out.png": "outside_root",
        str(root / "out.png"): "outside_root",
        "/etc/passwd": "outside_root",
        "3.pdf": "unsupported",
        "no.png": "unreadable",
        "x": "unsupported",
        "a\x00.png": "unreadable",
        "y" * 5000 + ".png": "unreadable",
        "": "missing_value",
    }
    got = in_parquet({"image": list(paths), "id": [f"{n:02}" for n in range(13)]}, read, folder)
    found = {key: got.reasons.get(key) or got.contents[key] for key in got.ids}
    assert list(found.values()) == list(paths.values())
    assert not any(str(tmp_path) in detail for detail in got.details.values())


def test_rejected_paths_are_named_as_given(read: ReadSource, write: Write) -> None:
    """A detail names the path of the table; of an absolute one its end; URLs are not fetched."""
    root = write({"t/a.png": b"a"}) / "t"
    details = {
        "x/../no.png": "x/../no.png: No such file or directory",
        str(root / "no.png"): "no.png: No such file or directory",
        "https://example.com/a.png": "URLs are not fetched",
        "s3://bucket/a.png": "URLs are not fetched",
        "HTTP://a.png": "URLs are not fetched",
        "../a.png": "../a.png: the path leads out of the folder that paths are resolved against",
        "a.pdf": "a.pdf: image files do not end in this suffix",
    }
    got = in_parquet({"image": list(details), "id": [f"{n}" for n in range(7)]}, read, root)
    assert list(got.details.values()) == list(details.values())
    assert [got.reasons[key] for key in "0123"] == ["unreadable"] * 2 + ["unsupported"] * 2


def test_options_of_texts_are_refused(read: ReadSource, write: Write) -> None:
    """What could only be done to texts is not passed over in silence for images."""
    root = write({"a.png": b"a", "one/a.txt": "a"})
    for options in ({"no_text": True}, {"overflow": "reject"}):
        for path in (root / "a.png", root):
            with pytest.raises(UsageError, match="is for texts"):
                read(path, modality="image", **options)
        with pytest.raises(UsageError, match="is for texts"):
            in_parquet({"image": ["a.png"]}, read, root, **options)
        assert read(root / "one", **options).contents == {"a.txt": "a"}


def test_an_image_root_may_lie_elsewhere(read: ReadSource, write: Write) -> None:
    """--image-root permits what lies inside it, and that alone."""
    root = write({"photos/1.png": b"1", "t/2.png": b"2"})
    paths = {"image": ["1.png", "../t/2.png"]}
    got = in_parquet(paths, read, root / "t", image_root=root / "photos")
    assert got.contents == {"a.parquet#1": b"1"}
    assert got.reasons == {"a.parquet#2": "outside_root"}
    with pytest.raises(UsageError, match="no folder"):
        in_parquet(paths, read, root / "t", image_root=root / "nowhere")


def test_large_values_make_small_batches(tmp_path: Path) -> None:
    """A batch stays near 8 MiB, whatever the rows hold."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [bytes(1 << 20)] * 40}), path, compression="none")
    batches = list(open_source(Job(path, out=tmp_path / "out")).scan())
    assert sum(batch.num_rows for batch in batches) == 40
    assert max(batch.nbytes for batch in batches) < 10 << 20


def test_damaged_files_are_errors(read: ReadSource, tmp_path: Path) -> None:
    """A file that is no Parquet file, or is cut or flipped, stops the run."""
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"text": [f"text {n}" for n in range(5000)]}), path, write_page_checksum=True
    )
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 3] ^= 0xFF
    for content in (b"", b"PAR1", good[: len(good) // 2], bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(SourceError, match=r"a\.parquet"):
            read(path)


def test_no_row_is_no_input(read: ReadSource, tmp_path: Path) -> None:
    """A Parquet file without rows is an error."""
    with pytest.raises(SourceError, match="No input found"):
        in_parquet({"text": pa.array([], pa.string())}, read, tmp_path)
