"""The transfer report as a noun: what it holds, and where its page goes."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from downstream import Study, TransferReport
from downstream.report.advice import advice
from downstream.report.pictures import pictures, shown_ids
from featurize.errors import HeadError, UsageError
from featurize.storage import sha256_bytes
from featurize.types import Modality


@pytest.fixture
def report():
    """Return a report of facts written by hand."""
    facts = json.loads(Path(__file__).with_name("facts.json").read_text())
    return TransferReport(facts | {"advice": advice(facts)})


@pytest.fixture
def photos(make_table, card, tmp_path):
    """Make images of one colour each in a folder, and a table of them with labels."""
    rng = np.random.default_rng(0)
    ids = [f"{'red' if i % 2 else 'blue'}/{i}.png" for i in range(10)]
    for number, key in enumerate(ids):
        file = tmp_path / "photos" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (400, 300), (20 * number, 0, 255 - 20 * number)).save(file)
    contents = [sha256_bytes((tmp_path / "photos" / key).read_bytes()) for key in ids]
    encoder = replace(card(12), modalities=(Modality.IMAGE,))
    vectors = rng.normal(size=(10, 12)).astype(np.float32)
    labels = [key.partition("/")[0] for key in ids]
    return make_table(
        vectors, labels, encoder, id=ids, content_sha256=contents, text=["-"] * len(ids)
    )


@pytest.mark.parametrize("labels", ["aaabb", "aabbccddef"])
def test_little_data_makes_a_report(make_table, tmp_path, labels):
    """Where there are five rows, or classes of one row, what can be measured is."""
    vectors = np.random.default_rng(0).normal(size=(len(labels), 12)).astype(np.float32)
    made = TransferReport.of(make_table(vectors, list(labels)))
    made.save(tmp_path / "report.html")
    assert made.verdict == "neutral"
    assert made.to_json()["advice"]


def test_classes_of_one_group_cannot_be_measured(make_table):
    """Where no row can be held out, the error says so."""
    vectors = np.random.default_rng(0).normal(size=(12, 12)).astype(np.float32)
    table = make_table(vectors, ["a", "b"] * 6, customer=["x", "y"] * 6)
    with pytest.raises(HeadError, match="Nothing can be measured"):
        TransferReport.of(Study.open(table, group="customer"))


def test_facts_cannot_be_changed_from_outside(report):
    """What is handed out is a copy."""
    report.to_json()["verdict"] = "negative"
    assert report.verdict == report.to_json()["verdict"] == "positive"


def test_page_is_saved_whole_and_replaces_an_older_one(report, tmp_path):
    """A page appears in a folder made for it, and a second one takes its place."""
    place = tmp_path / "new" / "report.html"
    report.save(place)
    report.save(place)
    assert place.read_text() == report.to_html()
    assert list(place.parent.iterdir()) == [place]


def test_other_files_are_not_replaced(report, tmp_path):
    """A page that is no report, and a folder, stay as they are."""
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><title>mine</title>")
    with pytest.raises(HeadError, match="in the way"):
        report.save(page)
    assert "mine" in page.read_text()
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(HeadError, match="in the way"):
        report.save(tmp_path / "folder.html")


def test_odd_places_are_refused(report, table, tmp_path):
    """A page has the suffix of one, and lies in no table."""
    with pytest.raises(UsageError, match="writes a .html file"):
        report.save(tmp_path / "report.pdf")
    with pytest.raises(UsageError, match="inside the table"):
        report.save(table.path / "data" / "report.html")


def test_notebook_shows_the_page_in_a_frame(report):
    """A notebook gets the page in a frame, which keeps its style to itself and runs nothing."""
    shown = report._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert 'sandbox=""' in shown


def test_pictures_are_small_and_of_the_rows_that_are_shown(photos, tmp_path):
    """Each picture is a small JPEG of the file its row was made from."""
    study = Study.open(photos, source=tmp_path / "photos")
    found = pictures(study, ["red/9.png", "blue/0.png", "no such row"])
    assert list(found) == ["red/9.png", "blue/0.png"]
    start = "data:image/jpeg;base64,"
    assert all(address.startswith(start) for address in found.values())
    shown = Image.open(io.BytesIO(base64.b64decode(found["red/9.png"].removeprefix(start))))
    assert shown.size == (192, 144)
    red, _, blue = shown.getpixel((50, 50))
    assert abs(red - 180) < 4
    assert abs(blue - 75) < 4


def test_changed_missing_and_outside_files_are_not_shown(photos, tmp_path):
    """A picture of other content than was embedded is not shown, nor one reached by a link."""
    folder = tmp_path / "photos"
    study = Study.open(photos, source=folder)
    (folder / "red/1.png").write_bytes((folder / "red/3.png").read_bytes())
    (folder / "red/5.png").unlink()
    (folder / "red/7.png").rename(tmp_path / "elsewhere.png")
    (folder / "red/7.png").symlink_to(tmp_path / "elsewhere.png")
    assert list(pictures(study, ["red/1.png", "red/3.png", "red/5.png", "red/7.png"])) == [
        "red/3.png"
    ]


def test_pictures_need_a_source_that_is_there(photos, tmp_path):
    """Without a source there are no pictures; one that does not exist is an error."""
    assert pictures(Study.open(photos), ["red/1.png"]) == {}
    with pytest.raises(UsageError, match="does not exist"):
        Study.open(photos, source=tmp_path / "nowhere")


def test_shown_rows_are_those_of_all_sections_once(report):
    """Confused rows come first, then suspects and duplicates, none of them twice."""
    ids = shown_ids(report.to_json())
    assert ids[0] == "tickets.csv#17"
    assert {"tickets.csv#44", "tickets.csv#380"} <= set(ids)
    assert len(ids) == len(set(ids))
    assert shown_ids({"noise": {"skipped": "no"}}) == []
