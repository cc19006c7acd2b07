"""A second run brings a table to what its source holds, as if it had been made anew."""

import contextlib
import itertools
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from featurize.bundle import Bundle
from featurize.config import Job
from featurize.encoder import Encoder
from featurize.errors import MismatchError, TableError, UsageError
from featurize.pipeline import embed_source
from featurize.runtimes.onnxruntime import OnnxRuntime
from featurize.sources import open_source
from featurize.table import EmbeddingTable
from featurize.table.forget import forget
from featurize.table.garbage import collect_garbage
from featurize.table.verify import verify_table
from featurize.table.writer import TableWriter, write_table
from featurize.types import Silent

BYTES = 30


def embed(job, bundle, chunk_bytes=BYTES):
    """Run a job in small chunks."""
    encoder = Encoder.open(Bundle.open(bundle), device="cpu")
    encoder.processor.chunk_bytes = chunk_bytes
    return embed_source(job, open_source(job), encoder, bundle=str(bundle), reporter=Silent())


def rows_of(path):
    """Return all rows by id, as plain values, and the rejects."""
    table = EmbeddingTable.open(path)
    columns = [name for name in table.schema.names if name != "embedding"]
    rows = table.select(columns).to_pylist()
    vectors = table.to_numpy()
    rejects = sorted(map(str, table.rejects().to_pylist()))
    return {row["id"]: (row, vectors[i].tobytes()) for i, row in enumerate(rows)}, rejects


def write_csv(path, rows):
    """Write id, text, label and price of each row."""
    lines = ["id,text,label,price", *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def source(tmp_path):
    """Write twelve rows, some of equal text, one blank."""
    rows = [(f"r{n:02}", f"fox {n % 7} runs", "ab"[n % 2], n) for n in range(12)]
    write_csv(tmp_path / "in.csv", [*rows, ("r99", " ", "a", 0)])
    return tmp_path / "in.csv"


def test_nothing_changed_makes_no_commit(source, tiny_text, tmp_path, hashes):
    """Not a byte of the table changes."""
    first = embed(Job(source, out=tmp_path / "t"), tiny_text)
    before = hashes(tmp_path / "t")
    second = embed(Job(source, out=tmp_path / "t"), tiny_text)
    assert hashes(tmp_path / "t") == before
    assert (second.version, second.encoded, second.unchanged) == (first.version, 0, 12)
    assert (second.rejected, second.inputs) == (1, 13)


def test_a_run_that_encodes_nothing_loads_no_graph(source, tiny_text, tmp_path, monkeypatch):
    """Neither where nothing changed nor where only a label did; one that encodes says so first."""

    class Listening(Silent):
        def say(self, text):
            told.append(text)

    def run():
        told.clear()
        job = Job(source, out=tmp_path / "t")
        encoder = Encoder.open(Bundle.open(tiny_text), device="cpu")
        embed_source(job, open_source(job), encoder, bundle="tiny", reporter=Listening())
        return [text for text in told if text.startswith("Encoding with tiny-text")]

    told = []
    assert run()
    with monkeypatch.context() as patch:
        patch.setattr(OnnxRuntime, "load", lambda self: pytest.fail("the graph was loaded"))
        assert not run()
        source.write_text(source.read_text().replace("fox 3 runs,b,3", "fox 3 runs,new,3"))
        assert not run()
    source.write_text(source.read_text().replace("fox 3 runs", "a new text"))
    assert run()


def test_other_columns_keep_the_vector(source, tiny_text, tmp_path):
    """A new label rewrites the row, and encodes nothing."""
    embed(Job(source, out=tmp_path / "t"), tiny_text)
    before, _ = rows_of(tmp_path / "t")
    source.write_text(source.read_text().replace("fox 3 runs,b,3", "fox 3 runs,new,3"))
    summary = embed(Job(source, out=tmp_path / "t"), tiny_text)
    after, _ = rows_of(tmp_path / "t")
    assert (summary.updated, summary.embedded, summary.encoded) == (1, 0, 0)
    assert after["r03"][0]["label"] == "new"
    assert after["r03"][1] == before["r03"][1]
    assert {key: row for key, row in after.items() if key != "r03"} == {
        key: row for key, row in before.items() if key != "r03"
    }


def test_only_parts_with_changed_rows_are_rewritten(source, tiny_text, tmp_path):
    """Adding a row rewrites nothing, changing one rewrites its part alone."""
    embed(Job(source, out=tmp_path / "t"), tiny_text)
    names = {path.name for path in (tmp_path / "t" / "data").iterdir()}
    assert len(names) > 2
    with source.open("a") as file:
        file.write("r98,a new dog,a,1\n")
    embed(Job(source, out=tmp_path / "t"), tiny_text)
    added = {path.name for path in (tmp_path / "t" / "data").iterdir()}
    assert names < added
    source.write_text(source.read_text().replace("fox 3 runs,b", "another text,b"))
    embed(Job(source, out=tmp_path / "t"), tiny_text)
    changed = {path.name for path in (tmp_path / "t" / "data").iterdir()}
    assert len(added - changed) == len(changed - added) == 1


def test_a_known_content_is_not_encoded_again(source, tiny_text, tmp_path):
    """A new row with a text the table has takes its vector from there."""
    embed(Job(source, out=tmp_path / "t"), tiny_text)
    with source.open("a") as file:
        file.write("r98,fox 3 runs,a,1\n")
    summary = embed(Job(source, out=tmp_path / "t"), tiny_text)
    rows, _ = rows_of(tmp_path / "t")
    assert (summary.embedded, summary.encoded) == (1, 0)
    assert rows["r98"][1] == rows["r03"][1]


def test_rejects_are_tried_again_only_when_they_change_or_asked(tiny_image, tmp_path):
    """A broken image stays rejected without another look, until it is mended."""
    from PIL import Image

    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (40, 40), (1, 2, 200)).save(folder / "a.png")
    (folder / "b.png").write_bytes(b"no image")
    first = embed(Job(folder, out=tmp_path / "t"), tiny_image)
    second = embed(Job(folder, out=tmp_path / "t"), tiny_image)
    assert (first.rejected, second.rejected, second.version) == (1, 1, first.version)
    shutil.copy(folder / "a.png", folder / "b.png")
    third = embed(Job(folder, out=tmp_path / "t"), tiny_image)
    assert (third.rows, third.rejected, third.encoded) == (2, 0, 0)


