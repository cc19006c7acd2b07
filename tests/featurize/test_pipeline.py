"""The pipeline: from a source to a table, the same files whatever happens around it."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurize.bundle import Bundle
from featurize.config import Job
from featurize.encoder import Encoder
from featurize.errors import TableError, TooManyRejects
from featurize.pipeline import embed_source
from featurize.pipeline.chunk import MAX_ROWS, plan_chunks
from featurize.pipeline.claims import Claims
from featurize.sources import open_source
from featurize.table import EmbeddingTable
from featurize.table.verify import verify_table
from featurize.types import Progress, Silent

TEXTS = ["the fox runs", "a dog sleeps", "the fox runs", "refund the broken card", "late"]


def embed(job, bundle, change=None):
    """Run a job with a tiny encoder, changed by `change` first."""
    encoder = Encoder.open(Bundle.open(bundle), device="cpu")
    if change is not None:
        change(encoder)
    return embed_source(job, open_source(job), encoder, bundle=str(bundle), reporter=Silent())


@pytest.fixture
def texts(tmp_path):
    """Write a folder of short texts, two of them equal."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, text in enumerate(TEXTS):
        (folder / f"{number}.txt").write_text(text)
    return folder


@given(st.lists(st.integers(0, 300), max_size=300), st.integers(1, 1000))
def test_chunks_cover_all_inputs_within_the_limit(sizes, limit):
    """Chunks follow each other without a gap and hold at most the limit, or one input."""
    chunks = plan_chunks(np.array(sizes, dtype=np.int64), limit)
    assert [place for chunk in chunks for place in chunk] == list(range(len(sizes)))
    for chunk in chunks:
        assert len(chunk) == 1 or sum(sizes[chunk.start : chunk.stop]) <= limit


def test_a_chunk_closes_at_its_row_limit():
    """Inputs without content are limited by count."""
    assert plan_chunks(np.zeros(2 * MAX_ROWS + 1, np.int64), 10) == [
        range(MAX_ROWS),
        range(MAX_ROWS, 2 * MAX_ROWS),
        range(2 * MAX_ROWS, 2 * MAX_ROWS + 1),
    ]


def test_rows_are_sorted_by_id_with_their_own_vectors(texts, tiny_text, tmp_path):
    """Each row holds the vector its text gets alone."""
    embed(Job(texts, out=tmp_path / "table"), tiny_text)
    table = EmbeddingTable.open(tmp_path / "table")
    assert list(table.ids) == [f"{number}.txt" for number in range(5)]
    assert list(table.column("text")) == TEXTS
    encoder = Encoder.open(Bundle.open(tiny_text), device="cpu")
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_array_equal(table.to_numpy(), alone)


def test_equal_contents_are_encoded_once(texts, tiny_text, tmp_path):
    """`encoded` counts distinct contents, rows count inputs."""
    summary = embed(Job(texts, out=tmp_path / "table"), tiny_text)
    assert (summary.inputs, summary.rows, summary.encoded) == (5, 5, 4)


def test_the_same_input_gives_the_same_files(texts, tiny_text, tmp_path, hashes):
    """Batch budget, workers and time of day leave no trace in the data files."""

    def other(encoder):
        encoder.budget = 3
        encoder.runtime.workers = 5

    embed(Job(texts, out=tmp_path / "one"), tiny_text)
    embed(Job(texts, out=tmp_path / "two"), tiny_text, other)
    assert hashes(tmp_path / "one" / "data") == hashes(tmp_path / "two" / "data")


def test_data_files_hold_neither_paths_nor_measurements(texts, tiny_text, tmp_path):
    """The metadata of a part is the format and the encoder card alone."""
    embed(Job(texts, out=tmp_path / "table"), tiny_text)
    (part,) = (tmp_path / "table" / "data").iterdir()
    stamp = json.loads(pq.read_schema(part).metadata[b"featurize"])
    assert stamp == {"format": 1, "encoder": Bundle.open(tiny_text).card.to_json()}
    assert str(tmp_path).encode() not in part.read_bytes()


def test_the_log_holds_no_ids_texts_or_content_hashes(texts, tiny_text, tmp_path):
    """What a row says about its input stays out of the log."""
    embed(Job(texts, out=tmp_path / "table"), tiny_text)
    log = "".join(path.read_text() for path in (tmp_path / "table" / "_log").glob("*.json"))
    table = EmbeddingTable.open(tmp_path / "table")
    told = [*table.ids, *table.column("text"), *table.column("content_sha256")]
    assert not [value for value in told if value in log]


def test_many_chunks_are_committed_in_order(texts, tiny_text, tmp_path):
    """Every chunk is one commit, and the table reads in the order of the ids."""

    def small_chunks(encoder):
        encoder.processor.chunk_bytes = 20

    summary = embed(Job(texts, out=tmp_path / "table"), tiny_text, small_chunks)
    table = EmbeddingTable.open(tmp_path / "table")
    assert summary.version == table.version == len(table.parts) > 1
    assert list(table.ids) == sorted(table.ids)
    assert verify_table(tmp_path / "table") == []


