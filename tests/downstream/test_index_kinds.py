"""Every kind of index: the same answers as exact search, as often as was asked."""

import subprocess
import sys
import threading

import faiss
import numpy as np
import pytest

from downstream import VectorIndex
from downstream.index import inspect_index, verify_index
from featurize.errors import IndexFileError, RecallMissed, UsageError

APPROXIMATE = ("ivf", "hnsw")
KINDS = ("flat", *APPROXIMATE)
ROWS = 4000


def draw(rows, seed=0, dim=12):
    """Draw vectors around 40 centres that all seeds share."""
    centres = np.random.default_rng(99).normal(size=(40, dim))
    rng = np.random.default_rng(seed)
    vectors = centres[rng.integers(40, size=rows)] + 0.5 * rng.normal(size=(rows, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def exact_hits(vectors, queries, k, rows=None):
    """Return places of the nearest vectors, computed plainly."""
    cosines = queries.astype(np.float64) @ vectors.astype(np.float64).T
    if rows is not None:
        cosines[:, ~rows] = -np.inf
    return np.argsort(-cosines, axis=1, kind="stable")[:, :k]


def recall(found, truth):
    """Return the mean share of true places that were found."""
    pairs = zip(found.tolist(), truth.tolist(), strict=True)
    return np.mean([len(set(one) & set(other)) / len(other) for one, other in pairs])


@pytest.fixture(scope="module")
def big(make_table):
    """Make a table of 4,000 rows."""
    return make_table(draw(ROWS))


@pytest.fixture(scope="module", params=KINDS)
def index(request, big):
    """Index the table in one of the kinds."""
    return VectorIndex.build(big, request.param, 0.95)


@pytest.fixture(scope="module", params=APPROXIMATE)
def approximate(request, big):
    """Index the table in one of the approximate kinds."""
    return VectorIndex.build(big, request.param, 0.95)


def test_recall_is_reached(index, big):
    """On queries that are no rows the index finds what was asked for, as its card states."""
    queries = draw(500, seed=1)
    for k in (1, 10, 50):
        places, _ = index.find(queries, k)
        assert recall(places, exact_hits(big.to_numpy(), queries, k)) >= 0.94
    assert index.facts["recall"]["target"] == 0.95
    assert index.facts["recall"]["reached"] >= 0.95


@pytest.mark.parametrize("k", [700, 1500, 3000])
def test_many_hits_begin_with_the_nearest(approximate, big, k):
    """However many hits are asked for, also more than a graph finds, no near row is left out."""
    queries = draw(60, seed=8)
    places = approximate.find(queries, k)[0]
    assert recall(places[:, :10], exact_hits(big.to_numpy(), queries, 10)) >= 0.99


@pytest.mark.parametrize("kind", APPROXIMATE)
@pytest.mark.parametrize("target", [0.8, 0.99])
def test_effort_follows_the_target(big, kind, target):
    """The effort is the least whose recall, less three standard errors, is enough."""
    curve = VectorIndex.build(big, kind, target).facts["curve"]
    chosen = curve["efforts"]["10"]
    points = {point["effort"]: point["recall"]["10"] for point in curve["points"]}
    assert points[chosen] >= target
    assert curve["queries"] == 400
    assert all(effort <= chosen or recall >= target for effort, recall in points.items())
    assert curve["exact"]["recall"]["10"] == 1


def test_scores_are_exact_and_in_order(index, big):
    """Scores are the cosines with the stored vectors, best first, whatever found them."""
    queries = draw(20, seed=2)
    places, scores = index.find(queries, 10)
    vectors = big.to_numpy().astype(np.float64)
    cosines = np.einsum("nkd,nd->nk", vectors[places], queries.astype(np.float64))
    assert np.allclose(scores, cosines, atol=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_a_query_alone_gets_what_it_gets_among_others(index):
    """Hits and scores of a query do not depend on what else is asked."""
    queries = draw(64, seed=3)
    together = index.search(queries, 5)
    assert [index.search(query[np.newaxis], 5)[0] for query in queries] == together


def test_all_rows_can_be_had(index):
    """Asked for more rows than there are, every row comes once."""
    places, _ = index.find(draw(2, seed=4), ROWS + 10)
    assert all(sorted(line) == list(range(ROWS)) for line in places.tolist())


def test_searches_at_the_same_time_do_not_interfere(index):
    """Eight threads, each with its own k, get what they get alone."""
    queries = draw(40, seed=5)
    wanted = {k: index.find(queries, k)[0].tolist() for k in range(3, 11)}
    found = {}

    def ask(k):
        found[k] = [index.find(queries, k)[0].tolist() for _ in range(5)]

    threads = [threading.Thread(target=ask, args=(k,)) for k in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[k] == [wanted[k]] * 5 for k in wanted)


def test_a_saved_index_answers_as_before(index, big, tmp_path):
    """Opened again it finds the same, is sound, and shows its curve."""
    index.save(tmp_path / "index")
    again = VectorIndex.open(tmp_path / "index")
    queries = draw(30, seed=6)
    assert again.search(queries, 7) == index.search(queries, 7)
    assert verify_index(tmp_path / "index") == []
    assert inspect_index(tmp_path / "index")["curve"] == index.facts["curve"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 2, 5, 11, 30, 99])
def test_few_rows_are_no_problem(make_table, kind, rows):
    """A table of any size can be indexed in any kind; as many hits come as there are rows."""
    vectors = draw(rows)
    index = VectorIndex.build(make_table(vectors), kind)
    found = index.find(vectors, 3)[0]
    assert found.shape == (rows, min(3, rows))
    assert (found >= 0).all()
    assert recall(found, exact_hits(vectors, vectors, 3)) >= 0.9


@pytest.mark.parametrize("kind", APPROXIMATE)
def test_equal_rows_do_not_count_as_missed(make_table, kind):
    """Where a hundred rows have the same vector, any of them is a true neighbour."""
    vectors = np.repeat(draw(20), 100, axis=0)
    index = VectorIndex.build(make_table(vectors), kind, 0.99)
    assert index.facts["recall"]["reached"] >= 0.99


def test_range_search_finds_all(index, big):
    """Without a number of hits, all rows that reach the score are found, in every kind."""
    queries = draw(5, seed=7)
    cosines = queries.astype(np.float64) @ big.to_numpy().astype(np.float64).T
    for least in (0.99, 0.9, 0.5):
        hits = index.search(queries, None, min_score=least)
        assert [len(found) for found in hits] == (cosines >= least).sum(axis=1).tolist()
        assert all(hit.score >= least - 1e-6 for found in hits for hit in found)
    both = index.search(queries, 3, min_score=0.9)
    assert both == [found[:3] for found in index.search(queries, None, min_score=0.9)]
    with pytest.raises(UsageError, match="a number of hits, a least score, or both"):
        index.search(queries, None)


@pytest.mark.parametrize("kind", APPROXIMATE)
def test_a_missed_recall_is_an_error_that_says_what_reaches_it(make_table, kind, monkeypatch):
    """A kind whose efforts do not suffice is refused with what it found and what would do."""
    from downstream.index import graphs

    rng = np.random.default_rng(0)
    table = make_table(rng.normal(size=(3000, 64)).astype(np.float32))
    for graph in graphs.GRAPHS.values():
        monkeypatch.setattr(graph, "efforts", property(lambda self: [1, 2]))
    with pytest.raises(RecallMissed, match=f"{kind} was to find 0.999 of the 10") as caught:
        VectorIndex.build(table, kind, 0.999)
    assert "--kind flat is exact" in caught.value.fix
    monkeypatch.setattr("downstream.index.choice.FLAT_NUMBERS", 1)
    assert VectorIndex.build(table, "auto", 0.999).facts["method"] == "flat"


def test_auto_chooses_a_kind_that_reaches_the_recall(big, monkeypatch):
    """Few rows are searched exactly, more of them through the quicker graph."""
    assert VectorIndex.build(big).facts["method"] == "flat"
    monkeypatch.setattr("downstream.index.choice.FLAT_NUMBERS", 1000)
    facts = VectorIndex.build(big).facts
    assert facts["method"] in APPROXIMATE
    assert facts["recall"]["reached"] >= 0.95
    assert VectorIndex.build(big, recall=1.0).facts["method"] == "flat"


def test_the_memory_decides_too(big, monkeypatch):
    """Kinds that need too much are left out, and if all do the error says how much is needed."""
    monkeypatch.setattr("downstream.index.choice.FLAT_NUMBERS", 1000)
    flat, ivf = (VectorIndex.build(big, kind).facts["memory"] for kind in ("flat", "ivf"))
    assert ivf < flat == ROWS * 12 * 4
    assert VectorIndex.build(big, memory=ivf).facts["method"] == "ivf"
    for kind in ("auto", "ivf"):
        with pytest.raises(IndexFileError, match="ivf takes about .* MB of memory for 4,000 rows"):
            VectorIndex.build(big, kind, memory=1000)


@pytest.mark.parametrize("recall", [0, -1, 1.01, float("nan")])
def test_impossible_recalls_are_refused(big, recall):
    """Recall is a share over 0."""
    with pytest.raises(UsageError, match="--recall expects a share"):
        VectorIndex.build(big, recall=recall)


def _elsewhere(path):
    """Write an inverted file whose entries lie in another file."""
    index = faiss.index_factory(12, "IVF4,SQ8", faiss.METRIC_INNER_PRODUCT)
    index.train(draw(400))
    lists = faiss.OnDiskInvertedLists(4, 12, str(path.parent / "lists.bin"))
    index.replace_invlists(lists, False)
    faiss.write_index(index, str(path))


def _other_type(path):
    faiss.write_index(faiss.IndexHNSWFlat(12, 8, faiss.METRIC_INNER_PRODUCT), str(path))


def _other_metric(path):
    faiss.write_index(faiss.index_factory(12, "IVF4,SQ8"), str(path))


def _garbage(path):
    path.write_bytes(b"IwSq" + b"\xff" * 60)


def _empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("forge", [_elsewhere, _other_type, _other_metric, _garbage, _empty])
def test_forged_graphs_are_refused(approximate, rewrite_card, tmp_path, forge):
    """Graphs of other kinds, or that refer to other files, are refused though their hashes fit."""
    saved = tmp_path / "index"
    approximate.save(saved)
    forge(saved / "index.faiss")
    rewrite_card(saved / "index.json")
    with pytest.raises(IndexFileError):
        VectorIndex.open(saved)
    assert verify_index(saved)


def _foreign_entries(index):
    lists = faiss.downcast_InvertedLists(index.invlists)
    cell = next(cell for cell in range(index.nlist) if lists.list_size(cell))
    faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell))[0] = 10**9


