"""Neighbours of every row and groups of duplicates, against brute force."""

import json
import tracemalloc

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from downstream import VectorIndex, duplicates
from downstream.index.listing import free_hits_file, write_hits
from downstream.neighbors import neighbors
from downstream.neighbors.joining import joined
from featurize.errors import IndexFileError, UsageError

# integers in few dimensions: equal and parallel vectors, and cosines that are far from each other
VECTORS = st.lists(
    st.lists(st.integers(-2, 2), min_size=3, max_size=3).filter(any), min_size=1, max_size=30
)
SMALL = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def out(tmp_path):
    """Name a file to write."""
    return tmp_path / "out.parquet"


@pytest.fixture(scope="module")
def grainy(make_table):
    """Make a table of 3,000 rows in 600 tight bunches of five."""
    rng = np.random.default_rng(0)
    bunches = np.repeat(rng.normal(size=(600, 24)), 5, axis=0)
    return make_table((bunches + 0.02 * rng.normal(size=bunches.shape)).astype(np.float32))


def cosines_of(vectors):
    """Return the cosines of all pairs, in float64."""
    unit = np.asarray(vectors, np.float64)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    return unit @ unit.T


def listed(path):
    """Return the hits in a file, (id, score) of each query, after checking their ranks."""
    hits = {}
    for line in pq.read_table(path).to_pylist():
        found = hits.setdefault(line["query"], [])
        found.append((line["id"], line["score"]))
        assert line["rank"] == len(found)
    return hits


def plain_groups(links):
    """Return the groups, as sets, of a matrix that says which rows are linked."""
    waiting, groups = set(range(len(links))), []
    while waiting:
        group, edge = set(), [min(waiting)]
        while edge:
            row = edge.pop()
            group.add(row)
            edge += [other for other in np.flatnonzero(links[row]).tolist() if other not in group]
        waiting -= group
        groups.append(group)
    return [group for group in groups if len(group) > 1]


def groups_of(found):
    """Return the groups, as sets of row numbers."""
    return [{int(id[-5:]) for id in found.ids(number)} for number in range(len(found))]


@SMALL
@given(vectors=VECTORS, k=st.integers(1, 40))
def test_neighbours_are_those_of_brute_force(make_table, tmp_path_factory, vectors, k):
    """Each row has its k nearest others, equal ones too, itself not."""
    made = make_table(np.array(vectors, np.float32))
    out = tmp_path_factory.mktemp("out") / "n.parquet"
    done = neighbors(made, out, k, recall=1)
    cosines, hits = cosines_of(vectors), listed(out)
    np.fill_diagonal(cosines, -np.inf)
    many = min(k, len(vectors) - 1)
    assert (done["rows"], done["hits"]) == (len(vectors), len(vectors) * many)
    for row, id in enumerate(made.ids):
        found = hits.get(id, [])
        places = [int(other[-5:]) for other, _ in found]
        assert row not in places
        assert len(set(places)) == many
        scores = [score for _, score in found]
        assert np.allclose(scores, np.sort(cosines[row])[::-1][:many], atol=1e-6)
        assert np.allclose(scores, cosines[row, places], atol=1e-6)


def test_the_file_says_what_it_is(table, out):
    """Types, order and metadata are what the docstring says."""
    done = neighbors(table, out, 4, recall=0.9, min_score=0.5)
    schema = pq.read_schema(out)
    assert str(schema.remove_metadata()).splitlines() == [
        "query: string",
        "rank: int32",
        "id: string",
        "score: float",
    ]
    stamp = json.loads(schema.metadata[b"featurize"])
    assert stamp["command"] == "neighbors"
    assert (stamp["k"], stamp["min_score"], stamp["version"]) == (4, 0.5, 1)
    assert stamp["fingerprint"] == table.fingerprint
    assert stamp["recall"] == done["recall"] == {"target": 0.9, "reached": 1.0}
    assert list(listed(out)) == sorted(listed(out))
    assert pq.read_table(out, columns=["score"])["score"].to_numpy().min() >= 0.5


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_an_index_finds_most_neighbours(grainy, tmp_path, kind):
    """What an approximate kind finds are true neighbours, about as many as its recall says."""
    neighbors(grainy, tmp_path / "exact.parquet", 5, kind="flat")
    done = neighbors(grainy, tmp_path / "near.parquet", 5, kind=kind, recall=0.9)
    exact, near = listed(tmp_path / "exact.parquet"), listed(tmp_path / "near.parquet")
    shares = [len({*near[id]} & {*exact[id]}) / 5 for id in grainy.ids]
    assert done["kind"] == kind
    assert np.mean(shares) >= 0.88
    assert all(len(near[id]) == 5 and id not in dict(near[id]) for id in grainy.ids)