def test_progress_is_told_on_the_callers_thread(texts, tiny_text, tmp_path):
    """A terminal that stands still holds up no worker."""
    told = []

    class Listening(Silent):
        def progress(self, progress):
            told.append((progress, threading.current_thread()))

    job = Job(texts, out=tmp_path / "table")
    encoder = Encoder.open(Bundle.open(tiny_text), device="cpu")
    embed_source(job, open_source(job), encoder, bundle="tiny", reporter=Listening())
    assert {thread for _, thread in told} == {threading.current_thread()}
    assert told[-1][0] == Progress("embed", 4, 5)  # one of the contents came twice


def test_an_all_rejected_source_still_makes_a_table_with_its_schema(tiny_text, tmp_path):
    """Nothing but blank texts gives an empty table and a reject each."""
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(" \n")
    summary = embed(Job(tmp_path, out=tmp_path / "table"), tiny_text)
    table = EmbeddingTable.open(tmp_path / "table")
    assert (summary.rows, summary.rejected, len(table)) == (0, 3, 0)
    assert table.to_numpy().shape == (0, 8)
    assert table.rejects().column("reason").to_pylist() == ["empty"] * 3
    files = f"{tmp_path}/table/data/*.parquet"
    names = table.schema.names
    assert list(pd.read_parquet(tmp_path / "table").columns) == names
    assert polars.read_parquet(files).columns == names
    assert duckdb.sql(f"select count(*) from '{files}'").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("value", "reason"), [(np.nan, "nonfinite"), (np.inf, "nonfinite"), (0.0, "zero_vector")]
)
def test_no_unusable_vector_is_committed(value, reason, texts, tiny_text, tmp_path):
    """A NaN, infinite or zero vector becomes a reject; its neighbours keep theirs."""

    def broken(encoder):
        sound = encoder.runtime.run

        class Broken:
            workers = 2

            def run(self, inputs):
                vectors = sound(inputs)
                vectors[inputs["input_ids"].shape[1] == 3] *= np.float32(0)
                if inputs["input_ids"].shape[1] == 3:
                    vectors[:] = value
                return vectors

        for name in ("name", "device", "precision", "library", "remark", "load", "scale"):
            setattr(Broken, name, getattr(encoder.runtime, name))
        encoder.runtime = Broken()

    summary = embed(Job(texts, out=tmp_path / "table"), tiny_text, broken)
    table = EmbeddingTable.open(tmp_path / "table")
    assert summary.reasons == {reason: 1}
    assert table.rejects().column("id").to_pylist() == ["4.txt"]
    assert np.isfinite(table.to_numpy()).all()
    assert len(table) == 4


@pytest.mark.parametrize(
    ("scale", "store", "reason"),
    [(1e6, "float16", "nonfinite"), (1e-9, "float16", "zero_vector"), (1e-9, "int8", None)],
)
def test_no_vector_is_committed_that_its_storing_makes_unusable(
    scale, store, reason, texts, tiny_text, tmp_path
):
    """What float16 cannot hold becomes a reject; int8 holds every length."""

    def scaled(encoder):
        run = encoder.runtime.run

        def other(inputs):
            one_word = inputs["input_ids"].shape[1] == 3
            return run(inputs) * np.float32(scale if one_word else 1)

        encoder.runtime.run = other

    summary = embed(Job(texts, out=tmp_path / "table", store=store), tiny_text, scaled)
    table = EmbeddingTable.open(tmp_path / "table")
    assert summary.reasons == ({reason: 1} if reason else {})
    details = table.rejects().column("detail").to_pylist()
    assert details == ["its vector is out of the range of float16"] * bool(reason)
    assert verify_table(tmp_path / "table") == []


def test_more_rejects_than_allowed_stop_the_run(texts, tiny_text, tmp_path):
    """Past the limit the run fails; what was committed stays readable, and is not complete."""

    def small_chunks(encoder):
        encoder.processor.chunk_bytes = 20

    (texts / "0b.txt").write_text(" ")
    with pytest.raises(TooManyRejects, match="1 reject among 6 inputs, --max-rejects allows 0"):
        embed(Job(texts, out=tmp_path / "table", max_rejects=0), tiny_text, small_chunks)
    table = EmbeddingTable.open(tmp_path / "table")
    assert 0 < len(table) < 5
    assert not table.complete


def test_rejects_known_beforehand_stop_the_run_before_it_writes(tiny_text, tmp_path):
    """Rows that cannot be read are counted before anything is encoded."""
    (tmp_path / "in.csv").write_text("id,text\n1,the fox\n2,a,b\n")
    with pytest.raises(TooManyRejects, match="Nothing was written"):
        embed(Job(tmp_path / "in.csv", out=tmp_path / "table", max_rejects="10%"), tiny_text)
    assert not (tmp_path / "table").exists()


