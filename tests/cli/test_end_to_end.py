"""Folder to table to head, predictions, index and hits, through the command line."""

import csv
import subprocess
import sys

import pandas as pd
import pytest
from tiny_image_models import save_image_model

WORDS = {"animal": "fox dog", "service": "refund parcel"}
BLOCKER = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "sentence_transformers", "onnx"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Refuse())
import featurize.cli.main
featurize.cli.main.main()
"""


@pytest.fixture
def messages(tmp_path):
    """Write a CSV of two easily told classes."""
    colours = ["red", "green", "blue", "fast", "slow"]
    with (tmp_path / "messages.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label"])
        for label, words in WORDS.items():
            for number in range(30):
                extra = " ".join(colours[: number % 5])
                noun = words.split()[number % 2]
                writer.writerow([f"{label}{number}", f"the {noun} {extra} {number}", label])
    return tmp_path / "messages.csv"


def test_the_whole_way_changes_no_file_of_the_bundle(
    command, messages, tiny_text, tmp_path, hashes
):
    """Every command works on the last one's result; the encoder's files stay as they were."""
    before = hashes(tiny_text)
    table, head, index = tmp_path / "table", tmp_path / "head", tmp_path / "index"
    predictions = tmp_path / "predictions.parquet"
    encoder = ("--encoder", tiny_text)
    steps = [
        ("embed", messages, "--out", table, *encoder),
        ("train", table, "--out", head),
        ("evaluate", head, table),
        ("predict", head, table, "--out", predictions),
        ("index", table, "--out", index),
        ("search", index, "the fox", "-k", "3", *encoder),
        ("search", index, "--id", "animal0", "-k", "3"),
        *(("inspect", made) for made in (table, head, index, tiny_text)),
        *(("verify", made) for made in (table, head, index, tiny_text)),
    ]
    answers = {}
    for step in steps:
        code, data, err = command(*step, "--json")
        assert code == 0, f"{step}\n{data}\n{err}"
        answers[step[0]] = data
    assert hashes(tiny_text) == before
    assert answers["train"]["metrics"]["accuracy"] > 0.9
    assert answers["evaluate"]["classes"] == ["animal", "service"]
    assert answers["evaluate"]["rows"] == 60
    frame = pd.read_parquet(predictions)
    assert list(frame.columns) == ["id", "prediction", "confidence", "probabilities"]
    assert (frame["id"].str.startswith("animal") == (frame["prediction"] == "animal")).mean() > 0.9
    (hits,) = answers["search"]["hits"]
    assert len(hits) == 3
    assert set(hits[0]) == {"id", "score", "columns"}
    assert answers["search"]["stale"] == {"missing": 0, "removed": 0}


def test_search_finds_the_recorded_bundle_by_itself(command, messages, tiny_text, tmp_path):
    """Without --encoder, the encoder the table was made with answers."""
    command("embed", messages, "--out", tmp_path / "t", "--encoder", tiny_text, "--json")
    command("index", tmp_path / "t", "--out", tmp_path / "i", "--json")
    code, data, _ = command("search", tmp_path / "i", "the parcel", "-k", "1", "--json")
    assert code == 0
    assert data["hits"][0][0]["id"].startswith("service")


@pytest.mark.parametrize(
    "query", [(), ("a text", "--id", "x"), ("--id", "x", "--image", "y"), ("a", "-k", "0")]
)
def test_search_wants_exactly_one_query(command, messages, tiny_text, tmp_path, query):
    """No query, two queries or no hits asked for exit 2."""
    command("embed", messages, "--out", tmp_path / "t", "--encoder", tiny_text, "--json")
    command("index", tmp_path / "t", "--out", tmp_path / "i", "--json")
    assert command("search", tmp_path / "i", *query, "--json")[0] == 2


def test_labels_may_come_later_from_a_file(command, messages, tiny_text, tmp_path):
    """`--labels` brings labels by id and counts what does not match, both ways."""
    command("embed", messages, "--out", tmp_path / "t", "--encoder", tiny_text, "--json")
    ids = [f"{label}{number}" for label in WORDS for number in range(20)]
    rows = [["id", "mood"], *([key, key[0]] for key in ids), ["nobody", "x"]]
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    options = ("--labels", tmp_path / "labels.csv", "--label", "mood")
    code, data, _ = command("train", tmp_path / "t", "--out", tmp_path / "h", *options, "--json")
    assert (code, data["classes"], data["rows"]) == (0, ["a", "s"], 40)
    assert data["unmatched"] == {"labels_without_row": 1, "rows_without_label": 20}


def test_a_head_of_another_encoder_is_refused_naming_the_field(
    command, messages, tiny_text, tiny_image, tmp_path
):
    """Vectors of two spaces never meet in predict."""
    from PIL import Image

    command("embed", messages, "--out", tmp_path / "t", "--encoder", tiny_text, "--json")
    command("train", tmp_path / "t", "--out", tmp_path / "h", "--json")
    (tmp_path / "images").mkdir()
    Image.new("RGB", (50, 50), (9, 99, 199)).save(tmp_path / "images" / "a.png")
    arguments = ("--out", tmp_path / "u", "--encoder", tiny_image, "--json")
    assert command("embed", tmp_path / "images", *arguments)[0] == 0
    code, data, _ = command(
        "predict", tmp_path / "h", tmp_path / "u", "--out", tmp_path / "p.parquet", "--json"
    )
    assert (code, data["error"]["kind"]) == (1, "mismatch")
    assert "`modality`" in data["error"]["message"]


def test_the_image_way_changes_no_file_of_the_bundle(command, tiny_image, tmp_path, hashes):
    """Images go the same way, and their encoder stays as it was too."""
    from PIL import Image

    for label, colour in (("red", (200, 30, 30)), ("blue", (30, 30, 200))):
        (tmp_path / "in" / label).mkdir(parents=True)
        for number in range(12):
            shade = tuple(value + 4 * number for value in colour)
            Image.new("RGB", (40, 40), shade).save(tmp_path / "in" / label / f"{number}.png")
    before = hashes(tiny_image)
    encoder = ("--encoder", tiny_image)
    table, index = tmp_path / "t", tmp_path / "i"
    for step in (
        ("embed", tmp_path / "in", "--out", table, *encoder),
        ("train", table, "--out", tmp_path / "h"),
        ("evaluate", tmp_path / "h", table),
        ("index", table, "--out", index),
        ("search", index, "--image", tmp_path / "in" / "red" / "3.png", *encoder),
        ("doctor",),
    ):
        code, data, err = command(*step, "--json")
        assert code == 0, f"{step}\n{data}\n{err}"
    assert hashes(tiny_image) == before


def test_an_image_model_of_transformers_is_an_encoder(command, tmp_path):
    """A folder as it comes from the Hub embeds images, and its bundle stays in the cache."""
    from PIL import Image

    (tmp_path / "in").mkdir()
    for number, colour in enumerate(("red", "green", "navy")):
        Image.new("RGB", (40, 30 + number), colour).save(tmp_path / "in" / f"{colour}.png")
    (tmp_path / "in" / "broken.png").write_bytes(b"no image")
    model = save_image_model(tmp_path / "tiny-resnet", "resnet")
    arguments = ("embed", tmp_path / "in", "--encoder", model, "--json")
    code, data, err = command(*arguments, "--out", tmp_path / "t")
    assert (code, data["rows"], data["rejected"]) == (3, 3, 1), err
    assert "Exporting tiny-resnet to ONNX once" in err
    code, again, err = command(*arguments, "--out", tmp_path / "u")
    assert (code, again["fingerprint"]) == (3, data["fingerprint"])
    assert "Exporting" not in err
    table = pd.read_parquet(tmp_path / "t")
    assert list(table["width"]) == [40, 40, 40]
    assert {len(vector) for vector in table["embedding"]} == {32}


@pytest.mark.export
def test_a_cached_encoder_needs_neither_torch_nor_transformers(
    minilm_bundle, image_bundle, tmp_path
):
    """With torch made unimportable, the built-in encoders embed and search from the cache."""
    from PIL import Image

    texts, images = tmp_path / "texts", tmp_path / "images"
    texts.mkdir()
    images.mkdir()
    (texts / "a.txt").write_text("where is my refund?")
    Image.new("RGB", (300, 300), (9, 99, 199)).save(images / "a.png")

    def run(*arguments):
        words = [sys.executable, "-c", BLOCKER, *map(str, arguments)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    run("embed", texts, "--out", tmp_path / "t")
    run("index", tmp_path / "t", "--out", tmp_path / "i")
    run("search", tmp_path / "i", "money back")
    run("embed", images, "--out", tmp_path / "u")
    assert minilm_bundle.path.is_dir()
    assert image_bundle.path.is_dir()


@pytest.mark.export
def test_banking77_reaches_its_floor(minilm_bundle, shared_data, command, tmp_path):
    """Ten thousand queries in 77 classes: accuracy of at least 0.925 on the test file."""
    columns = ("--text-column", "text", "--label-column", "category")
    for part in ("train", "test"):
        source = shared_data / "banking77" / f"{part}.csv"
        code, data, _ = command("embed", source, "--out", tmp_path / part, *columns, "--json")
        assert (code, data["rejected"]) == (0, 0)
    assert command("train", tmp_path / "train", "--out", tmp_path / "head", "--json")[0] == 0
    _, data, _ = command("evaluate", tmp_path / "head", tmp_path / "test", "--json")
    assert data["rows"] == 3080
    assert data["metrics"]["accuracy"] >= 0.925
