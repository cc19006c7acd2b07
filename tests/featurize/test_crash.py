"""Stopped at any operation on the disk, a table is what it was, and goes on to what it would be."""

import errno
import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from faulty_disk import Crash, FaultyDisk

from featurize.bundle import Bundle
from featurize.config import Job
from featurize.encoder import Encoder
from featurize.errors import FeaturizeError
from featurize.pipeline import embed_source
from featurize.sources import open_source
from featurize.table import EmbeddingTable
from featurize.table.forget import forget
from featurize.table.garbage import collect_garbage
from featurize.table.layout import Layout
from featurize.table.log import CommitLog
from featurize.table.verify import verify_table
from featurize.table.writer import TableWriter
from featurize.types import Silent

CHUNK_BYTES = 30
BEFORE = {f"r{n:02}": (f"fox {n % 7} runs", "ab"[n % 2]) for n in range(16)} | {"r99": (" ", "a")}
AFTER = {key: row for key, row in BEFORE.items() if key not in {"r06", "r99"}} | {
    "r01": ("a changed text", "b"),
    "r02": (BEFORE["r02"][0], "c"),
    "r99": ("", "a"),
    "s1": ("quite new", "a"),
    "s2": ("\t", "b"),
}


def write_source(path, rows):
    """Write id, text and label of each row."""
    lines = [f"{key},{text},{label}\n" for key, (text, label) in rows.items()]
    path.write_text("id,text,label\n" + "".join(lines))


@dataclass
class Scenario:
    """Something done to a table, from a state of it that is given."""

    start: Path | None
    act: object


@pytest.fixture(scope="module")
def encoder(tiny_text):
    """Open the tiny encoder once, with small chunks."""
    encoder = Encoder.open(Bundle.open(tiny_text), device="cpu")
    encoder.processor.chunk_bytes = CHUNK_BYTES
    return encoder


@pytest.fixture(scope="module")
def scenarios(encoder, tmp_path_factory):
    """Return what is interrupted: a first and an incremental run, forgetting and gc."""
    folder = tmp_path_factory.mktemp("scenarios")
    source = folder / "in.csv"

    def embed(rows):
        def act(table):
            write_source(source, rows)
            job = Job(source, out=table)
            embed_source(job, open_source(job), encoder, bundle="tiny", reporter=Silent())

        return act

    made = folder / "made"
    embed(BEFORE)(made)
    return {
        "first": Scenario(None, embed(BEFORE)),
        "incremental": Scenario(made, embed(AFTER)),
        "forget": Scenario(made, partial(forget, ids=["r03", "r04", "r99"], keep_out=True)),
        "gc": Scenario(made, collect_garbage),
    }


class Reference:
    """A scenario without faults: its operations, its end, and the table's parts at each version."""

    def __init__(self, scenario, table, monkeypatch, hashes):
        disk, acknowledged, _ = run(scenario, table, monkeypatch)
        self.operations = disk.trace
        self.end = {name: hashes(table / name) for name in ("data", "_rejects")}
        self.parts = {
            state.version: {part.file: part.sha256 for part in state.parts.values()}
            for state in acknowledged
        }


def run(scenario, table, monkeypatch, **fault):
    """Act on a table on a faulty disk; return it, the acknowledged states, and the error."""
    if scenario.start is not None:
        shutil.copytree(scenario.start, table)
    table.parent.mkdir(exist_ok=True)
    acknowledged = [CommitLog(Layout.of(table).log).snapshot()]
    commit = TableWriter.commit

    def noting(self, *arguments, **options):
        added = commit(self, *arguments, **options)
        acknowledged.append(self.snapshot)
        return added

    disk, raised = FaultyDisk(table.parent, **fault), None
    with monkeypatch.context() as patch:
        patch.setattr(TableWriter, "commit", noting)
        with disk.mounted(monkeypatch):
            try:
                scenario.act(table)
            except (Crash, OSError, FeaturizeError) as error:
                raised = error
    return disk, acknowledged, raised


def require_last_commit(table, acknowledged, reference, hashes):
    """A reader sees the last acknowledged commit, or the one that was on its way, whole."""
    version = CommitLog(Layout.of(table).log).snapshot().version
    assert version - acknowledged[-1].version in {0, 1}
    if version == 0:
        return
    seen = EmbeddingTable.open(table)
    parts = {part.file: part.sha256 for part in [*seen.parts, *seen.reject_parts]}
    assert parts == reference.parts[version]
    found = hashes(table)
    assert {name: found[name] for name in parts} == parts
    assert len(seen.ids) == len(seen) == len(seen.to_numpy())


