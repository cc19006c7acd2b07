"""index and search as a person at a terminal meets them."""

import json
import re
import shutil

import numpy as np
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
    both = ("--html", page, "--out", tmp_path / "hits.parquet", "--json")
    data = command("search", index, "the red fox", *both)[1]
    assert (data.keys(), data["html"]) == ({"out", "rows", "stale", "changed", "html"}, str(page))


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


@pytest.fixture
def priced(indexed):
    """Index six texts with a column that is mostly a number."""
    texts = [*TEXTS, "the red dog", "a blue fox"]
    price = ["3", "12", "8", "free", "7", "100"]
    return indexed(id=list("abcdef"), text=texts, label=["x", "x", "y", "y", "x", "y"], price=price)


def test_a_filter_keeps_to_the_rows_that_hold(told, command, priced):
    """As many hits as hold, and values that could not be compared are counted on stderr."""
    code, data, _ = command("search", priced, "fox", "--where", "price < 10", "--json")
    assert code == 0
    assert sorted(hit["id"] for hit in data["hits"][0]) == ["a", "c", "e"]
    _, _, err = told("search", priced, "fox", "--where", "price < 10")
    assert "no number can be read: 1 value of `price`" in err


def test_a_filter_that_is_none_points_at_the_mistake(command, priced):
    """It is a usage error."""
    code, data, _ = command("search", priced, "fox", "--where", "price <", "--json")
    assert (code, data["error"]["kind"]) == (2, "usage")


def test_a_least_score_asks_for_all_that_reach_it(command, priced):
    """Without -k all of them, with it at most so many."""
    everything = command("search", priced, "fox", "-k", "6", "--json")[1]["hits"][0]
    least = everything[3]["score"]
    asked = ("search", priced, "fox", "--json", "--min-score", str(least - 1e-9))
    assert command(*asked)[1]["hits"][0] == everything[:4]
    assert command(*asked, "-k", "2")[1]["hits"][0] == everything[:2]
    assert command("search", priced, "fox", "--min-score", "2", "--json")[0] == 2


def test_a_file_of_vectors_asks_once_a_row(command, priced, tmp_path):
    """One vector or several; anything else is refused, and nothing of it is executed."""
    vectors = np.load(priced / "vectors.npy")
    np.save(tmp_path / "two.npy", vectors[:2].astype(np.float64))
    np.save(tmp_path / "one.npy", vectors[4])
    first = [hits[0]["id"] for hits in _hits(command, priced, "--vector", tmp_path / "two.npy")]
    assert first == ["a", "b"]
    assert _hits(command, priced, "--vector", tmp_path / "one.npy")[0][0]["id"] == "e"
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "cube.npy", np.ones((2, 2, 2)))
    (tmp_path / "text.npy").write_text("1 2 3")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "zip.npy").write_bytes(b"PK\x03\x04" + bytes(60))
    for name in ("objects", "cube", "text", "empty", "zip", "nowhere"):
        code, data, _ = command("search", priced, "--vector", tmp_path / f"{name}.npy", "--json")
        assert (code, data["error"]["kind"]) == (2, "usage")
    np.save(tmp_path / "long.npy", np.ones(7))
    code, data, _ = command("search", priced, "--vector", tmp_path / "long.npy", "--json")
    assert (code, data["error"]["kind"]) == (1, "index")


def _hits(command, index, *arguments):
    code, data, _ = command("search", index, *arguments, "--json")
    assert code == 0
    return data["hits"]


def test_a_table_asks_for_each_of_its_rows(command, priced, tmp_path):
    """In JSON, or as a file of query, rank, id and score."""
    table = tmp_path / "table"
    hits = _hits(command, priced, "--queries", table, "-k", "2")
    assert [found[0]["id"] for found in hits] == list("abcdef")
    out = tmp_path / "near.parquet"
    code, data, _ = command("search", priced, "--queries", table, "-k", "2", "--out", out, "--json")
    assert (code, data["rows"], data["out"]) == (0, 12, str(out))
    rows = pd.read_parquet(out)
    assert rows.columns.tolist() == ["query", "rank", "id", "score"]
    assert rows[rows["rank"] == 1]["id"].tolist() == list("abcdef")
    assert rows["id"].tolist() == [hit["id"] for found in hits for hit in found]


