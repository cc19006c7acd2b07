"""Rankings are judged as trec_eval does it, and words are stemmed as Porter has it."""

import math

import pytest
from searching.lexical import Words, bm25, tf_idf
from searching.metrics import average_precision, evaluate, ndcg
from searching.porter import stem
from searching.trec import Collection

GAINS = {"a": 1, "b": 1, "c": 1, "x": 0}


def test_average_precision_of_a_case_computed_by_hand():
    """Of three relevant documents two are found, at ranks 1 and 4: (1/1 + 2/4 + 0) / 3."""
    assert average_precision(["a", "x", "y", "b"], GAINS) == pytest.approx(0.5)


def test_average_precision_looks_no_deeper_than_told():
    """What is found below the depth is not found."""
    assert average_precision(["a", "x", "y", "b"], GAINS, depth=3) == pytest.approx(1 / 3)


def test_ndcg_of_a_case_computed_by_hand():
    """Ranks 1 and 4 gain 1 + 1/log2(5); the best is 1 + 1/log2(3) + 1/log2(4)."""
    expected = (1 + 1 / math.log2(5)) / (1 + 1 / math.log2(3) + 1 / 2)
    assert ndcg(["a", "x", "y", "b"], GAINS) == pytest.approx(expected)


def test_ndcg_counts_grades():
    """A grade of 2 gains twice as much: at rank 2 it is worth 2 / log2(3)."""
    gains = {"a": 2, "b": 1}
    expected = (1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3))
    assert ndcg(["b", "a"], gains) == pytest.approx(expected)


def test_the_best_of_ndcg_ends_at_the_cut():
    """With more relevant documents than ranks, a ranking of relevant ones alone is perfect."""
    gains = {str(number): 1 for number in range(30)}
    assert ndcg([str(number) for number in range(20)], gains) == 1


def test_queries_without_a_ranking_count_and_those_without_relevant_documents_do_not():
    """The mean is over the queries to which there is an answer."""
    judged = {"1": GAINS, "2": {"a": 1}, "3": {"a": 0}}
    quality = evaluate({"2": ["a"], "3": ["a"]}, judged)
    assert (quality.ndcg, quality.precision) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        *[("caresses", "caress"), ("ponies", "poni"), ("cats", "cat"), ("feed", "feed")],
        *[("agreed", "agre"), ("plastered", "plaster"), ("motoring", "motor"), ("sing", "sing")],
        *[("conflated", "conflat"), ("hopping", "hop"), ("falling", "fall"), ("filing", "file")],
        *[("happy", "happi"), ("sky", "sky"), ("relational", "relat"), ("digitizer", "digit")],
        *[("triplicate", "triplic"), ("hopefulness", "hope"), ("goodness", "good")],
        *[("revival", "reviv"), ("adjustment", "adjust"), ("adoption", "adopt")],
        *[("generalizations", "gener"), ("oscillators", "oscil"), ("controll", "control")],
        *[("probate", "probat"), ("rate", "rate"), ("cease", "ceas"), ("roll", "roll")],
    ],
)
def test_stems_are_those_of_the_paper(word, expected):
    """The examples of Porter's paper come out as they stand there."""
    assert stem(word) == expected


def test_bm25_of_a_case_computed_by_hand():
    """One word, in one of two documents of three words each: its rarity times its frequency."""
    words = Words(False, False)
    texts = ["the red fox", "the blue dog", "the the the"]
    found = bm25(texts, ["fox", "the", "bird"], words, 1.2, 0.75)
    assert [line.tolist() for line in found] == [[0], [2, 0, 1], []]
    assert [line.tolist() for line in tf_idf(texts, ["dog"], words)] == [[1]]


def test_words_are_cut_as_told():
    """In lower case; without the commonest; as stems."""
    text = "The Oscillators, of 1950"
    assert Words(False, False)(text) == ["the", "oscillators", "of", "1950"]
    assert Words(True, True)(text) == ["oscil", "1950"]


def test_a_collection_is_read_from_trec_files(tmp_path):
    """Documents, queries and judgements, by number; a part keeps the queries it answers."""
    (tmp_path / "corpus").mkdir()
    documents = "<DOC>\n<DOCNO>1</DOCNO>\na  b\nc\n</DOC>\n<DOC>\n<DOCNO>2</DOCNO>\nd\n</DOC>\n"
    (tmp_path / "corpus" / "doc-text.trec").write_text(documents)
    queries = "<top>\n<num>1</num><title>\nQ\n</title>\n</top>\n<top>\n<num>2</num><title>R</title>"
    (tmp_path / "query-text.trec").write_text(queries)
    (tmp_path / "qrels").write_text("1 0 1 1\n1 0 2 0\n2 0 2 1\n")
    collection = Collection.read(tmp_path)
    assert collection.documents == {"1": "a b c", "2": "d"}
    assert collection.queries == {"1": "Q", "2": "R"}
    assert collection.judged == {"1": {"1": 1, "2": 0}, "2": {"2": 1}}
    assert collection.part(1).judged == {"1": {"1": 1}}
