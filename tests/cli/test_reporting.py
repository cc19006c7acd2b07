"""The transfer report as a person at a terminal meets it."""

import csv
import json

import numpy as np
import pandas as pd
import pytest

COLOURS = ["red", "green", "blue", "fast", "slow"]
NOUNS = {"animal": ["fox", "dog"], "service": ["refund", "parcel"]}


@pytest.fixture
def table(command, tiny_text, tmp_path):
    """Embed 60 rows of two classes, most of which tell what they are."""
    rng = np.random.default_rng(0)
    labels = ["animal", "service"] * 30
    texts = [
        f"{COLOURS[i % 5]} {NOUNS[label][i % 4 // 2]} {'the ' * i}"
        for i, label in enumerate(labels)
    ]
    labels[0], labels[1] = labels[1], labels[0]
    source = tmp_path / "rows.csv"
    columns = {"text": texts, "label": labels, "customer": rng.integers(20, size=60)}
    pd.DataFrame(columns).to_csv(source, quoting=csv.QUOTE_ALL, index=False)
    code, *_ = command("embed", source, "--out", tmp_path / "t", "--encoder", tiny_text, "--json")
    assert code == 0
    return tmp_path / "t"


def test_report_says_the_verdict_and_writes_the_page(told, table, tmp_path):
    """The terminal gets the verdict first, then what to do; the file gets the page."""
    code, out, err = told("report", table, "--out", tmp_path / "r.html")
    assert code == 0, err
    first, *_, last = out.splitlines()
    assert first.partition(":")[0] in {"positive", "neutral", "negative"}
    assert "Balanced accuracy is" in first
    assert "What to do next:" in out
    assert last == f"{tmp_path / 'r.html'}: the whole report"
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")


def test_json_holds_every_section(command, table, tmp_path):
    """With --json all facts come as one object, and the same run gives the same facts and page."""
    arguments = ("report", table, "--out", tmp_path / "r.html", "--group", "customer", "--json")
    code, facts, _ = command(*arguments)
    page = (tmp_path / "r.html").read_bytes()
    assert code == 0
    assert facts["verdict"] == facts["transfer"]["verdict"]
    sections = "scores baselines curve confusion transferability noise duplicates"
    assert set(sections.split()) | {"balance", "advice", "transfer"} <= set(facts)
    assert (facts["rows"], facts["classes"]) == (60, ["animal", "service"])
    assert facts["groups"] < 21
    assert facts["baselines"]["pixels"]["skipped"]
    assert command(*arguments)[1] == facts
    assert (tmp_path / "r.html").read_bytes() == page


def test_bad_place_is_refused_before_anything_is_measured(command, table, tmp_path):
    """A file in the way is found out at once, and stays."""
    (tmp_path / "mine.html").write_text("mine")
    code, data, _ = command("report", table, "--out", tmp_path / "mine.html", "--json")
    assert (code, data["error"]["kind"]) == (1, "head")
    assert (tmp_path / "mine.html").read_text() == "mine"
    code, data, _ = command("report", table, "--out", table / "r.html", "--json")
    assert (code, data["error"]["kind"]) == (2, "usage")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--label", "nowhere"), "has no label column 'nowhere'"),
        (("--group", "nowhere"), "has no column 'nowhere'"),
        (("--labels", "nowhere.csv"), "there is no such file"),
    ],
)
def test_missing_columns_are_named(command, table, tmp_path, option, message):
    """A column or file that is not there is a usage error that names it."""
    code, data, _ = command("report", table, "--out", tmp_path / "r.html", *option, "--json")
    assert code == 2, json.dumps(data)
    assert message in data["error"]["message"]
    assert not (tmp_path / "r.html").exists()


def test_source_that_is_not_there_is_an_error(command, table, tmp_path):
    """A source that does not exist is refused before anything is measured."""
    arguments = ("--out", tmp_path / "r.html", "--source", tmp_path / "nowhere", "--json")
    code, data, _ = command("report", table, *arguments)
    assert code == 2
    assert "does not exist" in data["error"]["message"]
