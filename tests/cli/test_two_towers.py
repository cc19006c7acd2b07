"""Texts and images of one folder, through one encoder, in one table and one index."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tiny_image_models import save_two_towers

from downstream import ImageEmbedder, TextEmbedder, VectorIndex
from featurize import load_encoder, open_table
from featurize.export import export

TEXTS = {"notes/fox.txt": "a quick brown fox", "notes/dog.md": "the dog " * 30, "notes/x.txt": "x"}
IMAGES = ("photos/red.png", "photos/blue.jpg", "photos/noise.png")
OWN = {"text": ("n_tokens", "text", "truncated"), "image": ("height", "width")}


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    """Export a tiny SigLIP."""
    root = tmp_path_factory.mktemp("twin")
    return export(save_two_towers(root / "model", "siglip"), root / "twin").path


@pytest.fixture
def folder(tmp_path):
    """Write a folder of three texts and three images, and a file of another kind."""
    root = tmp_path / "in"
    for name, text in TEXTS.items():
        write(root / name, text)
    for number, name in enumerate(IMAGES):
        draw(root / name, number)
    write(root / "notes" / "data.bin", "other")
    return root


def write(path, text):
    """Write a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def draw(path, seed):
    """Write an image of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (30 + seed, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def embed(command, tmp_path, folder, twin):
    """Return a function that embeds the folder: (exit code, JSON)."""

    def run(*options, out=tmp_path / "table", encoder=twin):
        arguments = (folder, "--out", out, "--encoder", encoder, *options, "--json")
        code, data, _ = command("embed", *arguments)
        return code, data

    return run


def rows(table):
    """Return the rows of a table by id."""
    return {row["id"]: row for row in pq.read_table(table / "data").to_pylist()}


def test_texts_and_images_share_a_table(embed, tmp_path, twin, folder):
    """No option is needed; every row says what it is, and has the columns of that alone."""
    code, data = embed()
    assert (code, data["rows"], data["ignored"], data["truncated"]) == (0, 6, 1, 1)
    found = rows(tmp_path / "table")
    assert sorted(found) == sorted([*TEXTS, *IMAGES])
    encoder = load_encoder(str(twin), device="cpu")
    for name, row in found.items():
        modality = "text" if name in TEXTS else "image"
        assert (row["modality"], row["label"]) == (modality, name.partition("/")[0])
        for kind, columns in OWN.items():
            assert all((row[column] is not None) == (kind == modality) for column in columns)
        content = TEXTS.get(name) or folder / name
        np.testing.assert_array_equal(row["embedding"], encoder.encode([content])[0])
    assert found["notes/fox.txt"]["text"] == TEXTS["notes/fox.txt"]
    assert found["notes/dog.md"]["truncated"]


def test_a_table_follows_its_folder(embed, tmp_path, folder):
    """What is new, edited or gone is found for both kinds; a run without changes commits none."""
    embed()
    code, data = embed()
    assert (code, data["commits"], data["unchanged"], data["encoded"]) == (0, 0, 6, 0)
    write(folder / "notes" / "fox.txt", "a slow fox")
    draw(folder / "photos" / "red.png", 7)
    (folder / "notes" / "x.txt").unlink()
    draw(folder / "photos" / "new.png", 8)
    code, data = embed()
    assert (code, data["rows"], data["deleted"], data["encoded"]) == (0, 6, 1, 3)
    (folder / "photos" / "noise.png").unlink()
    assert embed()[1]["deleted"] == 1
    changed = rows(tmp_path / "table")
    embed(out=tmp_path / "fresh")
    assert changed == rows(tmp_path / "fresh")


def test_texts_find_images_and_images_texts(embed, command, told, tmp_path, twin, folder):
    """A query of either kind ranks all rows by cosine and says what each is."""
    embed()
    table, index = tmp_path / "table", tmp_path / "index"
    assert command("index", table, "--out", index, "--json")[0] == 0
    stored = open_table(table)
    encoder = load_encoder(str(twin), device="cpu")
    asked = {"a brown fox": ("a brown fox",), folder / IMAGES[0]: ("--image", folder / IMAGES[0])}
    for query, arguments in asked.items():
        code, data, _ = command("search", index, *arguments, "-k", 6, "--json")
        cosines = stored.to_numpy() @ encoder.encode([query])[0]
        (hits,) = data["hits"]
        assert code == 0
        assert [hit["id"] for hit in hits] == [stored.ids[row] for row in np.argsort(-cosines)]
        assert {hit["columns"]["modality"] for hit in hits} == {"text", "image"}
    assert hits[0]["id"] == IMAGES[0]
    _, out, _ = told("search", index, "a brown fox", "-k", 6)
    assert "modality" in out
    assert "photos/blue.jpg" in out


def test_an_index_of_images_alone_is_asked_with_a_text(embed, command, tmp_path):
    """What its rows are does not matter: the encoder takes both."""
    embed("--modality", "image")
    assert set(rows(tmp_path / "table")) == set(IMAGES)
    VectorIndex.build(tmp_path / "table").save(tmp_path / "index")
    code, data, _ = command("search", tmp_path / "index", "a fox", "--json")
    assert (code, len(data["hits"][0])) == (0, 3)


def test_options_for_texts_hold_for_the_texts(embed, tmp_path, folder):
    """Windows, a prompt and left-out texts are for texts; images are as they would be."""
    embed(out=tmp_path / "plain")
    options = ("--overflow", "chunk", "--no-text", "--prompt", "the ")
    code, data = embed(*options)
    assert (code, data["inputs"]) == (0, 6)
    plain = rows(tmp_path / "plain")
    found = rows(tmp_path / "table").values()
    assert len(found) > 6
    assert "text" not in next(iter(found))
    for row in found:
        if row["modality"] == "image":
            assert row["embedding"] == plain[row["parent_id"]]["embedding"]
            assert row["char_start"] is None
        else:
            assert row["embedding"] != plain[row["parent_id"]]["embedding"]
    shutil.rmtree(folder / "notes")
    assert embed("--allow-delete")[1]["rows"] == 3


def test_one_kind_of_encoder_needs_a_modality(embed, tmp_path, tiny_text, folder):
    """The refusal comes before anything is written, and says what to add."""
    for encoder in (tiny_text, "minilm", "efficientnet-lite0"):
        code, data = embed(encoder=encoder)
        assert code == 2
        assert data["error"]["message"] == f"{folder} holds texts and images."
        assert data["error"]["fix"] == "Say what to embed: --modality text or --modality image."
    assert not (tmp_path / "table").exists()


def test_a_plan_counts_both(embed, told, folder, twin, tmp_path):
    """What would be done is said for all inputs, with what it takes."""
    code, data = embed("--plan")
    assert (code, data["modality"], data["inputs"], data["new"]) == (0, "text+image", 6, 6)
    assert data["estimate"]["disk_bytes"] > 0
    _, out, _ = told("embed", folder, "--out", tmp_path / "t", "--encoder", twin, "--plan")
    assert "holds 6 inputs" in out


def test_inspect_and_verify_know_it(embed, command, told, tmp_path, twin):
    """Tables and bundles of two kinds are described and checked like any other."""
    embed()
    for path in (tmp_path / "table", twin):
        assert command("verify", path, "--json")[0] == 0
        _, data, _ = command("inspect", path, "--json")
        assert data["encoder"]["modality"] == "text+image"
        assert told("inspect", path)[0] == 0


def test_one_run_is_like_many(embed, tmp_path, folder):
    """Rows made kind by kind equal those made at once."""
    embed(out=tmp_path / "whole")
    embed("--modality", "text")
    embed()
    assert rows(tmp_path / "table") == rows(tmp_path / "whole")


def test_a_compressed_archive_of_both_kinds(embed, command, tmp_path, folder, twin):
    """Its members become the rows that the folder's files become."""
    embed()
    for format in ("tar", "gztar", "zip"):
        archive = shutil.make_archive(str(tmp_path / f"in-{format}"), format, folder)
        out = tmp_path / format
        code, _, _ = command("embed", archive, "--out", out, "--encoder", twin, "--json")
        assert code == 0
        vectors = {row["id"].partition("/")[2]: row["embedding"] for row in rows(out).values()}
        expected = {name: row["embedding"] for name, row in rows(tmp_path / "table").items()}
        assert vectors == expected


