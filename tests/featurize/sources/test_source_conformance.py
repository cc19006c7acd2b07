"""What holds for every source, whatever it reads."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featurize.config import Job
from featurize.errors import InputRejected
from featurize.sources import COLUMN_PREFIX, Listing, Record, Source, open_source
from featurize.types import Progress, RejectReason

TEXTS = ["zebra", "Äpfel und Öl", "one\ntwo", "𝄞 clef", "007", "ß", "é", " spaced "]
IDS = ["b", "a", "Z", "é", "𝄞", "\uffff", "a/b", "a.b"]
IMAGE = b"\xff\xd8\xff\xe0 no real image, but bytes"


def text_folder(root: Path) -> Path:
    """Write a folder of texts."""
    for key, text in zip(IDS, TEXTS, strict=True):
        path = root / "texts" / f"{key}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="")
    (root / "texts" / "empty.md").touch()
    return root / "texts"


def image_folder(root: Path) -> Path:
    """Write a folder of images with metadata."""
    for position, key in enumerate(IDS):
        path = root / "images" / "x" / f"{key}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(IMAGE * (position + 1))
    (root / "images" / "metadata.csv").write_text("file_name,width_mm\nx/b.jpg,12\nx/no.jpg,1\n")
    return root / "images"


def csv_file(root: Path) -> Path:
    """Write a CSV file with a reject and a repeated id."""
    rows = "".join(f'{key},"{text}",x\n' for key, text in zip(IDS, TEXTS, strict=True))
    path = root / "rows.csv"
    path.write_bytes(f"id,text,label\n{rows}b,again,y\nragged\n".encode())
    return path


def jsonl_file(root: Path) -> Path:
    """Write a compressed JSON Lines file with a reject."""
    objects = [{"id": i, "text": t, "n": 1} for i, t in zip(IDS, TEXTS, strict=True)]
    lines = "".join(json.dumps(value) + "\n" for value in objects) + "{broken\n"
    path = root / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(lines.encode()))
    return path


def parquet_file(root: Path) -> Path:
    """Write a Parquet file with a missing text."""
    path = root / "rows.parquet"
    pq.write_table(pa.table({"id": [*IDS, "none"], "text": [*TEXTS, None], "n": range(9)}), path)
    return path


def image_parquet(root: Path) -> Path:
    """Write a Parquet file of image bytes and paths."""
    (root / "outside.jpg").write_bytes(IMAGE)
    images = [{"bytes": IMAGE, "path": None}, {"bytes": None, "path": "outside.jpg"}, None]
    path = root / "images.parquet"
    pq.write_table(pa.table({"image": images, "label": [1, 2, 3]}), path)
    return path


def single_text(root: Path) -> Path:
    """Write one text."""
    path = root / "one.txt"
    path.write_text("one text")
    return path


def tar_of_texts(root: Path) -> Path:
    """Write a tar file of a folder of texts."""
    path = root / "texts.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(text_folder(root), arcname=".")
    return path


def zip_of_texts(root: Path) -> Path:
    """Write a zip file of a folder of texts, with a name that leads out."""
    folder = text_folder(root)
    path = root / "texts.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder).as_posix())
        archive.writestr("../out.txt", "out")
    return path


def shards_of_images(root: Path) -> Path:
    """Write a folder of compressed tar files of images with labels and columns."""
    for suffix, mode in ((".tar.gz", "w:gz"), (".tar.xz", "w:xz"), (".tar", "w")):
        path = root / "shards" / f"s{suffix}"
        path.parent.mkdir(exist_ok=True)
        with tarfile.open(path, mode) as tar:
            for key in ("a", "b", "b"):
                for name, data in (
                    (f"{key}.jpg", IMAGE),
                    (f"{key}.cls", b"1"),
                    ("a.json", b'{"n": 1}') if key == "a" else ("c.jpg", b""),
                ):
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
    return root / "shards"


KINDS = [
    text_folder,
    image_folder,
    csv_file,
    jsonl_file,
    parquet_file,
    image_parquet,
    single_text,
    tar_of_texts,
    zip_of_texts,
    shards_of_images,
]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def raw(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return raw data of one kind."""
    made: Callable[[Path], Path] = request.param
    return made(tmp_path)


@pytest.fixture
def source(raw: Path, tmp_path: Path) -> Source:
    """Return the source of the raw data."""
    return open_source(Job(raw, out=tmp_path / "out"))


