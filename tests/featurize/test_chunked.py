"""Tables with a row for each window of a text: brought up to date as if made anew."""

import csv
import itertools
import random

import numpy as np
import pytest

from featurize.api import run
from featurize.bundle import Bundle
from featurize.config import Job, Overflow, Pool, Reading
from featurize.encoder import Encoder
from featurize.errors import TableError, TooManyRejects, UsageError
from featurize.pipeline import embed_source
from featurize.sources import open_source
from featurize.table import EmbeddingTable
from featurize.table.forget import forget
from featurize.table.verify import verify_table
from featurize.types import Silent

WORDS = "the a red green blue fox dog runs sleeps fast slow refund parcel broken card late".split()


def speech(words, seed):
    """Return a text of so many words."""
    return " ".join(random.Random(seed).choices(WORDS, k=words))


DOCUMENTS = {
    "a": (speech(50, 1), "x"),
    "a!": (speech(3, 2), "y"),
    "a::0000": (speech(14, 3), "x"),
    "b": (speech(200, 4), "y"),
    "c": (" ", "x"),
    "d": (speech(50, 1), "x"),
    "e": (speech(15, 5), "y"),
}


@pytest.fixture
def embed(tiny_text, tmp_path):
    """Return a function that writes documents, {id: (text, label)}, and embeds them in windows."""

    def embedded(documents, out="t", **options):
        source = tmp_path / "in.csv"
        with source.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "text", "label"])
            writer.writerows([key, *rest] for key, rest in documents.items())
        job = Job(source, out=tmp_path / out, **{"overflow": "chunk", **options}).settled({})
        reading = Reading(overflow=Overflow(job.overflow), overlap=job.overlap, pool=job.pool)
        encoder = Encoder.open(Bundle.open(tiny_text), device="cpu", reading=reading)
        encoder.processor.chunk_bytes = 400
        return embed_source(job, open_source(job), encoder, bundle="tiny", reporter=Silent())

    return embedded


@pytest.fixture
def rows_of(tmp_path):
    """Return a function that reads a table: rows by id, with their vectors, and rejects."""

    def read(out="t"):
        table = EmbeddingTable.open(tmp_path / out)
        assert verify_table(tmp_path / out) == []
        names = [name for name in table.schema.names if name != "embedding"]
        rows, vectors = table.select(names).to_pylist(), table.to_numpy()
        rejects = sorted(map(str, table.rejects().to_pylist()))
        return {row["id"]: (row, vectors[i].tobytes()) for i, row in enumerate(rows)}, rejects

    return read


def test_every_row_is_a_text_of_its_own(embed, rows_of, tiny_text, tmp_path):
    """Its vector is that of its text, which is a slice of the input; ids are numbered."""
    summary = embed(DOCUMENTS)
    rows, _ = rows_of()
    assert (summary.inputs, summary.rejected, summary.rows) == (7, 1, len(rows))
    assert summary.truncated == 0
    encoder = Encoder.open(Bundle.open(tiny_text), device="cpu")
    expected = encoder.encode([row["text"] for row, _ in rows.values()])
    for (row, vector), same in zip(rows.values(), expected, strict=True):
        whole = DOCUMENTS[row["parent_id"]][0]
        assert row["text"] == whole[row["char_start"] : row["char_end"]]
        assert vector == same.tobytes()
        assert row["label"] == DOCUMENTS[row["parent_id"]][1]
        assert row["truncated"] is False
    assert {"a!::0000", "a::0000", "a::0000::0000", "b::0010"} <= rows.keys()
    assert "a::0000::0001" not in rows
    table = EmbeddingTable.open(tmp_path / "t")
    assert table.inputs == 6
    assert len(table) == len(rows) > 20


def test_equal_texts_are_encoded_once(embed, rows_of):
    """Two documents of one text, and a document that is a window of another, share vectors."""
    first = embed(DOCUMENTS)
    rows, _ = rows_of()
    assert first.encoded == len({row["content_sha256"] for row, _ in rows.values()})
    window = rows["b::0003"][0]["text"]
    more = embed(DOCUMENTS | {"f": (window, "x"), "g": (DOCUMENTS["b"][0], "y")})
    assert more.encoded == 0
    assert rows_of()[0]["f::0000"][1] == rows["b::0003"][1]