def test_encoded_counts_a_content_once_over_all_chunks(tiny_text, tmp_path):
    """A text that fills several chunks counts as one content."""

    def small_chunks(encoder):
        encoder.processor.chunk_bytes = 20

    (tmp_path / "in.csv").write_text("text\n" + "the fox runs\n" * 9)
    summary = embed(Job(tmp_path / "in.csv", out=tmp_path / "table"), tiny_text, small_chunks)
    assert summary.version > 1
    assert (summary.rows, summary.encoded) == (9, 1)


def test_steps_in_flight_do_not_encode_the_same_content(tiny_text, tmp_path, monkeypatch):
    """While one step encodes a content, another that needs it waits for its vector."""
    encode, claim, sent, claimed = Encoder.encode_samples, Claims.claim, [], threading.Semaphore(0)

    def noting_claim(*given):
        try:
            return claim(*given)
        finally:
            claimed.release()

    def late_encode(encoder, samples, *given):
        if samples:
            sent.append(len(samples))
            for _ in range(2):
                assert claimed.acquire(timeout=20)
        return encode(encoder, samples, *given)

    def small_chunks(encoder):
        encoder.processor.chunk_bytes = 20

    monkeypatch.setattr(Claims, "claim", noting_claim)
    monkeypatch.setattr(Encoder, "encode_samples", late_encode)
    (tmp_path / "in.csv").write_text("text\n" + "the fox runs\n" * 9)
    summary = embed(Job(tmp_path / "in.csv", out=tmp_path / "table"), tiny_text, small_chunks)
    assert (summary.rows, summary.encoded, sent) == (9, 1, [1])


def test_a_run_that_fails_before_its_first_commit_leaves_nothing(texts, tiny_text, tmp_path):
    """A crashing runtime leaves no half table behind."""

    def broken(encoder):
        encoder.runtime.run = lambda _inputs: 1 / 0

    with pytest.raises(ZeroDivisionError):
        embed(Job(texts, out=tmp_path / "table"), tiny_text, broken)
    assert not (tmp_path / "table").exists()


@pytest.mark.parametrize(
    "name",
    [
        "notes.odt",
        "data/thesis.txt",
        "data/deep/thesis.txt",
        "data/part-000001-0123456789ab.parquet",  # of a table whose log is lost
        "_rejects/thesis.txt",
        "_log/checkpoint-00000007.json",
        "_staging/thesis.txt",
    ],
)
def test_a_folder_with_strangers_is_refused_untouched(name, texts, tiny_text, tmp_path, hashes):
    """A folder that is no table is not written to, not even one whose folders are named alike."""
    mine = tmp_path / "mine" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("keep me")
    before = hashes(tmp_path / "mine")
    with pytest.raises(TableError, match="not empty and no embedding table"):
        embed(Job(texts, out=tmp_path / "mine"), tiny_text)
    assert hashes(tmp_path / "mine") == before


def test_a_link_to_nowhere_is_no_place_for_a_table(texts, tiny_text, tmp_path):
    """It is refused, not waited for."""
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(TableError, match="link to nowhere"):
        embed(Job(texts, out=tmp_path / "link"), tiny_text)


def test_the_bundle_is_never_written_to(texts, tiny_text, tmp_path, hashes):
    """Embedding changes no byte of the encoder."""
    before = hashes(tiny_text)
    embed(Job(texts, out=tmp_path / "table"), tiny_text)
    assert hashes(tiny_text) == before


def test_prepare_runs_on_the_workers_given(tiny_text):
    """Samples come back in order whatever the number of workers."""
    encoder = Encoder.open(Bundle.open(tiny_text), device="cpu")
    with ThreadPoolExecutor(3) as workers:
        samples = encoder.prepare(TEXTS * 20, workers)
    assert [sample.columns["text"] for sample in samples] == TEXTS * 20


def test_paths_are_kept(tiny_text, texts, tmp_path):
    """The origin in the log names source and encoder."""
    embed(Job(texts, out=tmp_path / "table"), tiny_text)
    origin = EmbeddingTable.open(tmp_path / "table").origin
    assert Path(origin["source"]) == texts.resolve()
    assert origin["bundle"] == str(tiny_text)
    assert origin["ignored"] == {}
    assert origin["variant"]["precision"] == "fp32"


PEAK = """
import resource, sys
from featurize import api
from featurize.config import Job

api.run(Job(sys.argv[1], out=sys.argv[2], encoder=sys.argv[3]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_input(tiny_text, tmp_path):
    """Ten times the rows cost at most 80 bytes more each, and the noise of an allocator."""
    peaks = []
    for rows in (20_000, 200_000):
        source = tmp_path / f"{rows}.csv"
        with source.open("w") as file:
            file.write("id,text\n")
            file.writelines(f"row{n},the red fox number {n} runs\n" for n in range(rows))
        words = [sys.executable, "-c", PEAK, source, tmp_path / f"t{rows}", tiny_text]
        done = subprocess.run(map(str, words), capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) * 1024)
    assert peaks[1] - peaks[0] <= 180_000 * 80 + 64 * 2**20