def test_a_new_column_moves_every_row_to_the_new_schema(source, tiny_text, tmp_path):
    """All parts change in one commit, and no vector is computed."""
    embed(Job(source, out=tmp_path / "t"), tiny_text)
    version = EmbeddingTable.open(tmp_path / "t").version
    lines = source.read_text().splitlines()
    more = ["size", *(str(number) for number in range(len(lines) - 1))]
    source.write_text("".join(f"{a},{b}\n" for a, b in zip(lines, more, strict=True)))
    summary = embed(Job(source, out=tmp_path / "t"), tiny_text)
    assert (summary.updated, summary.encoded, summary.version) == (12, 0, version + 1)
    assert EmbeddingTable.open(tmp_path / "t").column("size")[3] == "3"
    assert verify_table(tmp_path / "t") == []


def test_an_empty_part_moves_to_the_new_schema_too(tiny_text, tmp_path):
    """A table without rows has the columns of its newest source, and so have all its parts."""
    source = tmp_path / "in.csv"
    source.write_text("id,text\na, \n")
    embed(Job(source, out=tmp_path / "t"), tiny_text)
    source.write_text("id,text,price\na, ,1\nb,the fox,2\n")
    embed(Job(source, out=tmp_path / "t"), tiny_text)
    assert verify_table(tmp_path / "t") == []
    assert EmbeddingTable.open(tmp_path / "t").select(["id", "price"]).to_pylist() == [
        {"id": "b", "price": "2"}
    ]