def _foreign_links(index):
    links = faiss.vector_to_array(index.hnsw.neighbors)
    links[0] = 10**8
    faiss.copy_array_to_vector(links, index.hnsw.neighbors)


def _higher_links(index):
    """Link an entry of the second level to one that is on the first level alone."""
    hnsw = index.hnsw
    levels, offsets = faiss.vector_to_array(hnsw.levels), faiss.vector_to_array(hnsw.offsets)
    links = faiss.vector_to_array(hnsw.neighbors)
    links[int(offsets[int(np.argmax(levels > 1))]) + 32] = int(np.argmin(levels))
    faiss.copy_array_to_vector(links, hnsw.neighbors)


def _higher_level(index):
    index.hnsw.max_level += 1


def _other_codes(index):
    quantizer = getattr(index, "sq", None) or faiss.downcast_index(index.storage).sq
    quantizer.qtype = faiss.ScalarQuantizer.QT_fp16


@pytest.mark.parametrize(
    "kind, forge",
    [
        ("ivf", _foreign_entries),
        ("ivf", _other_codes),
        ("hnsw", _foreign_links),
        ("hnsw", _higher_links),
        ("hnsw", _higher_level),
        ("hnsw", _other_codes),
    ],
)
def test_graphs_that_leave_their_entries_are_refused(big, rewrite_card, tmp_path, kind, forge):
    """An entry or a link beyond the rows would read foreign memory."""
    saved = tmp_path / "index"
    VectorIndex.build(big, kind).save(saved)
    graph = faiss.read_index(str(saved / "index.faiss"))
    forge(graph)
    faiss.write_index(graph, str(saved / "index.faiss"))
    rewrite_card(saved / "index.json")
    with pytest.raises(IndexFileError, match="is no complete index"):
        VectorIndex.open(saved)