def test_neighbours_take_flat_memory(make_table, out):
    """Twice the rows take about the same memory, but for their ids."""
    peaks = []
    for rows in (10_000, 20_000):
        vectors = np.random.default_rng(0).normal(size=(rows, 8)).astype(np.float32)
        made = make_table(vectors)
        tracemalloc.start()
        neighbors(made, out, 20)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 10_000 * 150
    assert pq.read_metadata(out).num_rows == 20_000 * 20


@pytest.mark.parametrize("k", [0, -1, True])
def test_impossible_counts_are_refused(table, out, k):
    """Nobody has zero neighbours."""
    with pytest.raises(UsageError, match="-k expects"):
        neighbors(table, out, k)


def test_only_an_earlier_file_is_replaced(table, out, tmp_path):
    """A stranger's file, and one of another command, stay; an earlier one is replaced."""
    neighbors(table, out, 3)
    neighbors(table, out, 2)
    assert pq.read_metadata(out).num_rows == 480
    with pytest.raises(IndexFileError, match="no earlier run of `duplicates`"):
        duplicates(table).write(out)
    pq.write_table(table.select(["id"]), tmp_path / "ids.parquet")
    with pytest.raises(IndexFileError, match="in the way"):
        neighbors(table, tmp_path / "ids.parquet")
    for wrong in (tmp_path / "n.csv", table.path / "n.parquet"):
        with pytest.raises(UsageError):
            free_hits_file(wrong, "neighbors")


def test_a_run_that_fails_leaves_the_older_file(table, out):
    """What was there stays whole, and no unfinished file beside it."""
    index = VectorIndex.build(table)

    def broken():
        yield index.ids[:2], *index.find(index.vectors[:2], 3)
        raise RuntimeError("killed")

    neighbors(table, out, 3)
    before = out.read_bytes()
    with pytest.raises(RuntimeError):
        write_hits(out, "neighbors", index, broken(), {})
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_an_empty_table_has_neither(make_table, out):
    """A table without rows is an error that says where to look."""
    empty = make_table(np.empty((0, 12), np.float32))
    with pytest.raises(IndexFileError, match="no rows"):
        neighbors(empty, out)
    with pytest.raises(IndexFileError, match="no rows"):
        duplicates(empty)


@SMALL
@given(vectors=VECTORS, threshold=st.sampled_from([-0.5, 0.0, 0.55, 0.8, 0.93, 0.999, 1.0]))
def test_groups_are_those_of_brute_force(make_table, vectors, threshold):
    """Rows are in one group if steps of at least the threshold lead from one to the other."""
    found = duplicates(make_table(np.array(vectors, np.float32)), threshold)
    links = cosines_of(vectors) >= threshold - 1e-6
    expected = sorted(plain_groups(links), key=lambda group: (-len(group), min(group)))
    assert groups_of(found) == expected
    assert found.counts == {
        "groups": len(expected),
        "rows": sum(map(len, expected)),
        "redundant": sum(map(len, expected)) - len(expected),
        "largest": max(map(len, expected), default=0),
    }


