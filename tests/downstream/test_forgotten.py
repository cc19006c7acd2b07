"""What was made from a table before ids were forgotten there is refused, where it holds rows."""

import shutil

import pytest

from downstream import Head, VectorIndex, train
from downstream.heads import inspect_head
from downstream.index import inspect_index, verify_index
from featurize.errors import HeadError, IndexFileError
from featurize.table.forget import forget
from featurize.table.garbage import collect_garbage


@pytest.fixture
def mine(make_table, clustered):
    """Make a table of forty rows that a test may change."""
    return make_table(*clustered(40))


@pytest.fixture
def index(mine, tmp_path):
    """Save an index of it."""
    VectorIndex.build(mine).save(tmp_path / "index")
    return tmp_path / "index"


def test_an_index_made_before_is_refused(mine, index):
    """Opening and verifying say why; inspecting works; a new index is fine."""
    forget(mine.path, ["row-00007"])
    reason = "made from version 1 of .*; ids were forgotten there at version 2"
    with pytest.raises(IndexFileError, match=reason):
        VectorIndex.open(index)
    (problem,) = verify_index(index)
    assert "ids were forgotten" in problem.detail
    assert inspect_index(index)["rows"] == 40
    VectorIndex.build(mine.path).save(index)
    assert len(VectorIndex.open(index)) == 39


def test_it_stays_refused_after_runs_and_gc(mine, index):
    """Later versions do not cover up that ids were forgotten."""
    forget(mine.path, ["row-00007"])
    forget(mine.path, ["row-00008"])
    collect_garbage(mine.path)
    with pytest.raises(IndexFileError, match="forgotten there at version 3"):
        VectorIndex.open(index)


def test_search_exits_1_with_the_reason(command, mine, index):
    """On the command line as well."""
    forget(mine.path, ["row-00007"])
    code, data, _ = command("search", index, "--id", "row-00008", "--json")
    assert (code, data["error"]["kind"]) == (1, "index")
    assert "Make the index again" in data["error"]["fix"]


def test_an_index_is_not_refused_for_another_table(mine, index, make_table, clustered):
    """Neither where its table is gone nor where one made anew forgot ids."""
    shutil.rmtree(mine.path)
    assert len(VectorIndex.open(index)) == 40
    make_table(*clustered(30), path=mine.path)
    forget(mine.path, ["row-00007"])
    assert len(VectorIndex.open(index)) == 40


def test_an_index_that_knows_no_identity_is_refused_to_be_safe(mine, index, rewrite_card):
    """One of the first form might be of this table."""
    origin = inspect_index(index)["origin"]
    origin.pop("table_id")
    rewrite_card(index / "index.json", {"origin": origin})
    assert len(VectorIndex.open(index)) == 40
    forget(mine.path, ["row-00007"])
    with pytest.raises(IndexFileError, match="forgotten"):
        VectorIndex.open(index)


def test_a_linear_head_holds_no_rows_and_stays(mine, tmp_path):
    """Its card says what it was made from, and that it keeps none of it."""
    head = train(mine)
    head.save(tmp_path / "head")
    forget(mine.path, ["row-00007"])
    assert Head.load(tmp_path / "head").predict(mine.path).shape == (39,)
    card = inspect_head(tmp_path / "head")
    assert (card["keeps_rows"], card["table_id"]) == (False, mine.table_id)
    assert (card["table"], card["table_version"]) == (str(mine.path.resolve()), 1)


def test_a_head_that_keeps_rows_is_refused(mine, tmp_path, rewrite_card):
    """From the first forgetting after its training on."""
    train(mine).save(tmp_path / "head")
    rewrite_card(tmp_path / "head" / "head.json", {"keeps_rows": True})
    Head.load(tmp_path / "head")
    forget(mine.path, ["row-00007"])
    with pytest.raises(HeadError, match="The head was made from version 1 .* at version 2"):
        Head.load(tmp_path / "head")
