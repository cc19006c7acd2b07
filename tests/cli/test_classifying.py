"""`classify`: labels by their names alone, for texts and for images."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tiny_image_models import save_two_towers

from featurize import load_encoder, open_table
from featurize.export import export

TEXTS = {"a": ("the red fox", "fox"), "b": ("a fox runs", "fox"), "c": ("late parcel", "parcel")}
LABELS = ("--labels", "parcel, fox")


@pytest.fixture
def source(tmp_path):
    """Write three texts with labels, and a fourth that is rejected."""
    rows = [f"{key},{text},{label}" for key, (text, label) in TEXTS.items()]
    path = tmp_path / "in.csv"
    path.write_text("\n".join(["id,text,label", *rows, "d,,fox"]))
    return path


def test_rows_are_classified_by_names(command, table, tmp_path):
    """The file is that of `predict`; the JSON says how it came about."""
    out = tmp_path / "p.parquet"
    code, data, _ = command("classify", table, *LABELS, "--out", out, "--json")
    assert (code, data["rows"], data["classes"]) == (0, 3, ["fox", "parcel"])
    assert (data["templates"], data["temperature"]) == (["{}"], 0.05)
    assert data["fingerprint"] == open_table(table).fingerprint
    assert "metrics" not in data
    rows = pq.read_table(out)
    assert rows.column_names == ["id", "prediction", "confidence", "probabilities"]
    found = dict(zip(rows["id"].to_pylist(), rows["prediction"].to_pylist(), strict=True))
    assert found == {key: label for key, (_, label) in TEXTS.items()}
    assert json.loads(rows.schema.metadata[b"featurize"])["classes"] == ["fox", "parcel"]


def test_labels_are_counted_without_a_file(command, told, table, tmp_path):
    """With no --out nothing is written; the answer is how many rows each label got, 0 included."""
    classify = ("classify", table, "--labels", "parcel,fox,refund card")
    before = sorted(tmp_path.rglob("*"))
    code, data, _ = command(*classify, "--json")
    counts = {"fox": 2, "parcel": 1, "refund card": 0}
    assert (code, data["predictions"], data["rows"], data["counts"]) == (0, None, 3, counts)
    code, out, _ = told(*classify, "--label", "label", "--quiet")
    lines = [line.split(maxsplit=1) for line in out.splitlines()[1:4]]
    assert lines == [["2", "fox"], ["1", "parcel"], ["0", "refund card"]]
    assert "On 3 labelled rows: accuracy 1.000" in out
    assert sorted(tmp_path.rglob("*")) == before
    code, data, _ = command(*classify, "--out", tmp_path / "p.parquet", "--json")
    assert (code, data["counts"]) == (0, counts)


def test_the_result_is_measured_on_a_label_column(command, told, table, tmp_path):
    """The metrics are those of `evaluate`."""
    classify = ("classify", table, *LABELS, "--label", "label", "--out", tmp_path / "p.parquet")
    code, data, _ = command(*classify, "--json")
    assert (code, data["metrics"]["accuracy"], data["labelled"]) == (0, 1, 3)
    assert set(data["per_class"]) == {"fox", "parcel"}
    assert "On 3 labelled rows: accuracy 1.000" in told(*classify)[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [((*LABELS, "--label", "nope"), "no label column 'nope'"), (("--labels", "a,b\nc"), "lines")],
)
def test_what_cannot_be_meant_writes_nothing(command, table, tmp_path, options, said):
    """A wrong column is told before older predictions are replaced; labels stand in one line."""
    out = tmp_path / "p.parquet"
    code, data, _ = command("classify", table, *options, "--out", out, "--json")
    assert (code, data["error"]["kind"]) == (2, "usage")
    assert said in data["error"]["message"]
    assert not out.exists()


def test_templates_and_a_file_of_labels(command, table, tmp_path):
    """`--template` may be repeated; a file says in words what a class is."""
    labels = tmp_path / "labels.txt"
    labels.write_text("X: fox\nY: broken parcel\n")
    templates = ("--template", "the {}", "--template", "{} late", "--temperature", "0.5")
    out = ("--out", tmp_path / "p.parquet", "--json")
    _, data, _ = command("classify", table, "--labels-file", labels, *templates, *out)
    assert (data["classes"], data["templates"]) == (["X", "Y"], ["the {}", "{} late"])
    assert data["temperature"] == 0.5


@pytest.mark.parametrize("options", [(), (*LABELS, "--labels-file", "labels.txt")])
def test_labels_come_one_way(command, table, tmp_path, options):
    """Neither or both is a usage error; nothing is written."""
    out = tmp_path / "p.parquet"
    code, data, _ = command("classify", table, *options, "--out", out, "--json")
    assert (code, data["error"]["kind"]) == (2, "usage")
    assert "either --labels or --labels-file" in data["error"]["message"]
    assert not out.exists()


def test_images_are_classified_by_words(command, tmp_path):
    """An encoder of texts and images puts labels and images into one space."""
    twin = export(save_two_towers(tmp_path / "model", "clip"), tmp_path / "twin").path
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    table, out = tmp_path / "table", tmp_path / "p.parquet"
    assert command("embed", folder, "--out", table, "--encoder", twin, "--json")[0] == 0
    code, data, _ = command("classify", table, "--labels", "one,two", "--out", out, "--json")
    encoder = load_encoder(str(twin), device="cpu")
    assert (code, data["templates"]) == (0, ["a photo of a {}."])
    assert data["temperature"] == pytest.approx(1 / encoder.card.logit_scale)
    labels = encoder.encode(["a photo of a one.", "a photo of a two."])
    expected = (open_table(table).to_numpy() @ labels.T).argmax(axis=1)
    found = pq.read_table(out)["prediction"].to_pylist()
    assert found == [["one", "two"][number] for number in expected]


def test_images_without_words_are_refused(command, tmp_path, tiny_image):
    """An encoder of images alone is a usage error with the ways out."""
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (40, 40), "red").save(folder / "red.png")
    table = tmp_path / "table"
    assert command("embed", folder, "--out", table, "--encoder", tiny_image, "--json")[0] == 0
    out = tmp_path / "p.parquet"
    code, data, _ = command("classify", table, *LABELS, "--out", out, "--json")
    assert (code, "takes images alone" in data["error"]["message"]) == (2, True)
    assert "CLIP" in data["error"]["fix"]