def test_nothing_changed_makes_no_commit(embed, tmp_path, hashes):
    """Not a byte of the table changes."""
    first = embed(DOCUMENTS)
    before = hashes(tmp_path / "t")
    again = embed(DOCUMENTS)
    assert hashes(tmp_path / "t") == before
    assert (again.version, again.unchanged, again.inputs) == (first.version, first.rows, 7)


CHANGES = {
    "edited": {"b": (speech(90, 7), "y")},
    "shortened": {"b": ("the fox", "y")},
    "grown": {"a!": (speech(60, 8), "y")},
    "labelled": {"a": (DOCUMENTS["a"][0], "new")},
    "emptied": {"d": ("", "x")},
    "filled": {"c": (speech(40, 9), "x")},
    "deleted": {"a::0000": None},
    "renamed": {"d": None, "dd": DOCUMENTS["d"]},
    "much": {
        "a": (DOCUMENTS["a"][0], "z"),
        "b": None,
        "c": ("the dog", "x"),
        "e": (" ", "y"),
        "f": (speech(30, 10), "x"),
    },
}


def changed(name):
    """Return the documents after a change."""
    after = DOCUMENTS | CHANGES[name]
    return {key: document for key, document in after.items() if document is not None}


@pytest.mark.parametrize("options", [{}, {"no_text": True}, {"pool": "mean"}])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_takes_all_rows_of_an_input(embed, rows_of, name, options):
    """Updated, the table holds what one made anew does."""
    embed(DOCUMENTS, **options)
    before, _ = rows_of()
    summary = embed(changed(name), allow_delete=True, **options)
    rows, rejects = rows_of()
    fresh = embed(changed(name), out="fresh", **options)
    assert (rows, rejects) == rows_of("fresh")
    assert summary.rows == summary.embedded + summary.updated + summary.unchanged == len(rows)
    assert (summary.inputs, summary.rejected) == (fresh.inputs, fresh.rejected)
    if name == "labelled":
        assert summary.encoded == 0
        assert summary.updated == (1 if "pool" in options else 4)
    if name == "deleted":
        assert summary.deleted == len(before) - len(rows) > 0


def test_inputs_are_what_the_log_counts(embed, rows_of, tmp_path):
    """After any commit: inputs with rows and rejects."""
    embed(DOCUMENTS)
    for name in CHANGES:
        embed(changed(name), allow_delete=True)
        rows_of()
    forget(tmp_path / "t", ["b"] if "b" in changed(name) else ["a"])
    rows_of()


def test_a_fifth_of_the_rows_is_what_may_go(embed):
    """The rule is about rows: one of six inputs may be most of them."""
    embed(DOCUMENTS)
    with pytest.raises(TableError, match="rows of .* would be deleted"):
        embed({key: text for key, text in DOCUMENTS.items() if key != "b"})


def test_rejects_are_judged_by_input(embed):
    """A share is of the inputs, of which a table of many chunks has few."""
    with pytest.raises(TooManyRejects, match="1 reject among 7 inputs"):
        embed(DOCUMENTS, max_rejects="10%")
    assert embed(DOCUMENTS, max_rejects="15%").rejected == 1


def test_forgetting_an_input_takes_its_chunks(embed, rows_of, tmp_path):
    """Kept out, it stays away; a chunk alone can leave, but not be kept out."""
    embed(DOCUMENTS)
    before, _ = rows_of()
    of_b = {key for key in before if key.startswith("b::")}
    assert forget(tmp_path / "t", ["b"], keep_out=True).rows == len(of_b)
    assert forget(tmp_path / "t", ["a::0001"]).rows == 1
    with pytest.raises(UsageError, match="chunk"):
        forget(tmp_path / "t", ["a::0002"], keep_out=True)
    summary = embed(DOCUMENTS)
    assert rows_of()[0].keys() == before.keys() - of_b - {"a::0001"}
    assert summary.kept_out == 1


