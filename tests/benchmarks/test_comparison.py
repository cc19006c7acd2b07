"""The comparison with peers: contestants that answer, fail or hang, and the tables made of them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from comparison import contestant, gates, sections, tables
from comparison.contestant import Entrant, Failed, Role
from comparison.environments import CannotInstall
from comparison.inputs import image_workload, text_workload
from comparison.rounds import Result, Standings, compete

DUMMY = """
import time
import numpy as np
from protocol import Work, read_texts, serve

def load(options):
    print("noise on stdout")
    texts = read_texts(options["inputs"])
    if options.get("broken") == "load":
        raise ValueError("no such model")
    def run():
        print("more noise")
        with open(options["journal"], "a") as journal:
            journal.write(options["name"])
        if options.get("broken") == "run":
            import os
            os._exit(7)
        deadline = time.perf_counter() + options["milliseconds"] / 1000
        while time.perf_counter() < deadline:
            pass
        return np.eye(len(texts), 4, dtype=np.float32) * options.get("length", 1)
    return Work(len(texts), run)

serve(load, ("numpy",))
"""


@pytest.fixture
def dummies(tmp_path):
    """Make entrants of a script that spins for as long as it is told."""
    script, inputs = tmp_path / "dummy.py", tmp_path / "texts.csv"
    script.write_text(DUMMY)
    inputs.write_text("id,text\n1,one\n2,two\n3,three\n")

    def make(name, milliseconds, role=Role.PEER, variant="fp32", environment=None, **options):
        told = {
            "name": name,
            "milliseconds": milliseconds,
            "inputs": str(inputs),
            "journal": str(tmp_path / "journal"),
            **options,
        }
        return Entrant(name, str(script), role, variant, environment, told)

    return make


def this_python(environment):
    """Run everyone in this environment; the peer called `gone` cannot be installed."""
    if environment == "gone":
        raise CannotInstall("ERROR: no such package")
    return Path(sys.executable)


def test_contestants_take_turns_in_a_rotating_order(dummies, tmp_path):
    """Everyone works once a round, and another begins in each."""
    compete([dummies("a", 1), dummies("b", 1)], 3, tmp_path / "runs", this_python)
    assert (tmp_path / "journal").read_text() == "abbaab"


def test_rates_ratios_cosines_and_memory_are_those_of_the_contestants(dummies, tmp_path):
    """Three texts in 300 ms are at most ten a second; who takes 1 ms is faster."""
    entrants = [dummies("slow", 300), dummies("fast", 1, length=3)]
    standings = compete(entrants, 2, tmp_path / "runs", this_python)
    slow, fast = standings.results
    assert standings.reference is slow
    assert slow.rate <= 10
    assert all(ratio > 1 for ratio in fast.ratios(slow))
    assert fast.cosines(slow).tolist() == [1, 1, 1]
    assert fast.peak_bytes > 2**20
    assert "numpy" in fast.versions


def test_whoever_fails_is_listed_with_the_reason(dummies, tmp_path):
    """What does not install, load or run leaves the field; the others go on."""
    entrants = [
        dummies("sound", 1),
        dummies("not there", 1, environment="gone"),
        dummies("no model", 1, broken="load"),
        dummies("crash", 1, broken="run"),
    ]
    standings = compete(entrants, 2, tmp_path / "runs", this_python)
    assert [result.entrant.name for result in standings.results] == ["sound"]
    assert standings.absent == {
        "not there": "does not install: ERROR: no such package",
        "no model": "does not load: ValueError: no such model",
        "crash": "ended with 7, last said: more noise",
    }


def test_a_contestant_that_hangs_is_ended(dummies, tmp_path, monkeypatch):
    """One that does not answer in time counts as failed."""
    monkeypatch.setattr(contestant, "LIMIT_SECONDS", 2.0)
    standings = compete([dummies("hangs", 60_000)], 1, tmp_path / "runs", this_python)
    assert "ended with -9" in standings.absent["hangs"]


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="waits for the stop with waitid")
def test_an_idle_contestant_is_stopped(dummies, tmp_path):
    """Between answers a contestant gets no processor, whatever its threads do."""
    entrant = dummies("a", 1)
    running = contestant.Contestant.start(entrant, Path(sys.executable), tmp_path / "log")
    try:
        running.post({"do": "load", **entrant.options})
        running.receive()
        seen = os.waitid(os.P_PID, running.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    finally:
        running.close()
    assert seen.si_code == os.CLD_STOPPED


def result(name, seconds, role=Role.PEER, count=100):
    """Make a result of two equal rounds."""
    return Result(Entrant(name, "x", role), {"library": "1.0"}, [seconds] * 2, count)


def test_the_section_shows_rates_verdicts_and_the_missing(tmp_path):
    """The lines hold every contestant, floor and reason, a missed floor in plain sight."""
    peer = result("peer", 6.0)
    others = [
        result("ours", 3.0, Role.OURS),
        result("one", 1.0, Role.START, count=1),
        result("loop", 2.0, Role.LOOP),
        result("product", 1.0, Role.GEMM, count=200e9),
    ]
    standings = Standings(peer.entrant, [peer, *others], {"broken": "does not load: no model."})
    workload = text_workload("short", tmp_path, tmp_path, quick=True)
    lines = [
        *sections.text_tables(workload, standings, 12.0, 1e9),
        *sections.closing(sections.text_gates(workload, standings), [standings], {}),
    ]
    assert "| peer | 16.7 | 1.00 | 1.00-1.00 |  |  | 0 | 8% |" in lines
    assert "| loop | 50.0 | 3.00 | 3.00-3.00 |  |  | 0 | 25% |" in lines
    assert (
        "| short, fp32: times peer | 2.00 | 2.97 | 2.8 | 3.2 | **floor missed** "
        "| floor reached, aim missed |"
    ) in lines
    assert any(
        line.startswith("| short, fp32: of its bound, 50/s | 0.67 | 0.99 ") for line in lines
    )
    assert "Versions, by environment: ours: library 1.0." in lines
    assert "- broken: does not load: no model." in lines


def test_the_bound_of_images_shares_the_cores_between_decoding_and_model(tmp_path, monkeypatch):
    """Two cores, 400 images/s decoded by one, 200 encoded by both: 2 / (1/400 + 2/200) = 160."""
    monkeypatch.setattr(sections, "CORES", 2)
    peer = result("torch", 4.0)
    others = [
        result("ours", 0.8, Role.OURS),
        result("D1", 0.25, Role.DECODE),
        result("M", 0.5, Role.LOOP),
    ]
    standings = Standings(peer.entrant, [peer, *others], {})
    gate = sections.image_gates(image_workload(tmp_path, tmp_path, quick=True), standings)[-1]
    assert gate.whole == pytest.approx(125 / 160)


@pytest.mark.parametrize(
    ("figure", "said"),
    [(2.7, "**floor missed**"), (2.8, "floor reached, aim missed"), (3.2, "aim reached")],
)
def test_a_verdict_compares_with_floor_and_aim(figure, said):
    """A figure equal to floor or aim reaches it."""
    assert gates.verdict(figure, gates.Asked(2.8, 3.2)) == said


def test_vectors_of_another_shape_are_refused(tmp_path):
    """A contestant that leaves inputs out has no cosine."""
    results = []
    for name, rows in (("a", 3), ("b", 2)):
        np.save(tmp_path / f"{name}.npy", np.ones((rows, 4), np.float32))
        results.append(Result(Entrant(name, "x"), {}, [1.0], 3, 1, tmp_path / f"{name}.npy"))
    with pytest.raises(Failed, match="shape"):
        results[1].cosines(results[0])


def test_inputs_are_distinct_and_generated_where_the_data_is_missing(tmp_path):
    """Equal contents would be encoded once by some and twice by others."""
    texts = text_workload("medium", tmp_path, tmp_path, quick=True)
    rows = texts.inputs.read_text().splitlines()[1:]
    assert len(set(row.split(",", 1)[1] for row in rows)) == texts.count == len(rows)
    images = image_workload(tmp_path, tmp_path, quick=True)
    contents = {path.read_bytes() for path in images.inputs.iterdir()}
    assert len(contents) == images.count > 0


def test_tables_are_markdown():
    """A table has a head, a rule and its rows."""
    assert tables.table(["a", "b"], [["1", "2"]]) == ["| a | b |", "| --- | ---: |", "| 1 | 2 |"]


def test_the_script_says_how_it_is_used():
    """The command imports and prints its options without any peer."""
    script = contestant.ROOT / "benchmarks" / "compare.py"
    done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout


def test_without_the_reference_there_is_no_comparison():
    """All is compared with who entered first; no other takes its place."""
    other = result("other", 1.0)
    standings = Standings(result("first", 1.0).entrant, [other], {"first": "does not load"})
    with pytest.raises(Failed, match="first, the reference, did not run: does not load"):
        _ = standings.reference