def test_appending_never_overwrites_rows_of_another_source(source, tiny_text, tmp_path, hashes):
    """Ids that are taken stop the first run of an appended source."""
    embed(Job(source, out=tmp_path / "t"), tiny_text)
    before = hashes(tmp_path / "t")
    write_csv(tmp_path / "other.csv", [("r03", "a stranger", "a", 1), ("x", "new", "a", 1)])
    with pytest.raises(
        TableError, match="1 id of .*other.csv, such as 'r03', would overwrite rows of .*in.csv"
    ):
        embed(Job(tmp_path / "other.csv", out=tmp_path / "t", append=True), tiny_text)
    assert hashes(tmp_path / "t") == before
    write_csv(tmp_path / "other.csv", [("x", "new", "a", 1)])
    for _ in range(2):
        summary = embed(Job(tmp_path / "other.csv", out=tmp_path / "t", append=True), tiny_text)
        assert (summary.rows, summary.deleted) == (13, 0)


def test_another_encoder_or_option_is_refused(source, tiny_text, tmp_path):
    """A table is made one way."""
    embed(Job(source, out=tmp_path / "t"), tiny_text)
    with pytest.raises(UsageError, match="without --no-text"):
        embed(Job(source, out=tmp_path / "t", no_text=True), tiny_text)
    other = tmp_path / "other"
    shutil.copytree(tiny_text, other)
    bundle = Bundle.open(other)
    space = bundle.card.space
    from dataclasses import replace

    from featurize.bundle import write_card

    write_card(other, replace(bundle.card, space=replace(space, weights="x")), {"parity": {}})
    with pytest.raises(MismatchError, match="`weights`"):
        embed(Job(source, out=tmp_path / "t"), other)


@pytest.mark.parametrize("stop_after", range(9))
def test_an_interrupted_run_goes_on_to_the_same_bytes(
    source, tiny_text, tmp_path, hashes, monkeypatch, stop_after
):
    """Stopped after any commit and run again, the data files are those of one whole run."""

    def first_then_changed(table):
        embed(Job(source, out=table), tiny_text)
        lines = source.read_text().replace("fox 3 runs,b", "a changed text,b").splitlines()
        lines[6] = lines[6].replace(",a,", ",c,").replace(",b,", ",c,")
        del lines[9]
        changed = source.with_name("changed.csv")
        shutil.copy(source, changed)
        source.write_text("\n".join([*lines, "s1,quite new,a,1", "s2,newer still,b,2"]) + "\n")
        return changed

    saved = first_then_changed(tmp_path / "whole")
    embed(Job(source, out=tmp_path / "whole"), tiny_text)
    shutil.copy(saved, source)
    whole = hashes(tmp_path / "whole" / "data")

    counter = itertools.count()
    commit = TableWriter.commit

    class Killed(BaseException):
        pass

    def stopping(self, change, operation="embed"):
        if next(counter) == stop_after:
            raise Killed
        return commit(self, change, operation)

    def run():
        for _ in range(2):
            try:
                embed(Job(source, out=tmp_path / "stopped"), tiny_text)
            except Killed:
                embed(Job(source, out=tmp_path / "stopped"), tiny_text)

    monkeypatch.setattr(TableWriter, "commit", stopping)
    run()
    saved = first_then_changed(tmp_path / "stopped") if stop_after >= 99 else None
    assert saved is None
    lines = source.read_text().replace("fox 3 runs,b", "a changed text,b").splitlines()
    lines[6] = lines[6].replace(",a,", ",c,").replace(",b,", ",c,")
    del lines[9]
    source.write_text("\n".join([*lines, "s1,quite new,a,1", "s2,newer still,b,2"]) + "\n")
    run()
    assert hashes(tmp_path / "stopped" / "data") == whole
    assert verify_table(tmp_path / "stopped") == []


KEYS = st.integers(0, 9).map("key-{}-end".format)
OTHER_KEYS = st.integers(0, 2).map("other-{}-end".format)
TEXTS = st.sampled_from(["fox", "dog", "red fox", " ", "late"])


