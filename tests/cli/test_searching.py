"""index and search as a person at a terminal meets them."""

import json
import re

import pandas as pd
import pytest
from PIL import Image
from rich.cells import cell_len

from downstream import Hit
from downstream.sheet import Query, QueryKind
from featurize.cli.hits import hits_table
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


FILLER = "so it goes on and on " * 20
BOLD = re.compile(r"\x1b\[1m(.*?)\x1b\[0m")
SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def terminal(told, monkeypatch):
    """Return a function that runs the command on a terminal of some width: its lines."""

    def run(width, *arguments):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", str(width))
        code, out, _ = told(*arguments)
        assert code == 0
        return out.splitlines()

    return run


@pytest.fixture
def lengthy(indexed):
    """Index rows whose ids, labels and texts are long."""
    return indexed(
        id=[f"{'folder/' * 12}file-{n}.txt" for n in range(3)],
        text=[f"{FILLER} the broken parcel, a red fox", "red fox", "日本語のテキスト" * 30],
        label=["a_label_that_is_rather_long_indeed", "short", "日本語のラベル" * 4],
    )


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_table_fits_the_terminal(terminal, lengthy, width):
    """No line is wider than the terminal, and the ends of long ids are kept."""
    lines = [SEQUENCE.sub("", line) for line in terminal(width, "search", lengthy, "broken parcel")]
    assert max(map(cell_len, lines)) <= width
    assert lines[0].split() == ["score", "id", "label", "text"]
    rows = [line for line in lines[1:] if line[:1] in "01-"]
    assert len(rows) == 3
    assert {re.search(r"\S*…\S*(\d\.txt)  ", line)[1] for line in rows} == {
        f"{n}.txt" for n in (0, 1, 2)
    }
    assert len(lines) <= 1 + 3 * 5


def test_a_wide_terminal_shortens_nothing(terminal, index):
    """Where there is room, ids, labels and texts stand whole, one line a hit."""
    lines = terminal(120, "search", index, "the fox")
    assert len(lines) == 5
    assert "…" not in "".join(lines)


def test_matches_are_bold_in_their_context(terminal, lengthy):
    """Of a long text the part with the query's words is shown, behind an ellipsis."""
    lines = terminal(100, "search", lengthy, "BROKEN parcél", "-k", "3")
    shown = "\n".join(lines[1:])
    assert {"broken", "parcel"} <= set(BOLD.findall(shown))
    assert "… " in shown
    assert FILLER not in SEQUENCE.sub("", shown)


def test_without_words_in_common_the_start_is_shown(terminal, lengthy):
    """A text that shares no word with the query is shown from its start."""
    out = SEQUENCE.sub("", "\n".join(terminal(100, "search", lengthy, "refund")))
    assert "so it goes on and on" in out
    assert not BOLD.findall("\n".join(terminal(100, "search", lengthy, "refund")[1:]))


def test_a_pipe_gets_whole_lines(told, lengthy):
    """Elsewhere than on a terminal a hit is one line with its whole id and label, and no code."""
    code, out, _ = told("search", lengthy, "broken parcel")
    header, *lines = out.splitlines()
    assert code == 0
    assert len(lines) == 3
    assert "\x1b" not in out
    for n in range(3):
        assert any(f"{'folder/' * 12}file-{n}.txt" in line for line in lines)
    assert any("a_label_that_is_rather_long_indeed" in line for line in lines)
    assert any("the broken parcel, a red fox" in line for line in lines)
    assert not [line for line in (header, *lines) if line != line.rstrip()]


def test_there_is_no_column_of_labels_without_labels(told, indexed):
    """A table without labels has none to show."""
    index = indexed(id=list("ab"), text=TEXTS[:2])
    assert told("search", index, "fox")[1].split()[:3] == ["score", "id", "text"]


def test_several_queries_have_a_block_each():
    """Each query stands above its hits; beyond twenty queries they are counted."""
    hits = [[Hit(f"row-{n}", 0.5, {"text": f"fox {n}"})] for n in range(23)]
    queries = [Query(QueryKind.TEXT, f"query\n{n}") for n in range(23)]
    lines = hits_table(queries, hits).splitlines()
    assert lines[:4] == ["1. text: query 0", "score  id     text", "0.500  row-0  fox 0", ""]
    assert lines[-1] == "3 more queries with 3 hits not shown"
    assert "row-20" not in "".join(lines)


def test_no_hits_are_said():
    """A query that found nothing says so."""
    assert hits_table([Query(QueryKind.TEXT, "x")], [[]]) == "no hits"


def test_html_writes_a_sheet(command, index, tmp_path):
    """--html writes the hits as a page, names it in the JSON, and replaces an older one."""
    page = tmp_path / "hits.html"
    for _ in range(2):
        code, data, err = command("search", index, "the red fox", "--html", page, "--json")
        assert (code, data["html"]) == (0, str(page))
        assert str(page) in err
    assert "<mark>red</mark> <mark>fox</mark> runs" in page.read_text(encoding="utf-8")
    assert "html" not in command("search", index, "the red fox", "--json")[1]


def test_html_shows_images_from_their_source(command, tiny_image, tmp_path):
    """--source says where the images of the hits lie."""
    photos, page = tmp_path / "photos", tmp_path / "hits.html"
    photos.mkdir()
    for colour in ("red", "blue"):
        Image.new("RGB", (40, 40), colour).save(photos / f"{colour}.png")
    table, index = tmp_path / "table", tmp_path / "index"
    embed = ("embed", photos, "--out", table, "--encoder", tiny_image, "--json")
    assert command(*embed)[0] == 0
    assert command("index", table, "--out", index, "--json")[0] == 0
    search = ("search", index, "--image", photos / "red.png", "--html", page, "--json")
    assert command(*search, "--source", photos)[0] == 0
    assert page.read_text().count('<img src="data:image/jpeg;base64,') == 3
    assert command(*search)[0] == 0
    assert page.read_text().count('<img src="data:image/jpeg;base64,') == 1


def test_odd_places_of_a_sheet_are_refused_first(command, index, tmp_path):
    """A wrong place, a source without a page and one that is not there stop the search."""
    ask = ("search", index, "fox", "--json")
    for options in (("--html", "hits.pdf"), ("--source", tmp_path)):
        code, data, _ = command(*ask, *options)
        assert (code, data["error"]["kind"]) == (2, "usage")
        assert data["error"]["fix"]
    missing = ("--html", tmp_path / "hits.html", "--source", tmp_path / "nowhere")
    assert command(*ask, *missing)[0] == 2
    inside = tmp_path / "table" / "data" / "hits.html"
    assert command(*ask, "--html", inside)[0] == 2
    (tmp_path / "mine.html").write_text("mine")
    code, data, _ = command(*ask, "--html", tmp_path / "mine.html")
    assert (code, data["error"]["kind"]) == (1, "index")
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_a_row_that_is_asked_for_stands_on_the_sheet(command, index, tmp_path):
    """Beside an id, the page shows what its row holds."""
    page = tmp_path / "hits.html"
    assert command("search", index, "--id", "c", "--html", page, "--json")[0] == 0
    heading = page.read_text(encoding="utf-8").split("<ol")[0]
    assert "refund the broken parcel" in heading