def test_equal_vectors_are_found_at_one(make_table):
    """At a threshold of 1 equal vectors are a group, whatever their length; near ones are not."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 384)).astype(np.float32)
    copies = np.concatenate([vectors, vectors[:40], 3 * vectors[:20], vectors[50:60] + 0.01])
    found = duplicates(make_table(copies.astype(np.float32)), 1)
    assert groups_of(found) == [
        *({row, row + 300, row + 340} for row in range(20)),
        *({row, row + 300} for row in range(20, 40)),
    ]


def test_a_table_of_one_vector_is_one_group(make_table):
    """Rows that are all equal are one group, whichever search is used."""
    made = make_table(np.ones((500, 6), np.float32))
    for kind in ("auto", "flat"):
        found = duplicates(made, kind=kind)
        assert found.counts == {"groups": 1, "rows": 500, "redundant": 499, "largest": 500}


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_the_indexed_way_agrees(grainy, kind):
    """An index of high recall finds the groups that comparing all pairs finds, and says so."""
    exact, near = (duplicates(grainy, 0.97, kind=way, recall=0.99) for way in ("flat", kind))
    assert len(exact) == 600
    assert groups_of(near) == groups_of(exact)
    assert near.made["kind"] == kind
    assert near.made["recall"] == {"target": 0.99, "reached": 1.0, "rows": 3000, "pairs": 12000}
    assert exact.made["recall"] == {"target": 0.99, "reached": 1.0}


def test_crowds_are_compared_with_all(make_table):
    """Rows with hundreds of near ones are linked to those beyond the nearest hundred too."""
    rng = np.random.default_rng(0)
    crowd = rng.normal(size=16) + 1e-3 * rng.normal(size=(400, 16))
    beside = np.abs(rng.normal(size=(400, 16)))
    made = make_table(np.concatenate([crowd, beside]).astype(np.float32))
    for kind in ("flat", "ivf"):
        assert set(range(400)) <= groups_of(duplicates(made, 0.99, kind=kind))[0]
    near, exact = (groups_of(duplicates(made, 0.6, kind=kind)) for kind in ("ivf", "flat"))
    assert near == exact


def test_missed_links_are_told(make_table):
    """The share of links that hold is measured, and unknown where there are none."""
    rng = np.random.default_rng(0)
    made = make_table(rng.normal(size=(1500, 64)).astype(np.float32))
    nothing = duplicates(made, 0.99, kind="ivf")
    assert (len(nothing), nothing.made["recall"]["reached"]) == (0, None)
    some = duplicates(made, 0.4, kind="ivf", recall=0.5)
    assert 0.5 < some.made["recall"]["reached"] <= 1


def test_the_file_of_groups(make_table, out):
    """Groups come biggest first, the first row of the table is kept, scores are those with it."""
    angles = np.array([0, 30, 10, 90, 20, 95, 200])
    vectors = np.stack([np.cos(np.radians(angles)), np.sin(np.radians(angles))], axis=1)
    found = duplicates(make_table(vectors.astype(np.float32)), float(np.cos(np.radians(12))))
    assert found.write(out) == 6
    lines = pq.read_table(out).to_pylist()
    assert [(line["group"], line["id"][-1], line["keep"]) for line in lines] == [
        *((0, id, id == "0") for id in "0124"),
        *((1, id, id == "3") for id in "35"),
    ]
    expected = np.cos(np.radians([0, 30, 10, 20, 0, 5]))
    assert np.allclose([line["score"] for line in lines], expected, atol=1e-6)
    schema = pq.read_schema(out)
    assert [str(kind) for kind in schema.types] == ["int64", "string", "float", "bool"]
    stamp = json.loads(schema.metadata[b"featurize"])
    assert stamp["threshold"] == pytest.approx(np.cos(np.radians(12)))
    assert (stamp["command"], stamp["kind"]) == ("duplicates", "flat")


def test_hits_of_a_group_carry_the_columns(make_table):
    """The rows of a group can be shown, the one to keep first."""
    vectors = np.repeat(np.eye(3, dtype=np.float32), [1, 4, 2], axis=0)
    hits = duplicates(make_table(vectors)).hits(0, 2)
    assert [(hit.id, hit.score) for hit in hits] == [("row-00001", 1), ("row-00002", 1)]
    assert hits[1].columns["text"] == "text of row-00002"


@pytest.mark.parametrize(("threshold", "expected"), [(0.9, [{0, 1, 3}, {2, 5}]), (1, [{0, 1, 3}])])
def test_chunks_of_one_input_are_no_duplicates(make_table, threshold, expected):
    """Windows of one text overlap by design; through another input's they come together."""
    angles = np.radians([0, 0, 90, 0, 180, 80, 270, 270, 275])
    parents = ["a", "a", "b", "c", "c", None, "d", "d", "d"]
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert groups_of(duplicates(make_table(vectors, parent_id=parents), threshold)) == expected


@pytest.mark.parametrize("threshold", [-1, 1.01, float("nan"), 95])
def test_impossible_thresholds_are_refused(table, threshold):
    """A threshold is a cosine; at -1 all rows would be linked."""
    with pytest.raises(UsageError, match="--threshold expects a cosine"):
        duplicates(table, threshold)


@SMALL
@given(data=st.data(), count=st.integers(1, 20))
def test_joining_makes_the_groups_of_a_graph(data, count):
    """Numbers are dense and rise with the first members, whatever the order of the pairs."""
    place = st.integers(0, count - 1)
    pairs = data.draw(st.lists(st.tuples(place, place), max_size=20))
    links = np.eye(count, dtype=bool)
    for one, other in pairs:
        links[one, other] = links[other, one] = True
    groups = joined(np.arange(count), pairs)
    firsts = np.unique(groups, return_index=True)[1]
    assert (np.diff(firsts) > 0).all()
    together = [set(np.flatnonzero(groups == number).tolist()) for number in range(len(firsts))]
    assert [group for group in together if len(group) > 1] == plain_groups(links)
