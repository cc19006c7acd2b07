"""Tables of lower precision, from the command to a query."""

import json

import pytest

from featurize.table import EmbeddingTable

pytestmark = pytest.mark.export
TEXTS = ["my parcel is late", "the card was charged twice", "can the pan go in the oven"]


@pytest.fixture
def source(tmp_path):
    """Write three texts."""
    path = tmp_path / "in.csv"
    path.write_text("\n".join(["id,text", *(f"r{n},{text}" for n, text in enumerate(TEXTS))]))
    return path


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_a_table_stays_in_its_precision(command, minilm_bundle, source, tmp_path, precision):
    """Later runs go on in it unasked and refuse another; its index is asked as is right for it."""
    out = tmp_path / "table"
    embed = ("embed", source, "--out", out, "--device", "cpu", "--json")
    code, made, err = command(*embed, "--precision", precision)
    assert (code, made["precision"], made["embedded"]) == (0, precision, 3)
    assert "On known inputs its vectors have a cosine of" in err
    variant = EmbeddingTable.open(out).origin["variant"]
    assert 0.95 <= variant["cosine"] < 1
    assert variant["graph"] == minilm_bundle.graph_sha256

    source.write_text(source.read_text() + "\nr3,is there a refund")
    code, more, _ = command(*embed)
    assert (code, more["precision"], more["embedded"], more["unchanged"]) == (0, precision, 1, 3)
    code, refused, _ = command(*embed, "--precision", "fp32")
    assert (code, refused["error"]["kind"]) == (2, "usage")

    index = tmp_path / "index"
    assert command("index", out, "--out", index, "--json")[0] == 0
    code, found, _ = command("search", index, TEXTS[1], "-k", "1", "--device", "cpu", "--json")
    assert code == 0, json.dumps(found)
    assert found["hits"][0][0]["id"] == "r1"
    assert found["hits"][0][0]["score"] > 0.999


def test_a_precision_that_an_encoder_cannot_have_leaves_nothing(command, tmp_path, monkeypatch):
    """int8 of an encoder of convolutions is refused, no table begun and nothing exported for it."""
    from PIL import Image

    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "cache"))
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (40, 40), "red").save(photos / "a.png")
    out = tmp_path / "table"
    code, data, _ = command("embed", photos, "--out", out, "--precision", "int8", "--json")
    assert (code, data["error"]["kind"]) == (1, "runtime")
    assert "--precision fp32" in data["error"]["fix"]
    assert not out.exists()
    assert not (tmp_path / "cache").exists()
