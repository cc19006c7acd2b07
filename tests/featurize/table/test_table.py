"""The table: plain readers see its rows, and damage is found."""

import json
import os
import random

import datasets
import duckdb
import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from featurize.bundle import EncoderCard, VectorSpace
from featurize.errors import BundleError, MismatchError, TableError, TableLocked, UsageError
from featurize.table import EmbeddingTable
from featurize.table.layout import METADATA_KEY, RowColumns, embedding_type, reject_schema
from featurize.table.sealed import sealed, unsealed
from featurize.table.verify import verify_table
from featurize.table.writer import Change, write_table
from featurize.types import Modality

DIM = 8
SPACE = VectorSpace("w", "p", "Tiny", "mean", True, 16, DIM)
CARD = EncoderCard("tiny", (Modality.TEXT,), SPACE)


def rows(ids, seed=0):
    """Make rows with unit vectors and one carried column."""
    count = len(ids)
    vectors = np.random.default_rng(seed).normal(size=(count, DIM))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    user = pa.schema([pa.field("price", pa.float64())])
    processor = {"text": "string", "n_tokens": "int32", "truncated": "bool"}
    schema = RowColumns(pa.string(), processor, user).schema(CARD)
    columns = [
        ids,
        ["file.csv"] * count,
        ["a", "b"] * (count // 2) + ["a"] * (count % 2),
        [f"{number:064x}" for number in range(count)],
        [f"text {number}" for number in range(count)],
        [3] * count,
        [False] * count,
        [float(number) for number in range(count)],
    ]
    arrays = [pa.array(v, schema.field(i).type) for i, v in enumerate(columns)]
    flat = pa.array(vectors.ravel())
    arrays.append(pa.FixedSizeListArray.from_arrays(flat, type=embedding_type(DIM)))
    return pa.Table.from_arrays(arrays, schema=schema), vectors


@pytest.fixture
def table(tmp_path):
    """Write a table of two commits, 60 rows and one reject."""
    first, _ = rows([f"id{number:03d}" for number in range(40)])
    second, _ = rows([f"id{number:03d}" for number in range(40, 60)], seed=1)
    reject = pa.Table.from_pylist(
        [{"id": "x", "source": "file.csv", "reason": "empty", "detail": "blank"}], reject_schema()
    )
    with write_table(tmp_path / "table") as writer:
        writer.origin = {"source": "somewhere"}
        writer.commit(Change([writer.stage(first)], [writer.stage(reject)], complete=False))
        writer.commit(Change([writer.stage(second)]))
    return tmp_path / "table"


def test_plain_readers_see_exactly_the_rows(table):
    """Pandas, DuckDB, Polars and datasets read the right rows and vectors without featurize."""
    expected = EmbeddingTable.open(table)
    ids = list(expected.ids)
    frame = pd.read_parquet(table)
    assert list(frame["id"]) == ids
    np.testing.assert_array_equal(np.stack(frame["embedding"]), expected.to_numpy())
    files = f"{table}/data/*.parquet"
    found = duckdb.sql(f"select id, embedding, price from '{files}' order by id").fetchall()
    assert [row[0] for row in found] == ids
    np.testing.assert_array_equal(np.array([row[1] for row in found]), expected.to_numpy())
    frame = polars.read_parquet(files)
    assert frame.sort("id")["id"].to_list() == ids
    assert frame.sort("id")["embedding"].to_numpy().shape == (60, DIM)


def test_datasets_reads_the_rows(table, tmp_path):
    """Hugging Face datasets gives rows of the right shape."""
    loaded = datasets.load_dataset(
        "parquet", data_files=f"{table}/data/*.parquet", split="train", cache_dir=tmp_path / "hf"
    )
    assert loaded.num_rows == 60
    assert len(loaded[0]["embedding"]) == DIM
    assert set(loaded["id"]) == set(EmbeddingTable.open(table).ids)


def test_reading_batch_by_batch_gives_the_whole(table):
    """iter_batches, select, column and to_pandas agree with each other."""
    opened = EmbeddingTable.open(table)
    batches = pa.Table.from_batches(opened.iter_batches(batch_size=7))
    assert batches.equals(opened.select())
    assert batches.schema.equals(opened.schema, check_metadata=True)
    assert len(opened) == batches.num_rows == len(opened.to_pandas()) == 60
    assert list(opened.labels) == batches.column("label").to_pylist()
    assert opened.fingerprint == CARD.fingerprint


def test_select_filters_rows_and_columns(table):
    """An expression over any column picks rows; only the named columns come back."""
    opened = EmbeddingTable.open(table)
    chosen = opened.select(["id"], where=(pc.field("price") < 3) & (pc.field("label") == "a"))
    assert chosen.to_pydict() == {"id": ["id000", "id002", "id040", "id042"]}
    with pytest.raises(UsageError, match="no column 'colour'.*price"):
        opened.select(["colour"])


def test_rejects_are_read_apart(table):
    """Rejects have a schema of their own and are no rows."""
    rejects = EmbeddingTable.open(table).rejects()
    assert rejects.to_pylist() == [
        {"id": "x", "source": "file.csv", "reason": "empty", "detail": "blank"}
        | {"content_sha256": None}
    ]


def test_elements_are_never_null_and_pages_have_checksums(table):
    """The vector column is fixed-size, float32, non-null; every page carries a CRC."""
    part = next((table / "data").iterdir())
    field = pq.read_schema(part).field("embedding")
    assert field.type == embedding_type(DIM)
    assert not field.type.value_field.nullable
    broken = bytearray(part.read_bytes())
    broken[len(broken) // 2] ^= 1
    part.write_bytes(broken)
    with pytest.raises(TableError, match=part.name):
        EmbeddingTable.open(table).to_numpy()


def test_verify_passes_a_sound_table(table):
    """Nothing is reported where nothing is wrong."""
    assert verify_table(table) == []


@pytest.mark.parametrize("folder", ["data", "_rejects", "_log"])
def test_verify_names_every_damaged_file(table, folder):
    """A flipped bit or a cut anywhere in any file is found."""
    random.seed(folder)
    for path in sorted((table / folder).glob("*[0-9a-f].*")):
        sound = path.read_bytes()
        for _ in range(20):
            place = random.randrange(len(sound))
            flipped = bytearray(sound)
            flipped[place] ^= 1 << random.randrange(8)
            for damaged in (bytes(flipped), sound[:place], sound[:-1], sound + b"\n"):
                path.write_bytes(damaged)
                assert verify_table(table), f"{path.name}, byte {place}"
        path.write_bytes(sound)
    assert verify_table(table) == []


def test_verify_finds_missing_and_unnamed_files(table):
    """A part that is gone and a file nobody committed are both named."""
    part = sorted((table / "data").iterdir())[0]
    part.rename(table / "data" / "stranger.parquet")
    found = {problem.item: problem.detail for problem in verify_table(table)}
    assert found[f"data/{part.name}"].startswith("the file is missing, ")
    assert found["data/stranger.parquet"] == "no commit names this file"


def test_verify_finds_broken_invariants(tmp_path):
    """Repeated ids and vectors off the unit sphere are found behind good hashes."""
    good, vectors = rows(["a", "a", "b"])
    flat = pa.array((vectors * 2).ravel())
    long = good.set_column(
        good.num_columns - 1,
        good.schema.field("embedding"),
        pa.FixedSizeListArray.from_arrays(flat, type=embedding_type(DIM)),
    )
    with write_table(tmp_path / "table") as writer:
        writer.commit(Change([writer.stage(long)]))
    details = " | ".join(problem.detail for problem in verify_table(tmp_path / "table"))
    assert "an id occurs twice" in details
    assert "unit length" in details


def test_a_gap_or_a_stranger_in_the_log_is_refused(table):
    """An entry that is missing, or does not follow its predecessor, breaks the table."""
    first, second = sorted((table / "_log").glob("*.json"))
    kept = first.read_bytes()
    first.unlink()
    with pytest.raises(TableError, match=first.name):
        EmbeddingTable.open(table)
    first.write_bytes(kept)
    second.write_bytes(kept)
    with pytest.raises(TableError, match=second.name):
        EmbeddingTable.open(table)


def test_a_newer_format_is_refused_with_what_to_do(table):
    """A log of a later version says to upgrade."""
    entry = sorted((table / "_log").glob("*.json"))[0]
    content = json.loads(entry.read_text())
    content["format"] = 99
    entry.write_text(json.dumps(content))
    with pytest.raises(TableError, match="Upgrade featurize") as caught:
        EmbeddingTable.open(table)
    assert "format 99" in str(caught.value)


def test_logs_without_the_newer_keys_are_read(table):
    """An entry of the first form, which keeps nothing out, still opens."""
    last = sorted((table / "_log").glob("*.json"))[-1]
    content = unsealed(last, last.read_bytes())
    del content["keep_out"]
    last.write_bytes(sealed(content))
    assert len(EmbeddingTable.open(table)) == 60
    assert verify_table(table) == []


def test_a_folder_without_commits_is_no_table(tmp_path):
    """Opening something else says how to make a table."""
    with pytest.raises(TableError, match="featurize embed"):
        EmbeddingTable.open(tmp_path)


def test_two_writers_never_share_a_table(tmp_path):
    """While one writes, a second is refused."""
    with (
        write_table(tmp_path / "table"),
        pytest.raises(TableLocked, match="process"),
        write_table(tmp_path / "table"),
    ):
        pass


def test_a_commit_that_is_there_is_no_other_writers(table, monkeypatch):
    """Told that its entry exists, a writer looks whose it is: file servers repeat requests."""
    link = os.link

    def link_twice(old, new):
        link(old, new)
        link(old, new)

    with write_table(table) as writer:
        monkeypatch.setattr(os, "link", link_twice)
        writer.commit(Change())
        assert writer.snapshot.version == 3
    assert verify_table(table) == []


def test_a_changed_card_is_refused(table):
    """A card whose fields do not give its fingerprint was tampered with."""
    part = next((table / "data").iterdir())
    stamp = json.loads(pq.read_schema(part).metadata[METADATA_KEY])
    stamp["encoder"]["space"]["pooling"] = "cls"
    with pytest.raises(BundleError, match="changed by hand"):
        EncoderCard.from_json(stamp["encoder"])


@pytest.mark.parametrize(
    ("field", "value"),
    [("weights", "x"), ("preparation", "x"), ("architecture", "x"), ("pooling", "cls")]
    + [("normalize", False), ("max_length", 8), ("dim", 9)],
)
def test_a_mismatch_names_the_field(field, value):
    """Each field of the vector space tells two encoders apart, by name."""
    values = {name: getattr(SPACE, name) for name in SPACE.__slots__} | {field: value}
    other = EncoderCard("other", (Modality.TEXT,), VectorSpace(**values))
    with pytest.raises(MismatchError, match=f"`{field}`"):
        CARD.require_same_space(other, here="the head", there="the table")
    CARD.require_same_space(EncoderCard("renamed", (Modality.TEXT,), SPACE), here="a", there="b")
