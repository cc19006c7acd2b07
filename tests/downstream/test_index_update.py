"""An index follows its table: new rows come in, removed ones are never found, and recall stays."""

import json
import shutil

import numpy as np
import pytest

from downstream import VectorIndex
from downstream.index import inspect_index, origin, updating, verify_index
from featurize.errors import IndexFileError, MismatchError
from featurize.table.forget import forget
from featurize.table.garbage import collect_garbage

KINDS = ("flat", "ivf", "hnsw")
ROWS, DIM = 2000, 12


def draw(rows, seed=0):
    """Draw vectors around 30 centres that all seeds share."""
    centres = np.random.default_rng(99).normal(size=(30, DIM))
    rng = np.random.default_rng(seed)
    vectors = centres[rng.integers(30, size=rows)] + 0.5 * rng.normal(size=(rows, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def named(first, last):
    """Return ids."""
    return [f"row-{number:05d}" for number in range(first, last)]


@pytest.fixture(params=KINDS)
def kind(request):
    """Return one of the kinds."""
    return request.param


@pytest.fixture
def big(make_table):
    """Make a table that a test may change."""
    return make_table(draw(ROWS), labels=["old"] * ROWS)


@pytest.fixture
def index(big, kind):
    """Index it."""
    return VectorIndex.build(big, kind)


def test_rows_that_are_gone_are_not_found(index, big, replace_rows):
    """From the commit on that removes them, and before any update, in every kind of search."""
    vectors = draw(ROWS)
    assert index.search(vectors[:1], 1)[0][0].id == "row-00000"
    replace_rows(big, vectors[100:], id=named(100, ROWS))
    gone = set(named(0, 100))
    for k in (1, 10, 500):
        assert not gone & {hit.id for hits in index.search(vectors[:100], k) for hit in hits}
    assert not gone & {hit.id for hit in index.search(vectors[:1], None, min_score=-1)[0]}
    with pytest.raises(IndexFileError, match="no row with the id 'row-00000'"):
        index.search_id("row-00000")
    assert index.staleness() == {"missing": 0, "removed": 100}


def test_a_commit_while_the_table_is_read_hides_its_rows_too(index, big, replace_rows, monkeypatch):
    """The files that were about to be read go with the commit, which says what is gone."""
    vectors, compare = draw(ROWS), origin.compare

    def interrupted(table, rows, live):
        monkeypatch.setattr(origin, "compare", compare)
        replace_rows(big, vectors[200:], id=named(200, ROWS))
        return compare(table, rows, live)

    monkeypatch.setattr(origin, "compare", interrupted)
    replace_rows(big, vectors[100:], id=named(100, ROWS))
    found = index.search(vectors[:200], 10)
    assert not set(named(0, 200)) & {hit.id for hits in found for hit in hits}


def test_a_row_with_other_content_is_not_found(index, big, replace_rows):
    """Its vector is one of another text: it counts as removed and as missing."""
    contents = [f"{number:064x}" for number in range(3)]
    vectors = draw(ROWS)
    unchanged = big.select(["content_sha256"])["content_sha256"].to_pylist()[3:]
    replace_rows(big, vectors, content_sha256=contents + unchanged)
    assert index.staleness() == {"missing": 3, "removed": 3}
    assert index.search(vectors[:1], 1)[0][0].id != "row-00000"


def test_an_update_brings_all_up(index, kind, big, replace_rows, tmp_path):
    """Added, removed and relabelled rows: afterwards the index answers as one built anew."""
    vectors, more = draw(ROWS), draw(150, seed=5)
    labels = ["new"] * 50 + ["old"] * (ROWS - 100) + ["new"] * 150
    replace_rows(
        big,
        np.concatenate([vectors[50:], more]),
        labels=labels,
        id=[*named(50, ROWS), *named(ROWS, ROWS + 150)],
    )
    done = index.update()
    assert done == {"added": 150, "removed": 50, "changed": 50, "rebuilt": None}
    assert len(index) == ROWS + 100 == len(index.ids) == len(index.vectors)
    assert index.staleness() == {"missing": 0, "removed": 0}
    first = [hits[0].id for hits in index.search(more, 1)]
    assert np.mean(np.array(first) == named(ROWS, ROWS + 150)) > 0.9
    assert index.search(vectors[60:61], 1)[0][0].columns["label"] == "new"
    assert index.facts["recall"]["reached"] >= 0.95
    assert index.facts["removed"] == 50
    index.save(tmp_path / "index")
    again = VectorIndex.open(tmp_path / "index")
    assert again.ids == index.ids
    assert again.search(more, 5) == index.search(more, 5)
    assert verify_index(tmp_path / "index") == []
    assert inspect_index(tmp_path / "index")["method"] == kind


def test_an_id_may_come_back_with_other_content(index, big, replace_rows):
    """After the update the id is found where its new content is, once."""
    vectors = draw(ROWS)
    other = vectors.copy()
    other[0] = -vectors[0]
    contents = big.select(["content_sha256"])["content_sha256"].to_pylist()
    replace_rows(big, other, content_sha256=["f" * 64, *contents[1:]])
    assert index.update()["added"] == 1
    assert index.search(-vectors[:1], 1)[0][0].id == "row-00000"
    assert np.allclose(index.vector("row-00000"), -vectors[0], atol=1e-6)
    assert sorted(index.ids) == named(0, ROWS)


def test_nothing_to_do_is_nothing_done(index, big):
    """An index of the last version stays as it is."""
    before = index.facts["curve"]
    assert index.update() == {"added": 0, "removed": 0, "changed": 0, "rebuilt": None}
    assert index.facts["curve"] == before


def test_with_a_fifth_removed_it_is_built_anew(index, big, replace_rows):
    """Not with less; then nothing of the removed rows is left."""
    vectors = draw(ROWS)
    replace_rows(big, vectors[300:], id=named(300, ROWS))
    assert index.update()["rebuilt"] is None
    assert index.facts["removed"] == 300
    replace_rows(big, vectors[420:], id=named(420, ROWS))
    assert index.update()["rebuilt"] == "420 of 2,000 rows are removed"
    assert index.facts["removed"] == 0
    assert len(index) == ROWS - 420


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_a_recall_that_falls_is_mended(make_table, replace_rows, kind, monkeypatch):
    """Rows of quite another kind come: the effort follows, or all is built anew."""
    big = make_table(draw(ROWS))
    index = VectorIndex.build(big, kind, 0.9)
    rng = np.random.default_rng(1)
    other = rng.normal(size=(ROWS, DIM)).astype(np.float32)
    replace_rows(big, np.concatenate([draw(ROWS), other]), id=named(0, 2 * ROWS))
    index.update()
    assert index.facts["recall"]["reached"] >= 0.9
    queries = rng.normal(size=(300, DIM))
    _, scores = index.find(queries, 10)
    exact = VectorIndex.build(big.path, "flat").find(queries, 10)[1]
    assert (scores >= exact[:, -1:] - 1e-6).mean() >= 0.88


def test_rows_unlike_the_old_ones_are_measured_too(big, replace_rows, monkeypatch):
    """Recall is that of old and new rows also where enough old ones are kept apart already."""
    monkeypatch.setattr("downstream.index.tuning._MOST_APART", 100)
    index = VectorIndex.build(big, "ivf", 0.9)
    rng = np.random.default_rng(1)
    other = rng.normal(size=(ROWS, DIM)).astype(np.float32)
    replace_rows(
        big, np.concatenate([draw(ROWS), other]), ["old"] * 2 * ROWS, id=named(0, 2 * ROWS)
    )
    index.update()
    queries = np.concatenate([rng.normal(size=(300, DIM)), draw(300, seed=5)])
    _, scores = index.find(queries, 10)
    exact = VectorIndex.build(big.path, "flat").find(queries, 10)[1]
    assert (scores >= exact[:, -1:] - 1e-6).mean() >= 0.89


def test_an_update_that_fails_leaves_the_index_as_it_was(
    index, big, replace_rows, monkeypatch, tmp_path
):
    """It answers as before, and can be saved."""
    vectors = draw(ROWS)
    before = index.find(vectors[:20], 5)[0].tolist()
    replace_rows(big, np.concatenate([vectors, draw(100, seed=5)]))

    def fail(*_):
        raise OSError("no room")

    monkeypatch.setattr(updating, "facts_of", fail)
    with pytest.raises(OSError, match="no room"):
        index.update()
    assert index.find(vectors[:20], 5)[0].tolist() == before
    index.save(tmp_path / "index")
    assert VectorIndex.open(tmp_path / "index").find(vectors[:20], 5)[0].tolist() == before


def test_a_table_made_anew_in_another_way_means_building_anew(index, big, make_table):
    """Its contents are the same and its vectors are not, as with another prompt."""
    shutil.rmtree(big.path)
    vectors = draw(ROWS, seed=7)
    variant = {"prompt": {"text": "query: "}}
    make_table(vectors, labels=["old"] * ROWS, origin={"variant": variant}, path=big.path)
    assert "in another way" in index.update()["rebuilt"]
    assert index.origin["variant"] == variant
    assert index.search(vectors[:1], 1)[0][0].score == pytest.approx(1)


def test_what_was_forgotten_leaves_the_files(index, big, tmp_path):
    """After `forget`, the index is refused, and its update builds it anew, without the vector."""
    index.save(tmp_path / "index")
    secret = index.vector("row-00007")
    forget(big.path, ["row-00007"])
    collect_garbage(big.path)
    with pytest.raises(IndexFileError, match="ids were forgotten"):
        VectorIndex.open(tmp_path / "index")
    opened = VectorIndex.open_outdated(tmp_path / "index")
    assert opened.update()["rebuilt"] == "ids were forgotten from its table"
    opened.save(tmp_path / "index")
    assert secret.tobytes() not in (tmp_path / "index" / "vectors.npy").read_bytes()
    assert len(VectorIndex.open(tmp_path / "index")) == ROWS - 1


def test_an_index_keeps_to_its_memory(make_table, replace_rows):
    """An update that would take more than was allowed builds anew, which says what it needs."""
    big = make_table(draw(500))
    room = VectorIndex.build(big, "ivf").facts["memory"] + 1000
    index = VectorIndex.build(big, "ivf", memory=room)
    replace_rows(big, draw(900), id=named(0, 900))
    with pytest.raises(IndexFileError, match="ivf takes about .* MB"):
        index.update()


def test_other_columns_mean_building_anew(index, big, replace_rows):
    """A column that was not there cannot be added to the old rows alone."""
    replace_rows(big, draw(ROWS), labels=["old"] * ROWS, price=[1.0] * ROWS)
    assert index.update()["rebuilt"] == "its table has other columns"
    assert index.search(draw(1), 1)[0][0].columns["price"] == 1


def test_a_table_of_another_encoder_updates_nothing(index, make_table, card):
    """The field that differs is named, and the index answers as before."""
    queries = draw(3)
    before = index.search(queries)
    with pytest.raises(MismatchError, match="differ in `max_length`"):
        index.update(make_table(draw(20), encoder=card(max_length=8)))
    assert index.search(queries) == before


def test_without_its_table_there_is_no_update(index, big):
    """But it still answers."""
    shutil.rmtree(big.path)
    assert index.staleness() == {"missing": 0, "removed": 0}
    with pytest.raises(Exception, match=str(big.path)):
        index.update()


def test_indexes_of_earlier_versions_are_read(make_table, rewrite_card, tmp_path):
    """One with its vectors twice and without a curve answers, and can be updated."""
    big = make_table(draw(200))
    index = VectorIndex.build(big, "flat")
    index.save(tmp_path / "index")
    (tmp_path / "index" / "index.faiss").write_bytes(b"IxFI")
    new = dict.fromkeys(("aim", "recall", "memory", "curve", "removed"), ...)
    files = dict.fromkeys(("index.faiss", "rows.parquet", "vectors.npy"))
    rewrite_card(tmp_path / "index" / "index.json", new)
    card = json.loads((tmp_path / "index" / "index.json").read_text())
    (tmp_path / "index" / "index.json").write_text(json.dumps(card | {"files": files}))
    rewrite_card(tmp_path / "index" / "index.json")
    again = VectorIndex.open(tmp_path / "index")
    queries = draw(5, seed=1)
    assert again.search(queries) == index.search(queries)
    assert again.update()["rebuilt"] is None
    again.save(tmp_path / "index")
    assert verify_index(tmp_path / "index") == []


def test_queries_of_another_precision_are_refused_by_its_name(make_table):
    """Vectors of int8 do not ask an index of fp32; those of the same way do."""

    def made(precision, cosine):
        variant = {"precision": precision, "runtime": "onnxruntime", "cosine": cosine}
        return make_table(draw(20), origin={"variant": variant})

    full, rough = made("fp32", 1.0), made("int8", 0.99)
    with pytest.raises(MismatchError, match="differ in `precision`"):
        VectorIndex.build(full).search_table(rough)
    with pytest.raises(MismatchError, match="differ in `precision`"):
        VectorIndex.build(rough).search_table(full)
    assert VectorIndex.build(rough).search_table(rough, 1)
    assert VectorIndex.build(full).search_table(made("bf16", 0.9999), 1)
