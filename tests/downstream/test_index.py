"""The index: exact, self-contained, checked, and honest about its table."""

import json
import shutil
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from downstream import VectorIndex
from downstream.index import content, inspect_index, rows, verify_index
from downstream.index.vectors import room_for
from featurize.errors import FeaturizeError, IndexFileError, MismatchError, UsageError

FILES = ("index.json", "rows.parquet", "vectors.npy")


@pytest.fixture(scope="module")
def index(table):
    """Index the table."""
    return VectorIndex.build(table)


@pytest.fixture
def saved(index, tmp_path):
    """Save the index."""
    index.save(tmp_path / "index")
    return tmp_path / "index"


def brute_force(table, queries, k):
    """Return ids and cosines of the nearest rows, computed plainly."""
    vectors = table.to_numpy().astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = np.asarray(queries, np.float64)
    cosines = queries @ vectors.T / np.linalg.norm(queries, axis=1, keepdims=True)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return table.ids[order].tolist(), np.take_along_axis(cosines, order, axis=1)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 5), k=st.integers(1, 300))
def test_search_is_exact(index, table, seed, count, k):
    """Ids and scores are those of brute force, for queries of any length."""
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(count, 12)) * 10 ** rng.uniform(-3, 3)
    ids, scores = brute_force(table, queries, k)
    found = index.search(queries, k)
    assert [[hit.id for hit in hits] for hits in found] == ids
    assert np.allclose([[hit.score for hit in hits] for hits in found], scores, atol=1e-6)


def test_a_score_does_not_depend_on_its_neighbours(index):
    """A query alone gets the hits and scores, bit for bit, that it gets among a thousand."""
    queries = np.random.default_rng(0).normal(size=(1000, 12)).astype(np.float32)
    together = index.search(queries, 5)
    for row in range(0, 1000, 50):
        assert index.search(queries[row : row + 1], 5)[0] == together[row]


def test_hits_carry_the_columns(index, table):
    """A hit has every column but id and vector, and a row finds itself first."""
    hit = index.search(table.to_numpy()[7:8], 1)[0][0]
    assert hit.id == "row-00007"
    assert hit.score == pytest.approx(1)
    assert hit.columns["label"] == "class-1"
    assert hit.columns["text"] == "text of row-00007"
    assert set(hit.columns) == {"source", "label", "content_sha256", "text"}


def test_equal_rows_come_in_order(make_table, clustered):
    """Rows with the same vector are found in the order of the table."""
    vectors = np.repeat(clustered(4)[0], 5, axis=0)
    hits = VectorIndex.build(make_table(vectors)).search(vectors[:1], 5)[0]
    assert [hit.id for hit in hits] == [f"row-0000{number}" for number in range(5)]


def test_more_hits_than_rows(index):
    """Asked for more rows than there are, all come once."""
    hits = index.search(np.ones((1, 12)), 1000)[0]
    assert len({hit.id for hit in hits}) == len(hits) == len(index) == 240


