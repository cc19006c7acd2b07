"""forget: no file of the table holds what was forgotten, and nothing else changes."""

import itertools
import shutil
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featurize.bundle import EncoderCard, VectorSpace
from featurize.errors import TableError, UsageError
from featurize.table import EmbeddingTable
from featurize.table.forget import forget
from featurize.table.garbage import collect_garbage
from featurize.table.layout import RowColumns, embedding_type
from featurize.table.log import CommitLog
from featurize.table.verify import verify_table
from featurize.table.writer import Change, TableWriter, write_table
from featurize.types import Modality

ROWS = {f"row-{n}": f"the fox runs {n}" for n in range(8)}
SECRET = {"row-3x": "a most private text", "row-9x": " "}
TRACES = ("row-3x", "row-9x", "most private")


@pytest.fixture
def source(tmp_path):
    """Return where the source lies."""
    return tmp_path / "in.csv"


@pytest.fixture
def table(embed_rows, source, tmp_path):
    """Embed ten inputs, one of them a reject, in several commits."""
    embed_rows(source, tmp_path / "table", ROWS | SECRET)
    assert traces(tmp_path / "table") == set(TRACES)
    return tmp_path / "table"


def traces(root, wanted=TRACES):
    """Return what of the wanted words any file holds, as bytes, compressed, or in its name."""
    found = set()
    for path in root.rglob("*"):
        content = path.name
        if path.is_file():
            content += path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            content += str(pq.read_table(path).to_pydict()) + str(pq.read_metadata(path).to_dict())
        found |= {word for word in wanted if word in content}
    return found


def contents(root):
    """Return the text and the vector of every row by id, and the ids of the rejects."""
    table = EmbeddingTable.open(root)
    texts, vectors = table.column("text"), table.to_numpy()
    rows = {key: (texts[i], vectors[i].tobytes()) for i, key in enumerate(table.ids)}
    return rows, table.rejects().column("id").to_pylist()


def test_no_file_holds_what_was_forgotten(table):
    """Row and reject are gone from rows, rejects, statistics, log and staging; the rest stays."""
    before, _ = contents(table)
    (table / "_staging" / "left by a kill").write_text("row-3x")
    names = {path.name for path in (table / "data").iterdir()}
    version = EmbeddingTable.open(table).version
    done = forget(table, list(SECRET))
    assert (done.version, done.rows, done.rejects, done.kept_out) == (version + 1, 1, 1, 0)
    assert traces(table) == set()
    rows, rejects = contents(table)
    assert (rows, rejects) == ({key: before[key] for key in ROWS}, [])
    assert len(names - {path.name for path in (table / "data").iterdir()}) == 1
    assert verify_table(table) == []


def test_unknown_ids_stop_before_anything_changes(table, hashes):
    """All of them are named, the known one stays."""
    before = hashes(table)
    with pytest.raises(TableError, match=r"neither row nor reject of 'a', 'b'\. Nothing was"):
        forget(table, ["b", "row-3x", "a"])
    with pytest.raises(TableError, match=r"'x19' and 80 more"):
        forget(table, [f"x{number:02d}" for number in range(100)])
    with pytest.raises(UsageError, match="UTF-8"):
        forget(table, ["\udcff"], keep_out=True)
    assert hashes(table) == before


def test_forgetting_from_no_table_makes_none(tmp_path):
    """A folder that is missing stays so."""
    with pytest.raises(TableError, match="no embedding table"):
        forget(tmp_path / "missing", ["a"], keep_out=True)
    assert not (tmp_path / "missing").exists()


def test_the_next_run_brings_forgotten_rows_back(table, embed_rows, source):
    """Without keep_out they are new inputs."""
    before = contents(table)
    forget(table, list(SECRET))
    summary = embed_rows(source, table)
    assert (summary.embedded, summary.rejected, summary.deleted) == (1, 1, 0)
    assert contents(table) == before