def test_hits_of_one_query_can_be_a_file_too(command, told, priced, tmp_path):
    """Whatever was asked; a file that no search has written stays."""
    out = tmp_path / "near.parquet"
    code, shown, _ = told("search", priced, "red fox", "-k", "3", "--out", out)
    assert (code, shown) == (0, f"{out}: 3 hits\n")
    assert pd.read_parquet(out)["query"].unique().tolist() == ["red fox"]
    assert command("search", priced, "--id", "a", "--out", out, "--json")[0] == 0
    assert "a" not in pd.read_parquet(out)["id"].tolist()
    pd.DataFrame({"mine": [1]}).to_parquet(out)
    code, data, _ = command("search", priced, "--id", "a", "--out", out, "--json")
    assert (code, data["error"]["kind"]) == (1, "index")


def test_queries_of_another_encoder_are_refused(command, priced, tiny_image, tmp_path):
    """The field that differs is named."""
    from PIL import Image

    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 40), "red").save(tmp_path / "photos" / "a.png")
    other = tmp_path / "other"
    assert command("embed", tmp_path / "photos", "--out", other, "--encoder", tiny_image)[0] == 0
    code, data, _ = command("search", priced, "--queries", other, "--json")
    assert (code, data["error"]["kind"]) == (1, "mismatch")


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_an_approximate_index_shows_its_curve(command, told, indexed, tmp_path, kind):
    """On the terminal and as JSON: what each effort finds, and which was chosen."""
    indexed(
        id=range(60), text=[f"{word} {n}" for n in range(15) for word in "abcd"], label=["x"] * 60
    )
    arguments = ("--out", tmp_path / "other", "--kind", kind, "--recall", "0.9")
    code, data, _ = command("index", tmp_path / "table", *arguments, "--json")
    assert (code, data["kind"], data["recall"]["target"]) == (0, kind, 0.9)
    assert data["recall"]["reached"] >= 0.9
    assert data["curve"]["points"][0]["recall"].keys() == {"10", "100"}
    code, out, _ = told("index", tmp_path / "table", *arguments)
    assert "recall@10" in out
    assert "→" in out
    assert command("search", tmp_path / "other", "a 3", "--json")[0] == 0


def test_an_index_follows_its_table(command, told, priced, tmp_path):
    """Stale it says so, strict it refuses, updated it is fresh; one that is not there is made."""
    table, rows = tmp_path / "table", tmp_path / "rows.csv"
    frame = pd.read_csv(rows)
    frame = pd.concat([frame.iloc[1:], frame.iloc[:1].assign(id="g", text="quite new")])
    frame.loc[frame["id"] == "c", "label"] = "z"
    frame.to_csv(rows, index=False)
    assert command("embed", rows, "--out", table, "--json")[0] == 0
    code, _, err = told("search", priced, "fox")
    assert code == 0
    assert "1 row not in the index, 1 row of the index gone, 1 row with other columns" in err
    assert "--update" in err
    code, data, _ = command("search", priced, "fox", "--strict", "--json")
    assert (code, data["error"]["kind"]) == (1, "index")
    assert "--update" in data["error"]["fix"]
    data = command("search", priced, "fox", "-k", "9", "--json")[1]
    assert data["stale"] == {"missing": 1, "removed": 1}
    assert "a" not in [hit["id"] for hit in data["hits"][0]]
    code, data, _ = command("index", table, "--out", priced, "--update", "--json")
    assert (code, data["added"], data["removed"], data["changed"]) == (0, 1, 1, 1)
    assert (data["rebuilt"], data["tombstones"], data["rows"]) == (None, 1, 6)
    data = command("search", priced, "quite new", "--strict", "--json")[1]
    assert data["hits"][0][0]["id"] == "g"
    assert command("index", table, "--out", tmp_path / "new", "--update", "--json")[0] == 0
    code, data, _ = command(
        "index", table, "--out", priced, "--update", "--recall", "0.9", "--json"
    )
    assert (code, data["error"]["kind"]) == (2, "usage")