@pytest.fixture
def listing(source: Source, tmp_path: Path) -> Listing:
    """Return the listing of the source."""
    return Listing.build(source, tmp_path / "spool" / "listing.arrow")


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of a slice."""
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_ids_are_sorted_by_their_bytes_and_unique_among_accepted(listing: Listing) -> None:
    """Ids come in the order of their UTF-8 bytes, each accepted once."""
    rows = rows_of(listing.slice(0, len(listing)))
    encoded = [row["id"].encode() for row in rows]
    assert encoded == sorted(encoded)
    accepted = [row["id"] for row in rows if row["reason"] is None]
    assert len(accepted) == len(set(accepted)) > 0


def test_sizes_are_the_lengths_of_what_loads(source: Source, listing: Listing) -> None:
    """A size is the number of bytes of the content, 0 for rejected inputs."""
    table = listing.slice(0, len(listing))
    for row, size in zip(rows_of(table), listing.sizes, strict=True):
        if row["reason"] is not None:
            assert size == 0
            continue
        try:
            content = source.load(Record(*(row[k] for k in ("id", "source", "content", "path"))))
        except InputRejected:
            assert size == 0
        else:
            assert len(content.encode() if isinstance(content, str) else content) == size


def test_rejects_have_a_known_reason_and_a_detail_without_machine_paths(
    listing: Listing, tmp_path: Path
) -> None:
    """Every reject says why, from the closed list, and never where on this machine."""
    rejected = [row for row in rows_of(listing.slice(0, len(listing))) if row["reason"]]
    assert len(rejected) == listing.rejected_count
    for row in rejected:
        assert row["reason"] in set(RejectReason)
        assert row["detail"]
        assert str(tmp_path) not in row["detail"]


def test_two_listings_are_equal(raw: Path, listing: Listing, tmp_path: Path) -> None:
    """Reading the same raw data again gives the same listing."""
    again = Listing.build(open_source(Job(raw, out=tmp_path / "out")), tmp_path / "again")
    assert again.slice(0, len(again)).equals(listing.slice(0, len(listing)))
    assert np.array_equal(again.sizes, listing.sizes)
    assert again.rejected_count == listing.rejected_count


def test_slices_join_to_the_whole(listing: Listing) -> None:
    """Slices of any length, put together, are the whole listing."""
    whole = listing.slice(0, len(listing))
    for step in (1, 2, 5):
        parts = [listing.slice(at, at + step) for at in range(0, len(listing), step)]
        assert pa.concat_tables(parts).equals(whole)
    assert listing.slice(3, 3).num_rows == 0
    assert listing.slice(3, 3).schema == whole.schema


def test_columns_name_the_carried_columns_of_a_slice(source: Source, listing: Listing) -> None:
    """A slice holds the contract's columns, then the user's own with their types."""
    schema = listing.slice(0, 1).schema
    assert schema.names[:7] == ["id", "source", "label", "reason", "detail", "content", "path"]
    assert schema.names[7:] == [COLUMN_PREFIX + name for name in source.columns().names]
    assert schema.types[7:] == source.columns().types
    assert schema.field("label").type == source.label_type()


def test_loading_from_threads_gives_the_same(source: Source, listing: Listing) -> None:
    """Several threads may load at once."""
    rows = [row for row in rows_of(listing.slice(0, len(listing))) if row["reason"] is None]
    work = [Record(*(row[k] for k in ("id", "source", "content", "path"))) for row in rows] * 20

    def load(record: Record) -> str | bytes:
        try:
            return source.load(record)
        except InputRejected as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(load, work)) == [load(record) for record in work]


def test_close_removes_the_spool(listing: Listing, tmp_path: Path) -> None:
    """A closed listing leaves nothing behind."""
    spool = tmp_path / "spool"
    assert list(spool.iterdir())
    listing.close()
    assert not list(spool.iterdir())


def test_progress_ends_at_the_number_of_inputs(source: Source, tmp_path: Path) -> None:
    """Progress counts inputs."""
    heard: list[Progress] = []
    listing = Listing.build(source, tmp_path / "spool.arrow", heard.append)
    assert heard[-1].done == len(listing)


def test_notes_hold_no_machine_paths(source: Source, listing: Listing, tmp_path: Path) -> None:
    """What is said to the user names files, not places."""
    assert len(listing)
    assert not any(str(tmp_path) in note for note in source.notes)
