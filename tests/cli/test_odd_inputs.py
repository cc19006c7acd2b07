"""Damaged, rare and odd files through the real command: each is a row, a reject or ignored."""

import csv
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from featurize.table import EmbeddingTable
from featurize.table.verify import verify_table

MEASURE = Path(__file__).parents[1] / "torture" / "peak.py"
PEAK = 1536 << 20  # bytes of resident memory, libraries and encoder included


@pytest.fixture
def embed(tmp_path):
    """Return a function that runs `featurize embed`: (exit code, answer, peak memory in bytes)."""

    def run(source, *options):
        words = ["embed", source, "--out", tmp_path / "t", "--json", *options]
        command = [sys.executable, "-m", "featurize", *map(str, words)]
        peak = tmp_path / "peak"
        done = subprocess.run(
            [sys.executable, str(MEASURE), str(peak), *command],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout), int(peak.read_text())

    return run


def check(outcome, table, inputs):
    """Every input is counted once, the code says whether there are rejects, memory is bounded."""
    code, answer, peak = outcome
    opened = EmbeddingTable.open(table)
    assert answer["rows"] + answer["rejected"] + answer["ignored"] == inputs
    assert (len(opened), opened.rejects().num_rows) == (answer["rows"], answer["rejected"])
    assert code == (3 if answer["rejected"] else 0)
    assert peak < PEAK
    assert verify_table(table) == []
    counts = {key: answer[key] for key in ("rows", "rejected", "reasons", "ignored")}
    logging.getLogger("torture").info(
        "%d inputs, exit %d, peak %d MiB: %s", inputs, code, peak >> 20, counts
    )
    return opened


def files_under(folder):
    """Count files that are not hidden, nor in hidden folders."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sum(not any(part.startswith(".") for part in path.parts) for path in found)


def test_every_odd_image_is_accounted_for(embed, image_bundle, shared_data, tmp_path):
    """Hundreds of image files from test suites of decoders, many of them broken on purpose."""
    folder = shared_data / "odd_images"
    outcome = embed(folder, "--modality", "image", "--device", "cpu")
    table = check(outcome, tmp_path / "t", files_under(folder))
    found = {*table.ids, *table.rejects().column("id").to_pylist()}
    assert len(found) == len(table) + table.rejects().num_rows


def as_files(strings, folder):
    """Write a file a string."""
    (folder / "texts").mkdir()
    for number, text in enumerate(strings):
        (folder / "texts" / f"{number:03}.txt").write_bytes(text.encode())
    return folder / "texts"


def as_csv(strings, folder):
    """Write a CSV file."""
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["text"], *([s] for s in strings)])
    return folder / "a.csv"


def as_jsonl(strings, folder):
    """Write a JSON Lines file."""
    lines = (json.dumps({"text": text}) + "\n" for text in strings)
    (folder / "a.jsonl").write_text("".join(lines), "utf-8")
    return folder / "a.jsonl"


@pytest.mark.parametrize("kind", [as_files, as_csv, as_jsonl])
def test_every_naughty_string_is_accounted_for(kind, embed, minilm_bundle, shared_data, tmp_path):
    """Strings that break programs, through the built-in text encoder."""
    place = shared_data / "odd_text" / "naughty_strings" / "blns.json"
    strings = json.loads(place.read_text("utf-8"))
    table = check(embed(kind(strings, tmp_path), "--device", "cpu"), tmp_path / "t", len(strings))
    expected = {text for text in strings if text.strip()}
    if kind is as_files:
        expected = {text.removeprefix("\ufeff") for text in expected}  # a mark is none of a file
    assert set(table.column("text")) <= expected