def test_kept_out_ids_stay_out(table, embed_rows, source):
    """Through runs, gc, further forgetting and edits of the source, without tripping a limit."""
    done = forget(table, list(SECRET), keep_out=True)
    assert (done.rows, done.rejects, done.kept_out) == (1, 1, 2)
    assert embed_rows(source, table).version == done.version
    collect_garbage(table)
    assert forget(table, ["row-5", "not yet there"], keep_out=True).kept_out == 4
    changed = ROWS | {"row-3x": "most private again", "row-9x": "most private too", "new": "a dog"}
    for rows in (changed, changed | {"not yet there": "fox"}):
        collect_garbage(table)
        summary = embed_rows(source, table, rows)
        assert summary.kept_out == len(rows) - len(ROWS)
        assert (summary.rows, summary.deleted) == (len(ROWS), 0)
        assert summary.inputs == summary.rows + summary.rejected
        assert "Left out" in summary.notes[-1]
        assert traces(table) == set()
        assert set(contents(table)[0]) == ROWS.keys() - {"row-5"} | {"new"}
    assert verify_table(table) == []


def test_keeping_out_twice_changes_nothing(table, hashes):
    """The second time there is nothing to do, and no commit."""
    first = forget(table, ["row-3x"], keep_out=True)
    before = hashes(table)
    again = forget(table, ["row-3x"], keep_out=True)
    assert (again.version, again.rows, again.kept_out) == (first.version, 0, 1)
    assert hashes(table) == before


def test_tombstones_hold_no_id_and_differ_between_tables(table, embed_rows, source, tmp_path):
    """The digests of one id in two tables have nothing in common."""
    embed_rows(source, tmp_path / "other")
    kept = set()
    for each in (table, tmp_path / "other"):
        forget(each, ["row-3x"], keep_out=True)
        with write_table(each) as writer:
            kept |= writer.snapshot.kept_out
    assert len(kept) == 2


def test_all_rows_can_be_forgotten(table, embed_rows, source):
    """One empty part keeps the schema; a run with all its inputs kept out is no error."""
    before = EmbeddingTable.open(table).schema
    forget(table, [*ROWS, *SECRET], keep_out=True)
    opened = EmbeddingTable.open(table)
    assert (len(opened), len(opened.parts), len(opened.reject_parts)) == (0, 1, 0)
    assert opened.schema.equals(before, check_metadata=True)
    assert verify_table(table) == []
    summary = embed_rows(source, table)
    assert (summary.rows, summary.inputs, summary.kept_out) == (0, 0, 10)
    assert summary.version == opened.version
    assert embed_rows(source, table, ROWS | {"new": "fox"}).rows == 1
    assert verify_table(table) == []


def test_the_limit_of_deletions_does_not_count_what_is_forgotten(table, embed_rows, source):
    """Forgetting nearly all is what was asked for; the next run deletes nothing."""
    forget(table, [f"row-{n}" for n in range(7)], keep_out=True)
    assert embed_rows(source, table).deleted == 0


def test_another_source_is_kept_out_too(table, embed_rows, tmp_path):
    """An id that is kept out does not come in through --append."""
    forget(table, ["row-3x"], keep_out=True)
    other = tmp_path / "other.csv"
    summary = embed_rows(other, table, {"row-3x": "most private", "s1": "fox"}, append=True)
    assert (summary.kept_out, summary.embedded) == (1, 1)
    assert traces(table, TRACES[:1]) == set()


@pytest.mark.parametrize("keep_out", [False, True])
def test_killed_anywhere_it_is_all_or_nothing(table, killed_at, hashes, tmp_path, keep_out):
    """Before each disk effect; what a kill left behind goes when the table is next written to."""
    whole, outcomes = hashes(table / "data"), []
    for number in itertools.count():
        copy = tmp_path / f"copy{number}"
        shutil.copytree(table, copy)
        work = partial(forget, copy, list(SECRET), keep_out=keep_out)
        if not killed_at(number, copy, work):
            break
        opened = EmbeddingTable.open(copy)
        gone = "row-3x" not in opened.ids
        assert (opened.rejects().num_rows == 0) is gone
        with write_table(copy) as writer:
            assert len(writer.snapshot.kept_out) == 2 * (gone and keep_out)
        assert verify_table(copy) == []
        assert traces(copy) == (set() if gone else set(TRACES))
        assert gone or hashes(copy / "data") == whole
        outcomes.append(gone)
    assert outcomes == sorted(outcomes)
    assert outcomes.count(True) > 5 < outcomes.count(False)