@pytest.mark.parametrize("size", ["much", "-1", "0", "5 parsecs"])
def test_a_memory_that_is_none_is_refused(command, index, tmp_path, size):
    """The fix shows how a size is written."""
    arguments = ("--out", tmp_path / "other", "--memory", size, "--json")
    code, data, _ = command("index", tmp_path / "table", *arguments)
    assert (code, data["error"]["kind"]) == (2, "usage")


def test_equal_rows_reach_a_score_of_one(command, indexed):
    """Vectors of float32 are a hair shorter than 1: that does not make equal rows unequal."""
    index = indexed(id=list("abcd"), text=["same text", "same text", *TEXTS[:2]], label=["x"] * 4)
    assert _hits(command, index, "--id", "a", "--min-score", "1")[0][0]["id"] == "b"


def test_strict_wants_a_table(command, told, priced, tmp_path):
    """Without it nothing tells whether the index is fresh; a damaged one is said without it."""
    log = next((tmp_path / "table" / "_log").iterdir())
    log.write_text("{")
    code, _, err = told("search", priced, "fox")
    assert code == 0
    assert "Nothing tells whether the index is up to its table" in err
    shutil.rmtree(tmp_path / "table")
    assert command("search", priced, "fox", "--json")[0] == 0
    code, data, _ = command("search", priced, "fox", "--strict", "--json")
    assert (code, data["error"]["kind"]) == (1, "index")


def test_a_page_says_what_it_was_made_of(command, priced, tmp_path):
    """Filter and least score stand on it, and that the table has moved on."""
    frame = pd.read_csv(tmp_path / "rows.csv")
    frame.iloc[:5].to_csv(tmp_path / "rows.csv", index=False)
    assert command("embed", tmp_path / "rows.csv", "--out", tmp_path / "table", "--json")[0] == 0
    page = tmp_path / "hits.html"
    options = ("--where", "label = 'x'", "--min-score", "-0.5", "--html", page)
    assert command("search", priced, "fox", *options, "--json")[0] == 0
    shown = page.read_text(encoding="utf-8")
    assert "label = &#x27;x&#x27;" in shown or "label = &#39;x&#39;" in shown
    assert "at least -0.5" in shown
    assert "moved on: 1 row of the index gone" in shown


def test_an_unknown_id_says_what_may_be_meant(command, priced, tmp_path):
    """Of those that are there the likeliest, or that an update would bring it."""
    code, data, _ = command("search", priced, "--id", "aa", "--json")
    assert (code, data["error"]["fix"]) == (1, "Its 6 ids look like 'a'.")
    frame = pd.read_csv(tmp_path / "rows.csv")
    frame = pd.concat([frame, frame.iloc[:1].assign(id="g", text="quite new")])
    frame.to_csv(tmp_path / "rows.csv", index=False)
    assert command("embed", tmp_path / "rows.csv", "--out", tmp_path / "table", "--json")[0] == 0
    assert "--update" in command("search", priced, "--id", "g", "--json")[1]["error"]["fix"]


def test_a_table_of_another_encoder_does_not_update(command, priced, tiny_image, tmp_path):
    """The advice is to name the index's own table, not to make this index anew of that one."""
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 40), "red").save(tmp_path / "photos" / "a.png")
    other = tmp_path / "other"
    assert command("embed", tmp_path / "photos", "--out", other, "--encoder", tiny_image)[0] == 0
    code, data, _ = command("index", other, "--out", priced, "--update", "--json")
    assert (code, data["error"]["kind"]) == (1, "mismatch")
    assert data["error"]["fix"].startswith(f"The index is of {tmp_path / 'table'}")


def test_quiet_verify_says_why_it_fails(told, priced):
    """The line that the exit code needs."""
    (priced / "vectors.npy").write_bytes(b"")
    code, out, err = told("verify", priced, "-q")
    assert (code, out) == (1, "")
    assert "index, broken" in err
