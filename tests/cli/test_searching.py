"""index and search as a person at a terminal meets them."""

import json

import pandas as pd
import pytest

from featurize.storage import canonical_json, sha256_bytes

TEXTS = ["the red fox runs", "a blue dog sleeps", "refund the broken parcel", "card late"]


@pytest.fixture
def indexed(command, tiny_text, tmp_path):
    """Return a function that embeds and indexes columns and returns the index's folder."""

    def make(**columns):
        pd.DataFrame(columns).to_csv(tmp_path / "rows.csv", index=False)
        table, out = tmp_path / "table", tmp_path / "index"
        arguments = ("--out", table, "--encoder", tiny_text, "--json")
        assert command("embed", tmp_path / "rows.csv", *arguments)[0] == 0
        code, data, _ = command("index", table, "--out", out, "--json")
        assert (code, data["incomplete"]) == (0, False)
        return out

    return make


@pytest.fixture
def index(indexed):
    """Index four texts."""
    return indexed(id=list("abcd"), text=TEXTS, label=["animal", "animal", "service", "service"])


@pytest.mark.parametrize("query", ["", "  ", "\n\t"])
def test_a_blank_query_is_a_usage_error(command, index, query):
    """Nothing cannot be searched for."""
    code, data, _ = command("search", index, query, "--json")
    assert (code, data["error"]["kind"]) == (2, "usage")
    assert data["error"]["fix"]


def test_quiet_still_prints_the_hits(told, index):
    """The hits are what search is for: `-q` silences everything else."""
    code, out, err = told("search", index, "the fox", "-k", "2", "-q")
    assert (code, err) == (0, "")
    assert "the red fox runs" in out
    assert len(out.splitlines()) == 3


def test_data_cannot_steer_the_terminal(told, indexed):
    """Escape sequences and bidirectional overrides in ids, labels and texts are shown as such."""
    index = indexed(
        id=["a\x1b[2J", "b\u202etxt.exe"],
        text=["red fox \x1b]0;owned\x07", "blue dog \u2066x"],
        label=["\x9b31m", "x\u200f"],
    )
    code, out, _ = told("search", index, "red fox")
    assert code == 0
    assert not set(out) & set("\x1b\x07\x9b\u202e\u2066\u200f")
    for shown in (r"a\x1b[2J", r"b\u202etxt.exe", r"\x1b]0;owned\x07", r"\x9b31m", r"x\u200f"):
        assert shown in out


def test_another_encoder_is_refused_with_the_way_out(command, index, tiny_image):
    """Where --encoder causes the mismatch, the fix is to leave it out."""
    code, data, _ = command("search", index, "fox", "--encoder", tiny_image, "--json")
    assert (code, data["error"]["kind"]) == (1, "mismatch")
    assert "texts" in data["error"]["message"]
    assert "images" in data["error"]["message"]
    assert data["error"]["fix"].startswith("Leave out --encoder")


def test_an_unknown_kind_lists_the_known(command, index, tmp_path):
    """The fix names what there is."""
    arguments = ("--out", tmp_path / "other", "--kind", "lsh", "--json")
    code, data, _ = command("index", tmp_path / "table", *arguments)
    assert (code, data["error"]["fix"]) == (2, "Choose one of: auto, flat, ivf, hnsw.")


def test_an_index_with_a_strangers_bundle_name_fetches_nothing(
    command, index, monkeypatch, tmp_path
):
    """A model id in the index is no reason to download it."""
    card = json.loads((index / "index.json").read_bytes())
    card["origin"]["bundle"] = "stranger/model"
    del card["sha256"]
    card["sha256"] = sha256_bytes(canonical_json(card))
    (index / "index.json").write_text(json.dumps(card))
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "cache"))
    code, data, _ = command("search", index, "fox", "--json")
    assert (code, data["error"]["kind"]) == (1, "index")
    assert not (tmp_path / "cache").exists()


def test_an_image_that_does_not_decode_says_what_would(command, tiny_image, tmp_path):
    """The advice is about the image, not about the options."""
    from PIL import Image

    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 40), "red").save(tmp_path / "photos" / "a.png")
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    table, index = tmp_path / "table", tmp_path / "index"
    embed = ("embed", tmp_path / "photos", "--out", table, "--encoder", tiny_image, "--json")
    assert command(*embed)[0] == 0
    assert command("index", table, "--out", index, "--json")[0] == 0
    code, data, _ = command("search", index, "--image", tmp_path / "bad.jpg", "--json")
    assert (code, data["error"]["kind"]) == (2, "usage")
    assert "save this one anew" in data["error"]["fix"]
