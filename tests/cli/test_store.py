"""`embed --store`: from the command to a query."""

import json

import numpy as np
import pytest

from featurize.table import EmbeddingTable
from featurize.table.sealed import sealed, unsealed

TEXTS = ["the fox runs", "a dog sleeps", "refund the parcel", "the fox runs", "broken card"]


@pytest.fixture
def source(tmp_path):
    """Write five texts of two classes, two of them equal."""
    path = tmp_path / "in.csv"
    rows = [f"r{n},{text},{n % 2}" for n, text in enumerate(TEXTS)]
    path.write_text("\n".join(["id,text,label", *rows]) + "\n")
    return path


@pytest.fixture
def embed(command, source, tiny_text, tmp_path):
    """Return a function that embeds the source: (exit code, JSON)."""

    def run(*options, out="table"):
        code, data, _ = command(
            "embed", source, "--out", tmp_path / out, "--encoder", tiny_text, *options, "--json"
        )
        return code, data

    return run


@pytest.mark.parametrize("store", ["float32", "float16", "int8", "binary"])
def test_a_table_keeps_its_way_of_storing(store, embed, command, source, tmp_path):
    """Later runs go on in it unasked; it is inspected, verified, indexed and searched."""
    out = tmp_path / "table"
    assert embed("--store", store)[0] == 0
    changed = source.read_text().replace("r0,the fox runs,0", "r0,slow,1").replace("r2,", "r2b,")
    source.write_text(changed.replace("runs,1", "runs,2") + "r5,broken card,1\nr6,late,0\n")
    code, more = embed("--allow-delete")
    assert (code, more["embedded"], more["updated"], more["encoded"]) == (0, 4, 1, 2)
    embed("--store", store, out="anew")
    table, anew = EmbeddingTable.open(out), EmbeddingTable.open(tmp_path / "anew")
    assert table.select().sort_by("id").equals(anew.select())
    assert command("inspect", out, "--json")[1]["store"] == store
    assert command("verify", out, "--json")[1]["sound"]
    assert command("index", out, "--out", tmp_path / "index", "--json")[0] == 0
    code, found, _ = command("search", tmp_path / "index", "--id", "r4", "-k", "1", "--json")
    assert found["hits"][0][0]["id"] == "r5"
    assert found["hits"][0][0]["score"] == pytest.approx(1)


def test_a_table_is_stored_one_way(embed):
    """Another way is refused with what to do, in a plan too."""
    embed("--store", "int8")
    code, refused = embed("--store", "binary")
    assert (code, refused["error"]["kind"]) == (2, "usage")
    assert "made with --store int8; this run is with --store binary" in refused["error"]["message"]
    assert embed("--store", "binary", "--plan")[1]["refusal"]["kind"] == "usage"
    assert embed("--store", "int8")[1]["commits"] == 0


def test_a_table_older_than_the_option_holds_float32(embed, tmp_path):
    """Its log does not say so, and another way is refused all the same."""
    embed()
    (entry,) = (tmp_path / "table" / "_log").glob("*.json")
    content = unsealed(entry, entry.read_bytes())
    del content["origin"]["store"]
    entry.write_bytes(sealed(content))
    code, refused = embed("--store", "float16")
    assert (code, refused["error"]["kind"]) == (2, "usage")
    assert embed()[1]["unchanged"] == len(TEXTS)


def test_what_cannot_be_stored_leaves_nothing(command, tiny_image, tmp_path):
    """An encoder of 49 dimensions has no whole bytes of signs: exit 2, and no table begun."""
    from PIL import Image

    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (40, 40), "red").save(photos / "a.png")
    out = tmp_path / "table"
    options = ("--encoder", tiny_image, "--out", out, "--store", "binary", "--json")
    for more in ((), ("--plan",)):
        code, data, _ = command("embed", photos, *options, *more)
        assert (code, data["error"]["kind"]) == (2, "usage"), json.dumps(data)
        assert "--store int8" in data["error"]["fix"]
    assert not out.exists()


def test_signs_are_read_packed(embed, tmp_path):
    """to_packed() gives a byte for eight dimensions, to_numpy() unit vectors of their signs."""
    embed("--store", "binary")
    table = EmbeddingTable.open(tmp_path / "table")
    assert table.to_packed().shape == (len(TEXTS), 1)
    np.testing.assert_allclose(np.abs(table.to_numpy()), 8**-0.5)
