"""neighbors and duplicates as a person at a terminal meets them."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

TEXTS = [
    "the red fox runs",
    "a blue dog sleeps",
    "the red fox runs",
    "refund the broken parcel",
    "the red fox runs",
    "a blue dog sleeps",
    "card late",
]


@pytest.fixture
def embedded(command, tiny_text, tmp_path):
    """Return a function that embeds columns and returns the table's folder."""

    def make(**columns):
        pd.DataFrame(columns).to_csv(tmp_path / "rows.csv", index=False)
        out = tmp_path / "table"
        arguments = ("--out", out, "--encoder", tiny_text, "--json")
        assert command("embed", tmp_path / "rows.csv", *arguments)[0] == 0
        return out

    return make


@pytest.fixture
def table(embedded):
    """Embed seven texts, five of which repeat one another."""
    return embedded(id=list("abcdefg"), text=TEXTS, label=["x"] * 7)


def test_neighbours_are_written_and_counted(command, table, tmp_path):
    """The answer names the file, how it was found and how much is in it."""
    out = tmp_path / "n.parquet"
    code, data, _ = command("neighbors", table, "-k", "2", "--out", out, "--json")
    assert code == 0
    assert data == {
        "neighbors": str(out),
        "table": str(table),
        "rows": 7,
        "hits": 14,
        "k": 2,
        "kind": "flat",
        "recall": {"target": 0.95, "reached": 1.0},
        "incomplete": False,
    }
    lines = pq.read_table(out).to_pylist()
    assert [line["id"] for line in lines if line["query"] == "a"] == ["c", "e"]
    assert [line["rank"] for line in lines] == [1, 2] * 7


def test_neighbours_in_words(told, table, tmp_path):
    """A person is told the file, the number of lines, and how sure they are."""
    arguments = ("--out", tmp_path / "n.parquet", "--min-score", "0.99", "--recall", "1")
    code, out, _ = told("neighbors", table, *arguments)
    assert code == 0
    assert out.splitlines() == [
        f"{tmp_path / 'n.parquet'}: 8 lines with the 10 nearest other rows of 7 rows of {table}",
        "flat search, all of them found (asked: 1.0)",
    ]


def test_duplicates_are_counted_and_named(command, table, tmp_path):
    """The answer counts groups and rows, and names the ids of the biggest."""
    out = tmp_path / "d.parquet"
    code, data, _ = command("duplicates", table, "--threshold", "0.99", "--out", out, "--json")
    assert code == 0
    assert data == {
        "duplicates": {"groups": 2, "rows": 5, "redundant": 3, "largest": 3},
        "threshold": 0.99,
        "kind": "flat",
        "recall": {"target": 0.95, "reached": 1.0},
        "table": str(table),
        "version": 1,
        "rows": 7,
        "incomplete": False,
        "out": str(out),
        "groups": [
            {"rows": 3, "keep": "a", "ids": ["a", "c", "e"]},
            {"rows": 2, "keep": "b", "ids": ["b", "f"]},
        ],
    }
    lines = pq.read_table(out).to_pylist()
    assert [line["id"] for line in lines if line["keep"]] == ["a", "b"]


def test_duplicates_in_words(told, table):
    """A person sees how much repeats, and the groups with their texts."""
    code, out, _ = told("duplicates", table, "--threshold", "1")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == (
        f"{table}: 2 groups of rows linked by a cosine of 1.0 or more; 3 of 7 rows repeat others"
    )
    assert lines[2] == "1. 3 rows"
    assert lines[3].split() == ["score", "id", "label", "text"]
    assert lines[4].split() == ["1.000", "a", "x", *TEXTS[0].split()]
    assert lines[8] == "2. 2 rows"
    assert len(lines) == 12


def test_large_groups_are_cut_and_many_are_counted(told, command, embedded):
    """Ten groups of five rows are shown, and twenty with a hundred ids each are in the answer."""
    words = "the red fox runs a blue dog sleeps refund broken parcel card late".split()
    texts = [" ".join(words[n % 13] for n in (row, row, row + 1)) for row in range(13)]
    table = embedded(text=[text for text in texts for _ in range(120 if text == texts[0] else 2)])
    code, data, _ = command("duplicates", table, "--threshold", "0.9999", "--json")
    assert (code, data["duplicates"]["largest"]) == (0, 120)
    assert (data["groups"][0]["rows"], len(data["groups"][0]["ids"])) == (120, 100)
    lines = told("duplicates", table, "--threshold", "0.9999")[1].splitlines()
    assert "and 115 more" in lines
    assert "The biggest 10, the row to keep first:" in lines
    assert sum(line.endswith(" rows") and line[0].isdigit() for line in lines) == 10


def test_nothing_repeats(told, command, embedded):
    """Without duplicates there is an answer, and no table."""
    table = embedded(text=["red fox", "blue dog"])
    code, out, _ = told("duplicates", table)
    assert (code, out.count("\n")) == (0, 1)
    assert "0 groups" in out
    assert command("duplicates", table, "--json")[1]["groups"] == []


def test_progress_and_results_are_kept_apart(told, table, tmp_path):
    """With --json, stdout holds one object."""
    code, out, _ = told("duplicates", table, "--json")
    assert (code, json.loads(out)["out"]) == (0, None)
    assert told("neighbors", table, "--out", tmp_path / "n.parquet", "-q")[:2] == (0, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("neighbors", "-k", "0", "--out", "n.parquet"), "-k expects"),
        (("neighbors", "--out", "n.csv"), ".parquet"),
        (("neighbors", "--recall", "2", "--out", "n.parquet"), "--recall expects"),
        (("neighbors", "--min-score", "2", "--out", "n.parquet"), "--min-score expects"),
        (("duplicates", "--threshold", "95"), "--threshold expects"),
        (("duplicates", "--out", "d.csv"), ".parquet"),
    ],
)
def test_impossible_options_are_usage_errors(command, table, tmp_path, monkeypatch, words, said):
    """What cannot be is refused before anything is written, with what to do."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    code, data, _ = command(words[0], table, *words[1:], "--json")
    assert (code, data["error"]["kind"]) == (2, "usage")
    assert said in data["error"]["message"]
    assert data["error"]["fix"]
    assert sorted(tmp_path.iterdir()) == before


def test_a_strangers_file_stays(command, table, tmp_path):
    """A file that no earlier run has written is not replaced."""
    (tmp_path / "mine.parquet").write_bytes(b"mine")
    for name in ("neighbors", "duplicates"):
        code, data, _ = command(name, table, "--out", tmp_path / "mine.parquet", "--json")
        assert (code, data["error"]["kind"]) == (1, "index")
    assert (tmp_path / "mine.parquet").read_bytes() == b"mine"