class Killed(BaseException):
    """What stands for a SIGKILL: nothing cleans up after it."""


class Living(RuleBasedStateMachine):
    """A table over its life, beside what it should hold.

    `rows` and `others` are what the two sources hold, text and label by id; `held` what the table
    does: text, label, price and source by id; `kept_out` are ids that never come back.
    """

    bundle = None
    folder = None

    @initialize()
    def start(self):
        """Make a table of two rows."""
        self.rows = {"key-0-end": ("fox", "a"), "key-1-end": ("dog", "b")}
        self.others, self.held, self.kept_out = {}, {}, set()
        self.price = True
        self.place = Path(tempfile.mkdtemp(dir=self.folder))
        self.table = self.place / "table"
        self.encoder = Encoder.open(Bundle.open(self.bundle), device="cpu")
        self.sync()

    @rule(key=KEYS, text=TEXTS)
    def put(self, key, text):
        """Add a row, or change its text."""
        self.rows[key] = (text, self.rows.get(key, ("", "a"))[1])
        self.sync()

    @rule(key=KEYS, label=st.sampled_from(["a", "b", "c"]))
    def label(self, key, label):
        """Change a label."""
        if key in self.rows:
            self.rows[key] = (self.rows[key][0], label)
            self.sync()

    @rule(key=KEYS)
    def drop(self, key):
        """Delete a row from the source, but never the last."""
        if key in self.rows and len(self.rows) > 1:
            del self.rows[key]
            self.sync()

    @precondition(lambda self: not self.others)
    @rule(price=st.booleans())
    def column(self, price):
        """Have a column more, or less."""
        self.price = price
        self.sync()

    @rule(key=OTHER_KEYS, text=TEXTS)
    def append(self, key, text):
        """Add a row from a second source; from then on nothing is deleted."""
        self.others[key] = (text, "a")
        self.sync(others=True)

    @rule(key=KEYS | OTHER_KEYS, keep_out=st.booleans())
    def forget(self, key, keep_out):
        """Forget a row or reject; without keep_out it has to be there."""
        if key not in self.held and not keep_out:
            with pytest.raises(TableError, match="neither row nor reject"):
                forget(self.table, [key])
            return
        done = forget(self.table, [key], keep_out=keep_out)
        assert done.rows + done.rejects == (key in self.held)
        self.has_forgotten(key, keep_out)

    @rule()
    def gc(self):
        """Take out the garbage, which is no commit."""
        version = EmbeddingTable.open(self.table).version
        assert collect_garbage(self.table).version == version
        assert len(list((self.table / "_log").iterdir())) <= 2

    @rule(key=KEYS, text=TEXTS, commits=st.integers(0, 2), after=st.booleans())
    def put_and_kill(self, key, text, commits, after):
        """Kill a run before or after a commit, and run again."""
        self.rows[key] = (text, "k")
        with self.killed(commits, after):
            self.sync()
        self.sync()

    @rule(key=KEYS, keep_out=st.booleans(), after=st.booleans())
    def forget_and_kill(self, key, keep_out, after):
        """Kill a forgetting before or after its commit, then open the table for writing."""
        if key in self.held:
            with self.killed(0, after):
                forget(self.table, [key], keep_out=keep_out)
            if after:
                self.has_forgotten(key, keep_out)
            with write_table(self.table):
                pass

    def has_forgotten(self, key, keep_out):
        """Note it."""
        self.held.pop(key, None)
        self.kept_out |= {key} if keep_out else set()

    @contextlib.contextmanager
    def killed(self, commits, after):
        """Die before or after a commit, if it comes to that."""
        commit, counter = TableWriter.commit, itertools.count()

        def dying(writer, *arguments):
            last = next(counter) == commits
            if last and not after:
                die(writer)
            done = commit(writer, *arguments)
            return die(writer) if last else done

        def die(_writer):
            patch.setattr(TableWriter, "tidy", die)
            raise Killed

        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
            patch.setattr(TableWriter, "commit", dying)
            yield

    def sync(self, others=False):
        """Write a source and run."""
        rows = self.others if others else self.rows
        source = self.place / ("other.csv" if others else "in.csv")
        lines = ["id,text,label" + ",price" * self.price]
        lines += [
            f"{key},{text},{label}" + ",7" * self.price for key, (text, label) in rows.items()
        ]
        source.write_text("\n".join(lines) + "\n")
        job = Job(source, out=self.table, allow_delete=True, append=bool(self.others))
        summary = embed(job, self.bundle, 12)
        price = "7" if self.price else None
        seen = {key: (*rows[key], price, source.name) for key in rows.keys() - self.kept_out}
        self.held = {**self.held, **seen} if self.others else seen
        assert summary.rows == summary.embedded + summary.updated + summary.unchanged
        assert summary.inputs == summary.rows + summary.rejected == len(self.held)
        assert summary.kept_out == len(rows) - len(seen)

    @invariant()
    def holds_what_it_should(self):
        """Rows, vectors and rejects are those of the model, and the table is sound."""
        if not hasattr(self, "held"):
            return
        table, price = EmbeddingTable.open(self.table), pa.nulls(len(self.held), pa.string())
        rows = table.select()
        if "price" not in rows.column_names:
            rows = rows.append_column("price", price[: len(rows)])
        columns = [rows.column(name).to_pylist() for name in ("text", "label", "price", "source")]
        found = dict(zip(table.ids, zip(*columns, strict=True), strict=True))
        assert found == {key: row for key, row in self.held.items() if row[0].strip()}
        for key, vector in zip(table.ids, table.to_numpy(), strict=True):
            np.testing.assert_array_equal(vector, self.encoder.encode([found[key][0]])[0])
        rejects = sorted(table.rejects().column("id").to_pylist())
        assert rejects == sorted(key for key, row in self.held.items() if not row[0].strip())
        assert verify_table(self.table) == []

    @invariant()
    def has_no_trace_of_what_is_gone(self):
        """No file under the table holds the id of a row that is not there."""
        if not hasattr(self, "held"):
            return
        held = set()
        for path in (path for path in self.table.rglob("*") if path.is_file()):
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += str(pq.read_table(path).column("id").to_pylist()).encode()
            held |= {key.decode() for key in re.findall(rb"(?:key|other)-\d-end", content)}
        assert held == set(self.held)