def require_same_end(scenario, table, reference, hashes):
    """Done again without faults, every file with rows or rejects is that of an undisturbed run."""
    scenario.act(table)
    assert {name: hashes(table / name) for name in ("data", "_rejects")} == reference.end
    assert verify_table(table) == []
    assert not any((table / "_staging").iterdir())


def require_kept(table, reference, hashes):
    """After one more power cut the files are still those, and none that was removed is back."""
    assert {name: hashes(table / name) for name in ("data", "_rejects")} == reference.end
    assert verify_table(table) == []


@pytest.mark.parametrize("name", ["first", "incremental", "forget", "gc"])
def test_a_crash_at_any_operation_loses_nothing(name, scenarios, tmp_path, monkeypatch, hashes):
    """Killed, or cut from power with and without its unsynced names, it goes on to equal bytes.

    What a killed run left undone is durable, too, when the next one has finished.
    """
    scenario = scenarios[name]
    reference = Reference(scenario, tmp_path / "whole" / "t", monkeypatch, hashes)
    assert len(reference.operations) > 50
    for number in range(len(reference.operations)):
        here = tmp_path / str(number)
        crash = {"fail_at": number, "failure": Crash(), "torn": bool(number % 2)}
        disk, acknowledged, error = run(scenario, here / "t", monkeypatch, **crash)
        assert disk.failed
        assert isinstance(error, Crash)
        disk.power_cut(tmp_path / f"{number} lost", names_kept=False)
        disk.power_cut(tmp_path / f"{number} empty", names_kept=True)
        for left in (tmp_path / f"{number} lost", tmp_path / f"{number} empty"):
            require_last_commit(left / "t", acknowledged, reference, hashes)
            require_same_end(scenario, left / "t", reference, hashes)
            shutil.rmtree(left)
        require_last_commit(here / "t", acknowledged, reference, hashes)
        disk.revive()
        with disk.mounted(monkeypatch):
            require_same_end(scenario, here / "t", reference, hashes)
        disk.power_cut(tmp_path / f"{number} again", names_kept=False)
        require_kept(tmp_path / f"{number} again" / "t", reference, hashes)
        shutil.rmtree(here)
        shutil.rmtree(tmp_path / f"{number} again")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("name", ["first", "incremental", "forget", "gc"])
def test_an_error_at_any_operation_loses_nothing(
    name, code, scenarios, tmp_path, monkeypatch, hashes
):
    """A full disk or a failing one stops the run with an error, or did not matter.

    What a sync that failed should have kept is lost in a power cut, but no commit with it.
    """
    scenario = scenarios[name]
    reference = Reference(scenario, tmp_path / "whole" / "t", monkeypatch, hashes)
    for number in range(len(reference.operations)):
        table = tmp_path / str(number) / "t"
        failure = OSError(code, os.strerror(code))
        disk, acknowledged, error = run(
            scenario, table, monkeypatch, fail_at=number, failure=failure
        )
        require_last_commit(table, acknowledged, reference, hashes)
        disk.power_cut(tmp_path / f"{number} lost", names_kept=False)
        require_last_commit(tmp_path / f"{number} lost" / "t", acknowledged, reference, hashes)
        shutil.rmtree(tmp_path / f"{number} lost")
        if error is None:
            assert verify_table(table) == []
            assert not disk.failed or code == errno.EIO, disk.trace[number]
        require_same_end(scenario, table, reference, hashes)
        shutil.rmtree(table.parent)


def test_a_finished_run_is_durable(scenarios, tmp_path, monkeypatch, hashes):
    """Power cut right after a run, its files are there and no others but hidden ones of the log."""
    for name, scenario in scenarios.items():
        table = tmp_path / name / "t"
        disk, _, error = run(scenario, table, monkeypatch)
        assert error is None
        disk.power_cut(tmp_path / f"{name} after", names_kept=False)
        after = hashes(tmp_path / f"{name} after" / "t")
        assert {key: value for key, value in after.items() if "/." not in f"/{key}"} == hashes(
            table
        )
