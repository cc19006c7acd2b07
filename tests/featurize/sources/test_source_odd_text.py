"""The naughty strings, by every way in: each is listed and loads, or is rejected."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from conftest import ReadSource

STRINGS = Path(__file__).resolve().parents[3] / "../shared/data/odd_text/naughty_strings/blns.json"
pytestmark = pytest.mark.skipif(not STRINGS.exists(), reason="needs the shared data")


@pytest.fixture(name="strings")
def naughty_strings() -> list[str]:
    """Return the strings."""
    strings: list[str] = json.loads(STRINGS.read_text("utf-8"))
    return strings


def as_files(strings: list[str], folder: Path) -> Path:
    """Write one file a string."""
    root = folder / "texts"
    root.mkdir()
    for number, text in enumerate(strings, 1):
        (root / f"{number}.txt").write_bytes(text.encode())
    return root


def as_csv(strings: list[str], folder: Path) -> Path:
    """Write a CSV file."""
    path = folder / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["text"], *([s] for s in strings)])
    return path


def as_jsonl(strings: list[str], folder: Path) -> Path:
    """Write a JSON Lines file."""
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps({"text": s}) + "\n" for s in strings), "utf-8")
    return path


def as_parquet(strings: list[str], folder: Path) -> Path:
    """Write a Parquet file."""
    path = folder / "a.parquet"
    pq.write_table(pa.table({"text": strings}), path)
    return path


def _without_mark(text: str) -> str:
    """Return a text as a file gives it: a byte order mark is none of it."""
    return text.removeprefix("\ufeff")


@pytest.mark.parametrize("kind", [as_files, as_csv, as_jsonl, as_parquet])
def test_naughty_strings(
    kind: Callable[[list[str], Path], Path], strings: list[str], read: ReadSource, tmp_path: Path
) -> None:
    """Every string comes back exactly, but for those that say nothing."""
    got = read(kind(strings, tmp_path))
    assert len(got.rows) == len(strings)
    assert sorted(got.contents.values()) == sorted(
        text
        for text in (_without_mark(text) if kind is as_files else text for text in strings)
        if text.strip()
    )
    assert set(got.reasons.values()) == {"empty"}


@pytest.mark.parametrize("column", ["id", "label", "n"])
def test_naughty_values_in_other_columns(
    column: str, strings: list[str], read: ReadSource, tmp_path: Path
) -> None:
    """Ids, labels and carried values are exact strings too."""
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(
            [["text", column], *(["some text", text] for text in strings)]
        )
    got = read(path)
    assert len(got.rows) == len(strings)
    if column == "id":
        assert set(got.contents) == {text for text in strings if text}
    else:
        name = "label" if column == "label" else "column:n"
        assert sorted(row[name] or "" for row in got.rows) == sorted(strings)
