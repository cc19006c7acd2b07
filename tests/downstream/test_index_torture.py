"""What an index goes through: rounds of updates, kills of the command, damaged files."""

import logging

import pytest
from searching.kills import KINDS, ROWS, tortured
from searching.mutations import mutated, mutations, saved_indexes, tried
from searching.updates import Plan, Rounds

LOG = logging.getLogger("torture")
SMALL = Plan(rows=2000, dim=16, rounds=20, queries=300)


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
@pytest.mark.parametrize("plan", [SMALL, pytest.param(Plan(), marks=pytest.mark.torture)])
def test_an_index_follows_its_table(kind, plan, tmp_path, monkeypatch):
    """Rows come and go: each hit is a row that is there, and recall keeps to its target."""
    monkeypatch.setattr("downstream.index.retriever._EXACT", 0)  # else few rows are compared all
    figures = Rounds(kind, plan, tmp_path).run()
    LOG.info("%s: %s", kind, figures)
    assert figures.wrong == []
    assert figures.hits == 2 * plan.rounds * plan.queries * 10


@pytest.mark.parametrize(
    ("kills", "kinds", "rows"),
    [(25, ["ivf"], 500), pytest.param(1000, KINDS, ROWS, marks=pytest.mark.torture)],
)
def test_killed_anywhere_the_old_or_the_new_index_is_there(kills, kinds, rows, tmp_path):
    """After random SIGKILLs of builds and updates an index opens, is sound and answers."""
    figures = tortured(tmp_path, kills, kinds, rows)
    LOG.info("%s", figures)
    assert not +figures.wrong
    assert figures.kills == kills


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.torture)])
def test_damaged_files_are_refused_and_end_no_process(count, tmp_path):
    """Flipped, cut, longer and reordered files of every kind of index are found out."""
    outcomes = tried(mutations(saved_indexes(tmp_path), count), tmp_path)
    LOG.info("%s", outcomes)
    assert outcomes == {"refused": count}


def test_forged_files_end_no_process(tmp_path):
    """Also where the card states the hash of what was damaged, nothing crashes."""
    outcomes = tried(mutations(saved_indexes(tmp_path), 200, resealed=True), tmp_path)
    LOG.info("%s", outcomes)
    assert not outcomes["crash"]


@pytest.mark.parametrize("way", ["a bit flipped", "cut off", "bytes added", "blocks swapped"])
def test_damage_is_damage(way):
    """No mutation leaves a file as it was."""
    for data in (b"a", b"aaaa", bytes(range(256))):
        assert all(mutated(data, way, seed) != data for seed in range(50))
