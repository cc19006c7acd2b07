"""What a plan says of time, memory and disk; which budget a long run takes."""

from dataclasses import replace
from pathlib import Path

import pytest

from featurize.bundle import Bundle
from featurize.config import Job
from featurize.encoder import Encoder
from featurize.pipeline import embed_source, plan_source, rates
from featurize.pipeline.workers import Watch, Workers
from featurize.sources import open_source
from featurize.table import EmbeddingTable
from featurize.types import Silent

ROWS = 900


@pytest.fixture
def job(tmp_path):
    """Return a job over texts of many lengths, one of them empty."""
    lines = [f"{number:04},fox {'runs ' * (number % 40)}{number}" for number in range(ROWS)]
    (tmp_path / "in.csv").write_text("\n".join(["id,text", *lines, "9999,"]) + "\n")
    return Job(tmp_path / "in.csv", out=tmp_path / "table")


@pytest.fixture
def encoder(tiny_text):
    """Open the tiny encoder."""
    return Encoder.open(Bundle.open(tiny_text), device="cpu")


@pytest.fixture
def workers(encoder):
    """Return as many workers as the encoder asks for."""
    workers = Workers(encoder.runtime.workers, Watch(60), "encoding")
    yield workers
    workers.shutdown()


def plan(job, encoder):
    """Plan a job."""
    return plan_source(job, open_source(job), "tiny", encoder, Silent())


def embed(job, encoder):
    """Run a job."""
    return embed_source(job, open_source(job), encoder, bundle="tiny", reporter=Silent())


@pytest.mark.parametrize("store", ["float32", "int8", "binary"])
def test_a_plan_foresees_the_size_of_the_table(job, encoder, store):
    """Of a new table, and of what is added to it later, whatever vectors are stored as."""
    job = replace(job, store=store)
    foreseen = plan(job, encoder)["estimate"]
    embed(job, encoder)
    size = sum(path.stat().st_size for path in Path(job.out, "data").iterdir())
    assert 0.8 < foreseen["disk_bytes"] / size < 1.25
    assert 0 <= foreseen["seconds"] < 60
    assert foreseen["memory_bytes"] > 2**20
    assert plan(job, encoder)["estimate"]["disk_bytes"] == 0
    with job.source.open("a") as file:
        file.writelines(f"a{number:04},new {number}\n" for number in range(90))
    again = plan(job, encoder)["estimate"]
    assert 0 < again["disk_bytes"] < foreseen["disk_bytes"]


def test_what_cannot_be_foreseen_is_null(job, encoder):
    """Without an exported encoder, with a note, and for a run that would be refused."""
    planned = plan(job, None)
    assert planned["estimate"] is None
    assert any("not estimated" in note for note in planned["notes"])
    assert planned["new"] == ROWS
    embed(job, encoder)
    job.source.write_text("id,text\nx,fox\n")
    planned = plan(job, encoder)
    assert planned["refusal"]
    assert planned["estimate"] is None


@pytest.mark.parametrize(("gain", "scale"), [(1.0, 1), (0.97, 1), (0.8, 2)])
def test_another_budget_is_taken_only_if_it_is_clearly_faster(
    gain, scale, encoder, workers, monkeypatch
):
    """5 % is noise."""
    default = encoder.budget
    monkeypatch.setattr(
        rates, "_seconds", lambda _e, _s, budget, _w: gain if budget == 2 * default else 1.0
    )
    monkeypatch.setattr(rates, "measured", lambda _kind, _key, measure: measure())
    assert rates.tuned_budget(encoder, workers) == scale * default


def test_a_long_run_records_its_budget_and_makes_the_same_rows(
    job, encoder, tiny_text, tmp_path, monkeypatch, hashes
):
    """The budget of the first commit is the one chosen; data files do not show it."""
    embed(job, encoder)
    other = Encoder.open(Bundle.open(tiny_text), device="cpu")
    monkeypatch.setattr("featurize.pipeline.run.WORTH_TUNING", ROWS - 1)
    monkeypatch.setattr("featurize.pipeline.run.tuned_budget", lambda *_: 7)
    embed(Job(job.source, out=tmp_path / "other"), other)
    assert EmbeddingTable.open(tmp_path / "other").origin["variant"]["budget"] == 7
    assert hashes(tmp_path / "other" / "data") == hashes(Path(job.out, "data"))


def test_the_choice_is_kept_for_the_machine(encoder, workers, monkeypatch, tmp_path):
    """It is measured once."""
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "cache"))
    chosen = rates.tuned_budget(encoder, workers)
    assert chosen in {int(encoder.budget * scale) for scale in (0.5, 1, 2)}
    monkeypatch.setattr(rates, "_fastest", lambda *_: pytest.fail("measured again"))
    assert rates.tuned_budget(encoder, workers) == chosen
