"""Calibration, abstaining and scope as a person at a terminal meets them."""

import csv

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

WORDS = {"animal": ["fox", "dog"], "service": ["refund", "parcel"], "bank": ["card", "late"]}
COLOURS = ["red", "green", "blue", "fast", "slow"]


@pytest.fixture(scope="module")
def messages():
    """Return rows of three classes that can be told apart by a word, all of them different."""
    rng = np.random.default_rng(0)
    labels = [list(WORDS)[i % 3] for i in range(240)]
    texts = [
        " ".join([*rng.choice(COLOURS, 4), rng.choice(WORDS[label]), "the" * (i % 7), str(i)])
        for i, label in enumerate(labels)
    ]
    return pd.DataFrame({"id": [f"m{i}" for i in range(240)], "text": texts, "label": labels})


@pytest.fixture
def embed(command, tiny_text, tmp_path):
    """Return a function that embeds rows and returns the table's folder."""

    def make(name, rows):
        source = tmp_path / f"{name}.csv"
        rows.to_csv(source, index=False, quoting=csv.QUOTE_ALL)
        arguments = ("--out", tmp_path / name, "--encoder", tiny_text, "--json")
        code, data, err = command("embed", source, *arguments)
        assert code == 0, (data, err)
        return tmp_path / name

    return make


def test_training_says_how_honest_the_probabilities_are(command, told, embed, messages, tmp_path):
    """Terminal and JSON name the method and the error before and after; `none` names neither."""
    table = embed("table", messages)
    way = ("--out", tmp_path / "h", "--calibrate", "temperature")
    code, out, _ = told("train", table, *way)
    assert code == 0
    assert "Probabilities calibrated by temperature" in out
    assert "calibration error" in out
    _, data, _ = command("train", table, *way, "--json")
    assert data["calibration"]["method"] == "temperature"
    assert 0 <= data["metrics"]["expected_calibration_error"] <= 1
    _, data, _ = command("train", table, "--out", tmp_path / "h", "--calibrate", "none", "--json")
    assert data["calibration"] is data["abstention"] is data["scope"] is None
    code, data, _ = command("train", table, "--out", tmp_path / "h", "--calibrate", "x", "--json")
    assert (code, data["error"]["kind"]) == (2, "usage")
    assert "temperature" in data["error"]["fix"]


def test_few_rows_are_said_not_to_be_calibrated(told, embed, messages, tmp_path):
    """Where too few rows can be held out, the terminal says so."""
    _, out, _ = told("train", embed("few", messages[:20]), "--out", tmp_path / "h")
    assert "not calibrated: rows held out are too few" in out


def test_a_careful_head_leaves_rows_unanswered(command, told, embed, messages, tmp_path):
    """Training says threshold and coverage, evaluation their precision, prediction the nulls."""
    shuffled = messages.assign(label=messages["label"].where(messages.index % 5 > 0, "animal"))
    table, head = embed("table", shuffled), tmp_path / "h"
    code, out, _ = told("train", table, "--out", head, "--min-precision", "0.6")
    assert code == 0
    assert "Answers from a confidence of" in out
    assert "with 95% confidence" in out
    assert "of them right (60.0% asked for)" in told("evaluate", head, table)[1]
    answers = command("evaluate", head, table, "--json")[1]["answers"]
    _, data, _ = command("predict", head, table, "--out", tmp_path / "p.parquet", "--json")
    found = pq.read_table(tmp_path / "p.parquet")["prediction"]
    assert data["unanswered"] == found.null_count == 240 - answers["rows"]
    assert "left unanswered" in told("predict", head, table, "--out", tmp_path / "p.parquet")[1]


def test_a_precision_out_of_reach_stops_training(command, embed, messages, tmp_path):
    """No head is written; the message says what could be promised."""
    table = embed("table", messages[:30])
    arguments = ("--out", tmp_path / "h", "--min-precision", "0.99", "--json")
    code, data, _ = command("train", table, *arguments)
    assert (code, data["error"]["kind"]) == (1, "head")
    assert "--min-precision" in data["error"]["fix"]
    assert not (tmp_path / "h").exists()
    arguments = ("--out", tmp_path / "h", "--min-precision", "95", "--json")
    assert command("train", table, *arguments)[0] == 2


def test_scope_is_kept_on_request(command, told, embed, messages, tmp_path):
    """Predictions then have a column more, and unseen labels are scored by it."""
    known = messages["label"] != "bank"
    table, mixed = embed("known", messages[known]), embed("mixed", messages)
    head, out = tmp_path / "h", tmp_path / "p.parquet"
    assert "Keeps 160 rows" in told("train", table, "--out", head, "--scope")[1]
    assert command("inspect", head, "--json")[1]["keeps_rows"] is True
    assert command("predict", head, mixed, "--out", out, "--json")[0] == 0
    assert pq.read_schema(out).names[-1] == "scope"
    assert "By scope they are told from the others with AUROC" in told("evaluate", head, mixed)[1]
    assert command("evaluate", head, mixed, "--json")[1]["unseen"]["rows"] == 80
