"""Whatever a part of a run does wrong, the run fails, and the next one makes the table whole."""

import threading

import pytest

from featurize.cli.main import run
from featurize.encoder import Encoder
from featurize.pipeline import steps
from featurize.processors.text import TextProcessor
from featurize.sources.table import TableSource
from featurize.table.verify import verify_table

PLACES = {
    "loading": (TableSource, "load"),
    "preparing": (TextProcessor, "prepare"),
    "stacking": (TextProcessor, "collate"),
    "encoding": (Encoder, "_checked"),
    "sorting": (steps, "_sorted"),
    "staging": (steps.Tools, "stage_rows"),
}


def fail():
    """Fail as code does."""
    raise ZeroDivisionError


def leave():
    """End the process as if all were done."""
    raise SystemExit(0)


@pytest.fixture
def hang():
    """Return a call that ends only when the test does."""
    over = threading.Event()
    yield over.wait
    over.set()


@pytest.fixture
def rows():
    """Return the texts of sixty rows, in six chunks of ten."""
    return [f"{number:02},fox {number:04} {'abc'[number % 3] * 11}" for number in range(60)]


@pytest.mark.parametrize("nth", [0, 1])
@pytest.mark.parametrize("fault", ["fail", "leave", "hang"])
@pytest.mark.parametrize("place", PLACES)
def test_a_fault_is_never_taken_for_success(
    place, fault, nth, hang, rows, tiny_text, tmp_path, hashes, monkeypatch, capfd
):
    """Exit 1 with the table sound at its last commit; then the bytes of one whole run."""
    monkeypatch.setattr(TextProcessor, "chunk_bytes", 200)
    source = tmp_path / "in.csv"

    def embed(out, *options):
        words = ["embed", source, "--out", tmp_path / out, "--encoder", tiny_text, *options]
        return run([str(word) for word in words])

    for out in ("whole", "table"):
        source.write_text("\n".join(["id,text", *rows[:40]]) + "\n")
        assert embed(out) == 0
        changed = [row.replace("7 ", "7 red ") for row in rows]
        source.write_text("\n".join(["id,text", *changed]) + "\n")
        if out == "whole":
            assert embed(out) == 0

    owner, name = PLACES[place]
    sound, calls = getattr(owner, name), iter(range(10**6))

    def faulty(*given):
        if next(calls) == nth:
            {"fail": fail, "leave": leave, "hang": hang}[fault]()
        return sound(*given)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, faulty)
        assert embed("table", "--stuck-after", "0.4") == 1
    assert verify_table(tmp_path / "table") == []
    assert embed("table") == 0
    assert hashes(tmp_path / "table" / "data") == hashes(tmp_path / "whole" / "data")