def test_embedders_take_their_own_kind(twin, folder):
    """One encoder serves both embedders of scikit-learn; each refuses what is not its kind."""
    encoder = load_encoder(str(twin), device="cpu")
    paths = [folder / name for name in IMAGES]
    images = ImageEmbedder(str(twin), device="cpu")
    np.testing.assert_array_equal(images.transform([str(p) for p in paths]), encoder.encode(paths))
    texts = TextEmbedder(str(twin), device="cpu")
    np.testing.assert_array_equal(texts.transform(["fox"]), encoder.encode(["fox"]))
    with pytest.raises(ValueError, match="Row 1 cannot be encoded: Expected a text"):
        texts.transform(["fox", paths[0]])


def test_models_lists_it(command, told, tmp_path, twin, monkeypatch):
    """A cached encoder of two towers stands among the others, with what it takes."""
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "cache"))
    shutil.copytree(twin, tmp_path / "cache" / "bundles" / "twin")
    _, data, _ = command("models", "--measure", "--json")
    (entry,) = [entry for entry in data["models"] if not entry["built_in"]]
    assert (entry["modality"], entry["state"], len(entry["rates"])) == ("text+image", "ready", 1)
    _, out, _ = told("models")
    assert "texts and images, 32 dimensions" in out
    assert " texts/s of 24 tokens" in out
