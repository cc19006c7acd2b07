"""Long texts through the command: a row for each window, or the mean of them."""

import csv
import random

import numpy as np
import pandas as pd
import pytest

from featurize.bundle import Bundle
from featurize.encoder import Encoder

SUBJECTS = {"animals": "fox dog runs sleeps fast slow", "post": "refund parcel broken card late"}


def speech(subject, words, seed):
    """Return a text of so many words about a subject."""
    return " ".join(random.Random(seed).choices(SUBJECTS[subject].split(), k=words))


@pytest.fixture
def source(tmp_path):
    """Write speeches of 5 to 104 words on two subjects, and a blank one."""
    path = tmp_path / "speeches.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label", "speaker"])
        for number in range(20):
            subject = ("animals", "post")[number % 2]
            text = speech(subject, 5 + 11 * (number // 2), number)
            writer.writerow([f"s{number:02}", text, subject, f"p{number % 3}"])
        writer.writerow(["s99", " ", "post", "p0"])
    return path


@pytest.fixture
def embed(command, source, tiny_text, tmp_path):
    """Return a function that embeds the speeches: (exit code, JSON, rows)."""

    def run(*options):
        out = tmp_path / "table"
        arguments = ("embed", source, "--out", out, "--encoder", tiny_text, "--json", *options)
        code, data, _ = command(*arguments)
        return code, data, pd.read_parquet(out / "data") if out.exists() else None

    return run


def test_speeches_become_windows(command, embed, source, tiny_text, tmp_path):
    """Rows are windows, counts of inputs are of speeches; verify and inspect agree."""
    code, data, rows = embed("--overflow", "chunk", "--overlap", "4")
    assert (code, data["inputs"], data["rejected"]) == (3, 21, 1)
    assert data["rows"] == len(rows) > 60
    texts = pd.read_csv(source, index_col="id")["text"]
    for row in rows.itertuples():
        assert row.id.rpartition("::")[0] == row.parent_id
        assert texts[row.parent_id][row.char_start : row.char_end] == row.text
    assert rows["parent_id"].nunique() == 20
    assert str(rows["char_start"].dtype) == str(rows["char_end"].dtype) == "int32"
    assert not rows["truncated"].any()
    expected = Encoder.open(Bundle.open(tiny_text), device="cpu").encode(rows["text"])
    assert np.array_equal(np.stack(rows["embedding"]), expected)
    assert command("verify", tmp_path / "table", "--json")[1]["sound"]
    inspected = command("inspect", tmp_path / "table", "--json")[1]
    assert (inspected["inputs"], inspected["rows"]) == (21, len(rows))
    assert (inspected["origin"]["overflow"], inspected["origin"]["overlap"]) == ("chunk", 4)


def test_a_plan_foresees_inputs_and_space(command, embed, source, tiny_text, tmp_path):
    """It counts inputs, before the first run and after."""
    options = ("embed", source, "--out", tmp_path / "table", "--encoder", tiny_text, "--json")
    _, planned, _ = command(*options, "--overflow", "chunk", "--plan")
    assert (planned["inputs"], planned["new"], planned["rejected"]) == (21, 20, 1)
    assert planned["estimate"]["disk_bytes"] > 0
    embed("--overflow", "chunk")
    _, planned, _ = command(*options, "--plan")
    assert (planned["new"], planned["unchanged"], planned["refusal"]) == (0, 20, None)


def test_without_texts_the_places_stay(embed):
    """--no-text leaves out what was said, not where."""
    _, _, rows = embed("--overflow", "chunk", "--no-text")
    assert "text" not in rows
    assert {"parent_id", "parent_sha256", "char_start", "char_end"} <= set(rows)


def test_pooled_speeches_are_rows(embed):
    """--pool mean gives a row for each, none truncated."""
    code, data, rows = embed("--overflow", "chunk", "--pool", "mean")
    assert (code, data["inputs"], data["rows"], data["truncated"]) == (3, 21, 20, 0)
    assert list(rows["id"]) == [f"s{number:02}" for number in range(20)]
    assert "parent_id" not in rows
    assert rows["n_tokens"].max() > 104
    assert np.allclose(np.linalg.norm(np.stack(rows["embedding"]), axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--pool", "mean"), "--overflow chunk"),
        (("--overlap", "3", "--overflow", "truncate"), "--overflow chunk"),
        (("--overlap", "14", "--overflow", "chunk"), "fewer tokens"),
        (("--overlap", "-1", "--overflow", "chunk"), "from 0 up"),
        (("--pool", "max", "--overflow", "chunk"), "mean"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(embed, options, said):
    """Nothing is written, and the message says what is expected."""
    code, data, rows = embed(*options)
    assert (code, rows) == (2, None)
    assert said in data["error"]["message"] + data["error"]["fix"]


def test_images_have_no_windows(command, tmp_path):
    """--overflow chunk is for texts."""
    from PIL import Image

    (tmp_path / "in").mkdir()
    Image.new("RGB", (40, 40), "red").save(tmp_path / "in" / "a.png")
    options = ("--out", tmp_path / "t", "--overflow", "chunk", "--json")
    code, data, _ = command("embed", tmp_path / "in", *options)
    assert (code, data["error"]["kind"]) == (2, "usage")


def test_heads_keep_speeches_whole(command, embed, source, tmp_path):
    """Training measures on other speeches; labels of a file name speeches, too."""
    _, _, rows = embed("--overflow", "chunk")
    table, head = tmp_path / "table", tmp_path / "head"
    code, trained, _ = command("train", table, "--out", head, "--json")
    assert (code, trained["rows"]) == (0, len(rows))
    again = ("train", table, "--out", tmp_path / "head2", "--label", "speaker", "--json")
    code, data, _ = command(*again, "--labels", source)
    assert (code, data["rows"]) == (0, len(rows))
    assert data["unmatched"]["rows_without_label"] == 0


def test_hits_say_where_they_stand(command, embed, tiny_text, tmp_path):
    """A hit has the speech it is of and its place there; the nearest is the window itself."""
    _, _, rows = embed("--overflow", "chunk")
    index = tmp_path / "index"
    assert command("index", tmp_path / "table", "--out", index, "--json")[0] == 0
    wanted = rows.iloc[-1]
    code, found, _ = command(
        "search", index, wanted["text"], "--encoder", tiny_text, "-k", "1", "--json"
    )
    (hit,) = found["hits"][0]
    assert (code, hit["id"]) == (0, wanted["id"])
    places = {name: hit["columns"][name] for name in ("parent_id", "char_start", "char_end")}
    assert places == wanted[list(places)].to_dict()


def test_forgetting_a_speech_takes_its_windows(command, embed, tmp_path):
    """`forget --id` names the speech; kept out, it does not come back."""
    _, _, rows = embed("--overflow", "chunk")
    table, count = tmp_path / "table", int((rows["parent_id"] == "s19").sum())
    assert count > 5
    code, done, _ = command("forget", table, "--id", "s19", "--keep-out", "--json")
    assert (code, done["rows"]) == (0, count)
    _, data, left = embed()
    assert (data["kept_out"], data["inputs"], len(left)) == (1, 20, len(rows) - count)