def test_pooled_windows_give_one_row(embed, rows_of, tiny_text):
    """It has the mean of its windows' vectors by their tokens; short texts are as ever."""
    embed(DOCUMENTS, out="chunks")
    summary = embed(DOCUMENTS, pool=Pool.MEAN)
    embed(DOCUMENTS, out="cut", overflow="truncate")
    rows, cut, chunks = rows_of()[0], rows_of("cut")[0], rows_of("chunks")[0]
    assert summary.inputs == 7
    assert rows.keys() == cut.keys() == DOCUMENTS.keys() - {"c"}
    assert rows["a!"] == cut["a!"]
    windows = [both for both in chunks.values() if both[0]["parent_id"] == "b"]
    tokens = [row["n_tokens"] for row, _ in windows]
    vectors = [np.frombuffer(vector, np.float32) for _, vector in windows]
    mean = np.average(np.array(vectors, np.float64), axis=0, weights=tokens)
    row, vector = rows["b"]
    assert np.allclose(np.frombuffer(vector, np.float32), mean / np.linalg.norm(mean), atol=1e-6)
    assert (row["n_tokens"], row["truncated"]) == (sum(tokens), False)
    assert row["content_sha256"] == cut["b"][0]["content_sha256"]


def test_one_window_without_a_vector_rejects_its_input(embed, rows_of, monkeypatch):
    """An input is in the rows or in the rejects, never in both."""
    encode = Encoder.encode_samples

    def broken(self, samples, *rest):
        vectors = encode(self, samples, *rest)
        for number, sample in enumerate(samples):
            if sample.columns["text"] == window:
                vectors[number] = np.nan
        return vectors

    embed(DOCUMENTS, out="whole")
    window = rows_of("whole")[0]["b::0003"][0]["text"]
    monkeypatch.setattr(Encoder, "encode_samples", broken)
    summary = embed(DOCUMENTS)
    assert summary.reasons == {"empty": 1, "nonfinite": 1}
    assert summary.inputs == 7
    rows, _ = rows_of()
    assert {row["parent_id"] for row, _ in rows.values()} == DOCUMENTS.keys() - {"b", "c"}


def test_killed_anywhere_it_goes_on_to_the_same_bytes(embed, rows_of, tmp_path, killed_at, hashes):
    """An update with edits, deletions and additions, stopped at any operation on the disk."""

    def update(out):
        embed(DOCUMENTS, out=out)
        return lambda: embed(changed("much"), out=out, allow_delete=True)

    update("whole")()
    expected = {name: hashes(tmp_path / "whole" / name) for name in ("data", "_rejects")}
    for number in itertools.count(0, 8):
        out = f"stopped-{number}"
        work = update(out)
        stopped = killed_at(number, tmp_path / out, work)
        work()
        found = {name: hashes(tmp_path / out / name) for name in ("data", "_rejects")}
        assert found == expected
        assert verify_table(tmp_path / out) == []
        if not stopped:
            break
    assert number > 20


def test_a_table_is_made_one_way(tiny_text, tmp_path):
    """It remembers windows, overlap and pooling; another choice is refused."""
    source = tmp_path / "in.csv"
    source.write_text(f"id,text\na,{speech(60, 1)}\n")

    def embedded(**options):
        job = Job(source, out=tmp_path / "t", encoder=str(tiny_text), device="cpu", **options)
        return run(job)

    for needs in ({"overlap": 3}, {"pool": "mean"}, {"pool": "mean", "overflow": "reject"}):
        with pytest.raises(UsageError, match="--overflow chunk"):
            embedded(**needs)
    first = embedded(overflow="chunk", overlap=3)
    assert embedded().version == embedded(overlap=3).version == first.version
    for other in ({"overlap": 4}, {"pool": "mean"}, {"overflow": "truncate"}):
        with pytest.raises(UsageError, match="The table was made"):
            embedded(**other)


def test_a_table_that_says_nothing_of_overflow_gets_no_chunks(embed, monkeypatch):
    """Tables of earlier versions hold whole texts."""
    with monkeypatch.context() as patch:
        patch.setattr(Job, "remembered", lambda _: {})
        embed(DOCUMENTS, overflow="truncate")
    with pytest.raises(UsageError, match="made with --overflow truncate"):
        embed(DOCUMENTS)
