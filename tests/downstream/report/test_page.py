"""The page of a transfer report: whole, safe, and in need of nothing else."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import CHROMIUM, Outline, browse

from downstream.page.markup import safe
from downstream.report.advice import advice
from downstream.report.page import render
from featurize.wording import printable

KEYS = "curve confusion calibration transferability noise duplicates balance".split()
EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">"\'\u202ecod\u2066 $x^{$ `'


@pytest.fixture
def facts():
    """Return the facts of a report on six classes of texts, one of them rare."""
    found = json.loads(Path(__file__).with_name("facts.json").read_text())
    return found | {"advice": advice(found)}


@pytest.fixture
def evil(facts):
    """Return facts whose every text of the data is an attack."""
    found = json.loads(json.dumps(facts).replace("card_arrival", "CLASS"))
    for pair in found["confusion"]["most"]:
        pair["examples"] = [{"id": EVIL, "confidence": 0.9, "text": EVIL}]
    found["noise"]["suspects"] = [
        {"id": EVIL, "label": EVIL, "proposed": EVIL, "score": 0.9, "text": EVIL}
    ]
    twins = {"similarity": 1.0, "ids": [EVIL] * 2, "labels": [EVIL] * 2, "texts": [EVIL] * 2}
    found["duplicates"]["examples"] = [twins]
    found |= {"table": EVIL, "label": EVIL, "encoder": EVIL, "advice": [EVIL]}
    return json.loads(json.dumps(found).replace("CLASS", json.dumps(EVIL)[1:-1]))


def test_page_is_whole_html(facts):
    """Every element is closed, no id stands twice, and every link leads somewhere."""
    page = Outline(render(facts, {}))
    ids = page.values("id")
    assert page.open == []
    assert len(ids) == len(set(ids))
    links = [link for link in page.values("href") if link.startswith("#")]
    assert {link[1:] for link in links} <= set(ids)
    assert len(links) > 10


def test_page_names_no_address(facts):
    """Nothing in the page leads out of it: pictures are data, links are places of the page."""
    page = render(facts, {"tickets.csv#44": "data:image/jpeg;base64,AAAA"})
    outline = Outline(page)
    places = outline.values("href") + outline.values("src")
    assert "data:image/jpeg;base64,AAAA" in places
    assert all(place.startswith(("#", "data:")) for place in places)
    assert not re.search(r"https?:|//|@import|url\((?!#)", page)
    assert "script" not in outline.tags


def test_policy_forbids_scripts_and_network(facts):
    """A browser is told to fetch nothing and to run nothing."""
    page = render(facts, {})
    assert "default-src 'none'" in page
    assert page.index("Content-Security-Policy") < page.index("<style")


def test_texts_of_strangers_stay_texts(evil):
    """Markup and bidirectional controls from the data are shown, not obeyed."""
    page = render(evil, {})
    outline = Outline(page)
    assert outline.open == []
    assert not {"script", "img"} & set(outline.tags)
    assert outline.text.count("<script>alert(1)</script>") > 10
    assert not set("\u202e\u2066") & set(page)
    assert "\\u202ecod\\u2066" in outline.text


@given(st.text())
def test_no_text_becomes_markup(text):
    """Whatever a text of the data is, it comes out of the page as one element with that text."""
    shown = Outline(safe(text))
    assert set(shown.tags) == {"bdi"} | {"wbr"} & set(shown.tags)
    assert shown.open == []
    assert shown.text == printable(text, keep_lines=True) or len(text) > 400


def test_advice_is_shown_to_its_end(facts):
    """A sentence that names long ids is no text of the data, and is not cut."""
    told = f"Check {', '.join(f'{n}/' + 'x' * 150 for n in range(5))}: `featurize train` <last>."
    page = Outline(render(facts | {"advice": [told]}, {}))
    assert "featurize train <last>." in page.text


def test_same_facts_give_the_same_page(facts):
    """A page depends on its facts alone: no time, no random id."""
    assert render(facts, {}) == render(facts, {})


def test_skipped_sections_say_why(facts):
    """A section that lacks its input says so in its place, and the rest stands."""
    page = Outline(render(facts | {key: {"skipped": f"No <{key}>."} for key in KEYS}, {}))
    assert all(page.text.count(f"No <{key}>.") == 1 for key in KEYS)
    assert "How it was measured" in page.text
    assert "93.2\xa0%" in page.text


def test_page_of_nothing_but_a_verdict(facts):
    """Where no section could be measured, there is still a page."""
    skipped = {key: {"skipped": "Too few rows."} for key in [*KEYS, "scores", "baselines"]}
    transfer = {"transfer": {"why": "Too few rows."}, "verdict": "neutral"}
    page = Outline(render(facts | skipped | transfer, {}))
    assert "Verdict: neutral" in page.text
    assert page.text.count("Too few rows.") > 5


@pytest.mark.parametrize("verdict", ["positive", "neutral", "negative"])
def test_verdict_is_told_in_words(facts, verdict):
    """The verdict is a word, not a colour alone, and its evidence stands beside it."""
    page = Outline(render(facts | {"verdict": verdict}, {}))
    assert f"Verdict: {verdict}" in page.text
    assert (
        "Balanced accuracy is 88.4% for the head on the vectors and 82.3% for TF-IDF: +6.1"
        in page.text
    )


def test_plots_speak(facts):
    """Every plot says its figures to those who do not see it."""
    page = Outline(render(facts, {}))
    labels = [label for label in page.values("aria-label") if ":" in label]
    assert page.tags.count("svg") == len(labels) == 3
    assert any("TF-IDF 82.3%" in label for label in labels)


def test_plots_take_the_colours_of_the_page(facts):
    """No plot brings a colour of its own, so that light and dark both fit."""
    plots = re.findall(r"<svg.*?</svg>", render(facts, {}), re.S)
    assert len(plots) == 3
    assert not [colour for plot in plots for colour in re.findall(r"#[0-9a-f]{6}\b", plot)]


def test_a_class_that_is_not_measured_is_named(facts):
    """A class of a single row has no figures, and the page says so."""
    told = render(facts | {"classes": [*facts["classes"], "lonely"]}, {})
    assert "since their rows cannot be held out: <bdi>lonely</bdi>." in told
    assert "cannot be held out" not in render(facts, {})


def test_matrix_only_for_few_classes(facts):
    """Beyond thirty classes the most confused pairs stand alone."""
    assert 'class="matrix"' in render(facts, {})
    many = [f"class-{number}" for number in range(31)]
    assert 'class="matrix"' not in render(facts | {"classes": many}, {})


def test_long_tables_are_cut(facts):
    """Ten thousand classes give a page that a browser can show, which says what it leaves out."""
    one = facts["scores"]["per_class"]["card_arrival"]
    scores = facts["scores"] | {"per_class": {f"class-{i}": one for i in range(10_000)}}
    page = render(facts | {"scores": scores}, {})
    assert "9,700 more rows are in the JSON." in page
    assert len(page) < 500_000


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_browser_has_nothing_to_complain_of(evil, tmp_path):
    """A browser shows the page without an error and without asking the network for anything."""
    page = tmp_path / "page.html"
    page.write_text(render(evil, {}))
    shown, said, asked = browse(page, tmp_path)
    assert "How it was measured" in shown
    assert said == []
    assert "example.org" not in asked


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_browser_would_complain(facts, tmp_path):
    """The browser of these tests notices what the page forbids: a script, a picture from afar."""
    page = tmp_path / "page.html"
    intruder = '<script>1</script><img src="https://example.org/a.png">'
    page.write_text(render(facts, {}).replace("</main>", f"{intruder}</main>"))
    _, said, asked = browse(page, tmp_path)
    assert len([line for line in said if "Content Security Policy" in line]) == 2
    assert "example.org" not in asked