def test_what_a_crash_after_the_commit_left_is_cleared(table, monkeypatch):
    """Any opening for writing removes the old files; gc as well."""
    commit = TableWriter.commit

    def dead(_self):
        raise KeyboardInterrupt

    def then_dead(self, *arguments):
        commit(self, *arguments)
        patch.setattr(TableWriter, "tidy", dead)
        dead(self)

    with monkeypatch.context() as patch:
        patch.setattr(TableWriter, "commit", then_dead)
        with pytest.raises(KeyboardInterrupt):
            forget(table, list(SECRET))
    assert traces(table) == set(TRACES)
    assert set(contents(table)[0]) == set(ROWS)
    assert collect_garbage(table).removed["unnamed"] == 2
    assert traces(table) == set()


def test_an_incomplete_table_stays_incomplete(table):
    """Forgetting is not the end of a run that was stopped."""
    with write_table(table) as writer:
        writer.commit(Change(complete=False))
    forget(table, ["row-3x"])
    assert not EmbeddingTable.open(table).complete


def test_a_table_opened_before_says_that_it_moved_on(table):
    """Its files are gone: the message says so, and opening again helps."""
    opened = EmbeddingTable.open(table)
    version = forget(table, ["row-3x"]).version
    with pytest.raises(TableError, match=f"moved on to version {version} since it was opened at"):
        opened.to_numpy()
    with pytest.raises(TableError, match="Open it again"):
        forget(table, ["row-9x"])
        opened.rejects()
    assert len(EmbeddingTable.open(table).to_numpy()) == len(ROWS)


def test_damage_is_not_taken_for_a_new_version(table):
    """A part that the newest version still names, but that is gone, is missing."""
    opened = EmbeddingTable.open(table)
    forget(table, ["row-3x"])
    for path in (table / "data").iterdir():
        path.unlink()
    with pytest.raises(TableError, match="the file is missing"):
        opened.to_numpy()


def test_opening_goes_on_to_the_version_that_took_its_files(table, monkeypatch):
    """A table whose first part goes while it is being opened is opened as it is then."""
    committed = CommitLog.committed

    def overtaken(self):
        state = committed(self)
        monkeypatch.setattr(CommitLog, "committed", committed)
        forget(table, ["row-0"])
        return state

    monkeypatch.setattr(CommitLog, "committed", overtaken)
    opened = EmbeddingTable.open(table)
    assert len(opened.to_numpy()) == len(ROWS)
    assert "row-0" not in opened.ids


def test_chunks_go_with_their_document(tmp_path):
    """Rows whose parent_id is forgotten leave, and so does a single chunk by its own id."""
    root = tmp_path / "table"
    keys = ["a::0000", "a::0001", "b::0000", "b::0001"]
    with write_table(root) as writer:
        writer.commit(Change([writer.stage(chunks(keys))]))
    assert forget(root, ["a"]).rows == 2
    assert forget(root, ["b::0001"]).rows == 1
    assert EmbeddingTable.open(root).ids.tolist() == ["b::0000"]
    assert traces(root, ("a::", "b::0001")) == set()
    assert verify_table(root) == []


def chunks(keys):
    """Make rows with a parent_id."""
    space = VectorSpace("w", "p", "Tiny", "mean", True, 16, 4)
    user = pa.schema([pa.field("parent_id", pa.string())])
    schema = RowColumns(pa.string(), {}, user).schema(EncoderCard("tiny", (Modality.TEXT,), space))
    count = len(keys)
    vectors = pa.array(np.tile(np.float32([0.5, 0.5, 0.5, 0.5]), count))
    columns = [
        keys,
        ["in.csv"] * count,
        [None] * count,
        ["0" * 64] * count,
        [key.split("::")[0] for key in keys],
        pa.FixedSizeListArray.from_arrays(vectors, type=embedding_type(4)),
    ]
    arrays = [pa.array(c, f.type) for c, f in zip(columns[:-1], schema, strict=False)]
    return pa.Table.from_arrays([*arrays, columns[-1]], schema=schema)
