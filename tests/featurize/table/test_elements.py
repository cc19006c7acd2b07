"""The element types of stored vectors: what is kept of them, and who can read it."""

import json

import datasets
import duckdb
import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from featurize.bundle import EncoderCard, VectorSpace
from featurize.config import Store
from featurize.errors import TableError, UsageError
from featurize.table import EmbeddingTable
from featurize.table.elements import ELEMENTS, elements_of, require_storable
from featurize.table.layout import EMBEDDING, METADATA_KEY, RowColumns, embedding_type
from featurize.table.part import write_part
from featurize.table.verify import verify_table
from featurize.table.writer import Change, write_table
from featurize.types import Modality

DIM = 16
ROWS = 50
LOSSY = [store for store in Store if store is not Store.FLOAT32]
stores = pytest.mark.parametrize("store", Store)


def card(dim=DIM, normalize=True):
    """Make the card of an invented text encoder."""
    space = VectorSpace("w", "p", "Tiny", "mean", normalize, 16, dim)
    return EncoderCard("tiny", (Modality.TEXT,), space)


def unit_vectors(count=ROWS, dim=DIM):
    """Draw vectors of unit length."""
    vectors = np.random.default_rng(0).normal(size=(count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def rows_of(store, column=None):
    """Make rows whose vectors are stored as `store` has it; or with a vector column as given."""
    count = ROWS if column is None else len(column)
    schema = RowColumns(pa.string(), {}, pa.schema([])).schema(card(), store)
    ids = [f"id{number:03d}" for number in range(count)]
    column = ELEMENTS[store].column(unit_vectors()) if column is None else column
    return pa.Table.from_arrays(
        [ids, ["a.csv"] * count, ["x"] * count, [f"{n:064x}" for n in range(count)], column],
        schema=schema,
    )


@pytest.fixture
def write(tmp_path):
    """Return a function that commits rows to a table."""

    def commit(rows):
        with write_table(tmp_path / "table") as writer:
            writer.commit(Change([writer.stage(rows)]))
        return tmp_path / "table"

    return commit


finite = st.floats(-1e4, 1e4, width=32, allow_subnormal=True)
vectors = arrays.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(DIM)), elements=finite)


@stores
@given(vectors=vectors)
def test_what_was_read_is_stored_as_it_was(store, vectors):
    """A vector read from a row gives the same bytes again as that of the encoder did."""
    vectors = vectors[vectors.any(axis=1)]
    elements = ELEMENTS[store]
    stored = elements.pack(vectors)
    read = elements.unpack(stored)
    assert read.dtype == np.float32
    assert read.shape == vectors.shape
    np.testing.assert_array_equal(elements.pack(read), stored)


@pytest.mark.parametrize(
    ("store", "least"), [("float32", 1.0), ("float16", 0.999999), ("int8", 0.9999), ("binary", 0.6)]
)
def test_each_type_keeps_the_direction_as_far_as_it_can(store, least):
    """Cosines to the vectors that were stored are as the number of bits allows; lengths are 1."""
    exact = unit_vectors(500)
    read = ELEMENTS[Store(store)].as_read(exact)
    lengths = np.linalg.norm(read, axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-3)
    assert (np.einsum("ij,ij->i", exact, read) / lengths).min() > least - 1e-6


def test_float16_keeps_lengths():
    """It is the one smaller type for encoders whose vectors have lengths of their own."""
    vectors = unit_vectors() * np.arange(1, ROWS + 1, dtype=np.float32)[:, np.newaxis]
    read = ELEMENTS[Store.FLOAT16].as_read(vectors)
    np.testing.assert_allclose(read, vectors, rtol=2**-11, atol=1e-7)


@stores
def test_a_table_says_how_its_vectors_are_stored_and_gives_float32(store, write):
    """The type of the column, the metadata and the reader agree; elements are never null."""
    table = EmbeddingTable.open(write(rows_of(store)))
    assert table.store is store
    field = table.schema.field(EMBEDDING)
    assert field.type == embedding_type(DIM, store)
    assert not field.nullable
    assert not field.type.value_field.nullable
    assert elements_of(field.type).store is store
    assert table.to_numpy().dtype == np.float32
    np.testing.assert_array_equal(table.to_numpy(), ELEMENTS[store].as_read(unit_vectors()))
    assert verify_table(table.path) == []