def test_many_hits_of_many_queries_need_little_memory(make_table):
    """All rows for many queries are scored in slices, and come as for one query alone."""
    rng = np.random.default_rng(0)
    index = VectorIndex.build(make_table(rng.normal(size=(2000, 512)).astype(np.float32)))
    queries = rng.normal(size=(40, 512)).astype(np.float32)
    tracemalloc.start()
    found = index.search(queries, 2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * 2000 * 512 * 8 / 2  # half of all vectors in float64
    assert found[7] == index.search(queries[7:8], 2000)[0]


def test_no_queries(index):
    """No query, no hits."""
    assert index.search(np.empty((0, 12))) == []


def test_vectors_are_normalised_copies(make_table, clustered):
    """The index holds unit vectors, and the table keeps its own."""
    vectors, _ = clustered(20)
    made = make_table(vectors * 3)
    index = VectorIndex.build(made)
    assert np.allclose(index.vector("row-00003"), vectors[3], atol=1e-6)
    assert np.allclose(made.to_numpy(), vectors * 3)


def test_more_like_this(index):
    """A row's neighbours are those of its vector, without itself."""
    hits = index.search_id("row-00010", 4)
    around = index.search(index.vector("row-00010")[np.newaxis], 5)[0]
    assert hits == around[1:]
    with pytest.raises(IndexFileError, match="no row with the id 'row-x'"):
        index.search_id("row-x")


@pytest.mark.parametrize(
    "queries",
    [
        np.ones(12),
        np.ones((1, 11)),
        np.ones((1, 13)),
        np.ones((1, 1, 12)),
        np.full((1, 12), np.nan),
        np.full((1, 12), np.inf),
        np.zeros((1, 12)),
        np.full((1, 12), "a"),
        np.full((1, 12), None),
        np.ones((1, 12), complex),
        np.ones((1, 12), bool),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_impossible_queries_are_refused(index, queries):
    """Wrong shapes, wrong types, NaN, infinity and zero vectors are errors, not hits."""
    with pytest.raises(IndexFileError):
        index.search(queries)


@pytest.mark.parametrize("k", [0, -1, 1.5, "3", True])
def test_impossible_counts_are_refused(index, k):
    """The number of hits is a whole number from 1 up."""
    with pytest.raises(UsageError, match="-k expects"):
        index.search(np.ones((1, 12)), k)


def test_checks_hold_without_assertions(saved):
    """Under `python -O`, where faiss checks nothing, a wrong dimension is still an error."""
    script = (
        "import sys, numpy as np, downstream\n"
        "index = downstream.VectorIndex.open(sys.argv[1])\n"
        "for width in (8, 11, 13, 400):\n"
        "    try:\n"
        "        index.search(np.ones((1, width), np.float32))\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-O", "-c", script, saved], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["IndexFileError"] * 4


def test_a_table_may_be_given_as_its_path(table, index):
    """Index and queries take a path for a table; anything else is a TypeError."""
    built = VectorIndex.build(str(table.path))
    assert built.ids == index.ids
    assert built.search_table(table.path, 1) == index.search_table(table, 1)
    for wrong in (VectorIndex.build, index.search_table):
        with pytest.raises(TypeError, match="table or its path is expected, got ndarray"):
            wrong(np.ones((3, 12)))


def test_an_index_records_how_its_vectors_were_made(make_table, clustered):
    """Runtime, precision and cosine of the table go into the card, and if it is incomplete."""
    variant = {"runtime": "openvino", "precision": "bf16", "cosine": 0.99}
    made = make_table(clustered(5)[0], origin={"variant": variant}, complete=False)
    origin = VectorIndex.build(made).facts["origin"]
    assert (origin["variant"], origin["incomplete"]) == (variant, True)


def test_an_empty_table_cannot_be_indexed(make_table, clustered):
    """A table without rows is an error that says where to look."""
    with pytest.raises(IndexFileError, match="no rows"):
        VectorIndex.build(make_table(np.empty((0, 12), np.float32)))


def test_unknown_kinds_list_the_known(table):
    """An unknown kind is a usage error; `auto` chooses one."""
    with pytest.raises(UsageError, match="no index of kind 'lsh'") as caught:
        VectorIndex.build(table, kind="lsh")
    assert caught.value.fix == "Choose one of: auto, flat, ivf, hnsw."
    assert VectorIndex.build(table, kind="auto").facts["method"] == "flat"


def test_a_saved_index_stands_alone(make_table, clustered, tmp_path):
    """After its table is gone, an opened index answers as the built one did."""
    made = make_table(*clustered(50))
    index = VectorIndex.build(made)
    index.save(tmp_path / "index")
    queries = clustered(9, seed=3)[0]
    before = index.search(queries)
    shutil.rmtree(made.path)
    again = VectorIndex.open(tmp_path / "index")
    assert again.search(queries) == before
    assert again.ids == index.ids
    assert again.encoder == made.card
    assert again.origin["bundle"] == "minilm"
    assert again.staleness() == {"missing": 0, "removed": 0}
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == list(FILES)
    assert verify_index(tmp_path / "index") == []
    assert inspect_index(tmp_path / "index")["rows"] == 50


def test_the_same_table_gives_the_same_bytes(table, saved, hashes, tmp_path):
    """Building twice, and opening and saving again, give equal files."""
    VectorIndex.build(table).save(tmp_path / "twin")
    VectorIndex.open(saved).save(tmp_path / "copy")
    assert hashes(tmp_path / "twin") == hashes(tmp_path / "copy") == hashes(saved)


def test_saving_replaces_only_an_index(index, make_table, clustered, saved, tmp_path):
    """An older index is replaced as a whole, also while it is open; anything else is refused."""
    opened = VectorIndex.open(saved)
    before = opened.search(np.ones((1, 12)))
    VectorIndex.build(make_table(*clustered(7))).save(saved)
    assert len(VectorIndex.open(saved)) == 7
    assert opened.search(np.ones((1, 12))) == before
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    with pytest.raises(IndexFileError, match="in the way"):
        index.save(tmp_path / "photos")
    assert not list(tmp_path.glob(".*"))


def test_an_index_that_is_replaced_while_it_is_opened_is_never_mixed(
    make_table, clustered, tmp_path, monkeypatch
):
    """The new one is opened, not the rows of one with the vectors of the other."""
    vectors = clustered(50)[0]
    turned = np.ascontiguousarray(vectors[::-1])
    old, new = VectorIndex.build(make_table(vectors)), VectorIndex.build(make_table(turned))
    old.save(tmp_path / "index")

    def replaced(file):
        monkeypatch.setattr(content, "Rows", rows.Rows)
        new.save(tmp_path / "index")
        return rows.Rows(file)

    monkeypatch.setattr(content, "Rows", replaced)
    opened = VectorIndex.open(tmp_path / "index")
    assert opened.facts["origin"] == new.facts["origin"]
    assert opened.search(vectors[:3], 1) == new.search(vectors[:3], 1)


def test_damaged_indexes_are_refused(saved, flip):
    """One flipped bit anywhere in a saved index is found before anything is parsed."""
    rng = np.random.default_rng(0)
    for case in range(200):
        file = saved / FILES[case % len(FILES)]
        kept = file.read_bytes()
        flip(file, rng)
        with pytest.raises(FeaturizeError):
            VectorIndex.open(saved)
        assert verify_index(saved)[0].item == file.name
        file.write_bytes(kept)
    assert verify_index(saved) == []


@pytest.mark.parametrize("name", FILES)
def test_missing_and_cut_files_are_refused(saved, name):
    """A file that is gone, empty or a link is found."""
    file = saved / name
    kept = file.read_bytes()
    file.write_bytes(b"")
    with pytest.raises(IndexFileError):
        VectorIndex.open(saved)
    file.unlink()
    with pytest.raises(IndexFileError):
        VectorIndex.open(saved)
    if name != "index.json":
        (saved.parent / name).write_bytes(kept)
        file.symlink_to(saved.parent / name)
        with pytest.raises(IndexFileError, match="no regular file"):
            VectorIndex.open(saved)


def _objects(saved):
    np.save(saved / "vectors.npy", np.array([{}], dtype=object), allow_pickle=True)


def _short_vectors(saved):
    np.save(saved / "vectors.npy", np.ones((3, 12), np.float32))


def _no_rows(saved):
    (saved / "rows.parquet").write_bytes(b"PAR1" * 8)


def _other_dimension(saved):
    """Let the encoder of the card make other vectors: queries of them would read foreign memory."""
    from featurize.bundle import EncoderCard

    card = json.loads((saved / "index.json").read_bytes())
    encoder = EncoderCard.from_json(card["encoder"])
    wider = replace(encoder, space=replace(encoder.space, dim=encoder.dim + 4))
    (saved / "index.json").write_text(json.dumps(card | {"encoder": wider.to_json()}))


@pytest.mark.parametrize("forge", [_objects, _short_vectors, _no_rows, _other_dimension])
def test_forged_indexes_are_refused(saved, rewrite_card, forge):
    """Files of the wrong kind or size are refused though their hashes fit."""
    forge(saved)
    rewrite_card(saved / "index.json")
    with pytest.raises(IndexFileError):
        VectorIndex.open(saved)
    assert verify_index(saved)


def test_verify_finds_vectors_of_another_length(saved, rewrite_card):
    """Vectors that have not unit length are found."""
    np.save(saved / "vectors.npy", np.load(saved / "vectors.npy") * 2)
    rewrite_card(saved / "index.json")
    assert [problem.item for problem in verify_index(saved)] == ["vectors.npy"]


def test_verify_finds_an_id_that_occurs_twice(saved, rewrite_card):
    """Rows of one id could not be told apart."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(saved / "rows.parquet")
    twice = pa.array([table["id"][0].as_py(), *table["id"].to_pylist()[:-1]])
    pq.write_table(table.set_column(table.schema.get_field_index("id"), "id", twice), saved / "new")
    (saved / "new").replace(saved / "rows.parquet")
    rewrite_card(saved / "index.json")
    assert [problem.detail for problem in verify_index(saved)] == ["an id occurs twice"]


@pytest.mark.parametrize("kept", [0, 1 << 28])
def test_rows_come_in_the_order_they_are_asked_for(make_table, clustered, monkeypatch, kept):
    """However many groups they lie in, and whether these are kept in memory or are too large."""
    monkeypatch.setattr(rows, "ROW_GROUP", 3)
    monkeypatch.setattr(rows, "_KEPT", kept)
    index = VectorIndex.build(make_table(clustered(300)[0]))
    places = np.random.default_rng(0).integers(300, size=500)
    for asked in (places[:5], places):
        found = index._content.rows.take(asked)
        assert [row["id"] for row in found] == index.row_ids(asked)
    assert ("_all" in index._content.rows.__dict__) == bool(kept)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS reserves no room")
def test_room_for_vectors_is_taken_at_once(tmp_path):
    """A disk that fills up while they are written would end the process by a signal."""
    vectors = room_for(1000, 384, tmp_path)
    open_files = [file.stat() for file in Path("/proc/self/fd").iterdir() if file.exists()]
    mapped = [file for file in open_files if not file.st_nlink and file.st_size == vectors.nbytes]
    assert mapped
    assert all(512 * file.st_blocks >= vectors.nbytes for file in mapped)


def test_a_stale_index_says_so(make_table, clustered, tmp_path):
    """Rows added, removed and changed in the table since are counted."""
    vectors, labels = clustered(20)
    path = tmp_path / "table"
    index = VectorIndex.build(make_table(vectors, labels, path=path))
    index.save(tmp_path / "index")
    assert index.staleness() == {"missing": 0, "removed": 0}
    shutil.rmtree(path)
    ids = [f"row-{number:05d}" for number in range(5, 28)]
    contents = [f"{number:064x}" for number in range(23)]
    make_table(np.resize(vectors, (23, 12)), path=path, id=ids, content_sha256=contents)
    again = VectorIndex.open(tmp_path / "index")
    assert again.staleness() == {"missing": 23, "removed": 20}


def test_staleness_counts_single_rows(make_table, clustered, tmp_path):
    """A table with two rows more and one less is stale by just these."""
    vectors, _ = clustered(30)
    path = tmp_path / "table"
    ids = [f"row-{number:05d}" for number in range(30)]
    index = VectorIndex.build(make_table(vectors[:28], path=path))
    shutil.rmtree(path)
    make_table(vectors[1:], path=path, id=ids[1:])
    assert index.staleness() == {"missing": 2, "removed": 1}


def test_a_table_of_another_encoder_is_refused(make_table, clustered, card, tmp_path):
    """Where the table was made anew by another encoder, nothing is found; the field is named."""
    vectors, _ = clustered(10)
    index = VectorIndex.build(make_table(vectors, path=tmp_path / "table"))
    shutil.rmtree(tmp_path / "table")
    make_table(-vectors, path=tmp_path / "table", encoder=card(pooling="cls"))
    for ask in (index.staleness, index.update, lambda: index.search(vectors)):
        with pytest.raises(MismatchError, match="differ in `pooling`"):
            ask()


def test_tables_of_queries_share_the_space(index, table, make_table, clustered, card):
    """A table can ask if its encoder is the index's; else the differing field is named."""
    assert [hits[0].id for hits in index.search_table(table, 1)] == table.ids.tolist()
    with pytest.raises(MismatchError, match="differ in `max_length`"):
        index.search_table(make_table(clustered(3)[0], encoder=card(max_length=8)))


def test_hits_are_json(index):
    """Columns of plain types can be written as JSON."""
    hits = index.search(np.ones((1, 12)), 2)[0]
    json.dumps([{"id": hit.id, "score": hit.score, "columns": hit.columns} for hit in hits])