def test_a_table_holds_what_it_should_all_its_life(tiny_text, tmp_path):
    """Edits of its sources, runs, kills, forgetting and gc at random; each ends at the truth."""
    from hypothesis.stateful import run_state_machine_as_test

    Living.bundle, Living.folder = tiny_text, tmp_path
    run_state_machine_as_test(
        Living, settings=settings(max_examples=20, stateful_step_count=15, deadline=None)
    )


def test_a_diff_keeps_vectors_of_rows_it_moves(source, tiny_text, tmp_path):
    """Rows of a rewritten part that did not change keep every bit."""
    embed(Job(source, out=tmp_path / "t"), tiny_text, 10_000)
    before = EmbeddingTable.open(tmp_path / "t").to_numpy()
    source.write_text(source.read_text().replace("fox 3 runs,b", "another,b"))
    embed(Job(source, out=tmp_path / "t"), tiny_text, 10_000)
    after = EmbeddingTable.open(tmp_path / "t").to_numpy()
    same = np.arange(12) != 3
    np.testing.assert_array_equal(after[same], before[same])
    assert (after[3] != before[3]).any()


def test_a_source_that_shrank_to_nothing_is_never_followed(source, tiny_text, tmp_path):
    """All rows about to go stop the run."""
    embed(Job(source, out=tmp_path / "t"), tiny_text)
    write_csv(source, [("other", "a text", "a", 1)])
    with pytest.raises(TableError, match="12 of 12 rows"):
        embed(Job(source, out=tmp_path / "t"), tiny_text)