def test_signs_are_also_given_packed(write):
    """to_packed() gives the bits as they lie in the table: one for each positive number."""
    packed = EmbeddingTable.open(write(rows_of(Store.BINARY))).to_packed()
    assert (packed.dtype, packed.shape) == (np.uint8, (ROWS, DIM // 8))
    np.testing.assert_array_equal(np.unpackbits(packed, axis=1), unit_vectors() > 0)


def test_only_signs_are_packed(write):
    """Any other table says what it stores instead."""
    with pytest.raises(UsageError, match="as int8; only binary") as caught:
        EmbeddingTable.open(write(rows_of(Store.INT8))).to_packed()
    assert "to_numpy()" in caught.value.fix


def test_float32_parts_are_those_of_format_1_byte_for_byte(tmp_path):
    """What earlier versions wrote, and read, is written still."""
    rows = rows_of(Store.FLOAT32)
    stamp = json.dumps({"encoder": card().to_json(), "format": 1}, sort_keys=True)
    assert rows.schema.metadata == {METADATA_KEY: stamp.encode()}
    element = pa.field("element", pa.float32(), nullable=False)
    assert rows.schema.field(EMBEDDING).type == pa.list_(element, DIM)
    pq.write_table(
        rows,
        tmp_path / "as before",
        row_group_size=8192,
        compression="zstd",
        use_dictionary=["id", "source", "label", "content_sha256"],
        use_byte_stream_split=["embedding.list.element"],
        write_page_checksum=True,
    )
    write_part(rows, tmp_path / "now")
    assert (tmp_path / "now").read_bytes() == (tmp_path / "as before").read_bytes()


@pytest.mark.parametrize("store", LOSSY)
def test_other_types_are_format_2(store, tmp_path):
    """Versions that would misread them refuse them."""
    stamp = json.loads(rows_of(store).schema.metadata[METADATA_KEY])
    assert (stamp["format"], stamp["store"]) == (2, store)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"format": 3}, "format 3; this version reads up to 2"), ({"store": "int4"}, "no embedding")],
)
def test_a_newer_or_unknown_format_is_refused(change, message, write):
    """The reader says which format it would need."""
    rows = rows_of(Store.INT8)
    stamp = json.loads(rows.schema.metadata[METADATA_KEY]) | change
    newer = rows.replace_schema_metadata({METADATA_KEY: json.dumps(stamp)})
    with pytest.raises(TableError, match=message):
        EmbeddingTable.open(write(newer))


@stores
def test_plain_readers_see_what_is_stored(store, write, tmp_path):
    """Pandas, DuckDB, Polars and datasets read the numbers of every type."""
    files = f"{write(rows_of(store))}/data/*.parquet"
    stored = ELEMENTS[store].pack(unit_vectors())
    frame = pd.read_parquet(tmp_path / "table")
    np.testing.assert_array_equal(np.stack(frame["embedding"]), stored)
    found = duckdb.sql(f"select embedding from '{files}' order by id").fetchall()
    np.testing.assert_array_equal(np.array([row[0] for row in found]), stored)
    column = polars.read_parquet(files).sort("id")["embedding"]
    np.testing.assert_array_equal(np.array(column.to_list()), stored)
    loaded = datasets.load_dataset(
        "parquet", data_files=files, split="train", cache_dir=tmp_path / "hf"
    )
    np.testing.assert_array_equal(np.array(loaded["embedding"][:]), stored)


def test_smaller_types_make_smaller_parts(tmp_path):
    """Files shrink as the numbers do, though Parquet has none of 8 bits."""
    count, dim = 2000, 64
    held = {}
    for store in Store:
        column = ELEMENTS[store].column(unit_vectors(count, dim))
        rows = pa.table([column], pa.schema([pa.field(EMBEDDING, column.type, nullable=False)]))
        held[store] = write_part(rows, tmp_path / store).bytes / (count * dim)
    assert held[Store.FLOAT32] < 4
    assert held[Store.FLOAT16] < 2
    assert held[Store.INT8] < 1.05
    assert held[Store.BINARY] < 1.2 / 8


@pytest.mark.parametrize(
    ("store", "value", "problem"),
    [("float16", np.inf, "not finite"), ("float16", 0, "all zeros"), ("int8", 0, "all zeros")],
)
def test_verify_finds_stored_vectors_of_no_use(store, value, problem, write):
    """They can only come from elsewhere: a run rejects them."""
    elements = ELEMENTS[Store(store)]
    numbers = elements.pack(unit_vectors())
    numbers[7] = value
    flat = pa.array(numbers.ravel())
    column = pa.FixedSizeListArray.from_arrays(flat, type=elements.type(DIM))
    problems = verify_table(write(rows_of(Store(store), column)))
    assert [problem in found.detail for found in problems] == [True]


def test_what_an_encoder_cannot_be_stored_as_is_refused():
    """int8 needs vectors of unit length, binary whole bytes; the error says what to use instead."""
    for store in Store:
        require_storable(card(), store)
    with pytest.raises(UsageError, match="keeps the direction") as caught:
        require_storable(card(normalize=False), Store.INT8)
    assert "float16" in caught.value.fix
    with pytest.raises(UsageError, match="has 20, which is no multiple of 8") as caught:
        require_storable(card(dim=20), Store.BINARY)
    assert "int8" in caught.value.fix
    require_storable(card(dim=20, normalize=False), Store.FLOAT16)