@pytest.mark.parametrize("name", ["apart.npy", "index.faiss"])
def test_files_of_another_index_are_refused(approximate, make_table, rewrite_card, tmp_path, name):
    """A graph or its rows apart, taken from an index of fewer rows, does not fit."""
    approximate.save(tmp_path / "one")
    kind = approximate.facts["method"]
    VectorIndex.build(make_table(draw(600)), kind).save(tmp_path / "other")
    (tmp_path / "one" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    rewrite_card(tmp_path / "one" / "index.json")
    with pytest.raises(IndexFileError):
        VectorIndex.open(tmp_path / "one")


def test_verify_measures_the_recall_again(approximate, rewrite_card, tmp_path):
    """A sound graph that finds less than its card says is found out."""
    saved = tmp_path / "index"
    approximate.save(saved)
    vectors = np.load(saved / "vectors.npy")
    np.save(saved / "vectors.npy", np.roll(vectors, 7, axis=0))
    rewrite_card(saved / "index.json")
    assert [problem.item for problem in verify_index(saved)] == ["index.faiss"]


def test_a_graph_is_checked_without_assertions(approximate, tmp_path):
    """Under `python -O`, where faiss checks nothing, wrong dimensions are errors."""
    approximate.save(tmp_path / "index")
    script = (
        "import sys, numpy as np, downstream\n"
        "index = downstream.VectorIndex.open(sys.argv[1])\n"
        "for width in (1, 11, 13, 400):\n"
        "    try:\n"
        "        index.search(np.ones((1, width), np.float32))\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__)\n"
    )
    command = [sys.executable, "-O", "-c", script, tmp_path / "index"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["IndexFileError"] * 4
