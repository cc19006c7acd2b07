"""The contact sheet of a search: whole, safe, bounded, and true to the files it shows."""

import base64
import io
import os
import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import CHROMIUM, Outline, browse
from PIL import Image

from downstream.page.markup import marked
from downstream.sheet import Query, QueryKind, pictures, write_sheet
from downstream.sheet.pictures import Pictures
from featurize.errors import IndexFileError, UsageError
from featurize.storage import sha256_bytes
from featurize.wording import printable

EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">"\'\u202ecod\u2066 `</bdi></li>'


@dataclass
class Hit:
    """What the sheet reads of a hit."""

    id: str
    score: float = 0.5
    columns: dict = field(default_factory=dict)


def text_query(text="the fox"):
    """Return a query for a text."""
    return Query(QueryKind.TEXT, text)


def png(colour="red", size=(40, 30)):
    """Return an image file of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def row(name, data, **columns):
    """Return the columns of the row of an image file."""
    return {
        "source": name,
        "content_sha256": sha256_bytes(data),
        "width": 40,
        "height": 30,
    } | columns


@pytest.fixture
def sheet(tmp_path):
    """Return a function that writes a sheet and returns its page."""

    def write(queries, hits, **options):
        write_sheet(tmp_path / "sheet.html", queries, hits, **options)
        return (tmp_path / "sheet.html").read_text(encoding="utf-8")

    return write


@pytest.fixture
def source(tmp_path):
    """Make a folder with one image, which another lies beside."""
    folder = tmp_path / "photos"
    (folder / "red").mkdir(parents=True)
    (folder / "red" / "a.png").write_bytes(png())
    (tmp_path / "outside.png").write_bytes(png("blue"))
    return folder


def lacking(source, columns):
    """Return why a row has no picture."""
    made = Pictures(source).of_row(columns)
    assert made.address == ""
    return made.lacking


def test_page_is_whole_and_leads_nowhere(sheet, source):
    """Every element is closed, ids are unique, links stay in the page, and nothing is fetched."""
    hits = [[Hit("a.png", 0.9, row("red/a.png", png()))], [Hit("t", 0.2, {"text": "a fox"})], []]
    queries = [Query(QueryKind.IMAGE, str(source / "red" / "a.png")), text_query(), text_query("x")]
    page = sheet(queries, hits, source=source)
    outline = Outline(page)
    ids = outline.values("id")
    places = outline.values("src") + outline.values("href")
    assert outline.open == []
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in outline.values("href")} <= set(ids)
    assert outline.tags.count("img") == 2
    assert all(place.startswith(("#", "data:image/jpeg;base64,")) for place in places)
    assert not re.search(r"https?:|@import|url\((?!#)", page)
    assert "script" not in outline.tags
    assert page.index("Content-Security-Policy") < page.index("<style")
    assert "default-src 'none'" in page


def test_texts_of_strangers_stay_texts(sheet):
    """Markup and bidirectional controls in queries, texts, ids, columns and titles are shown."""
    hits = [Hit(EVIL, 0.5, {"text": f"fox {EVIL} fox", "label": EVIL, EVIL: EVIL, "source": EVIL})]
    hits.append(Hit(EVIL, 0.4, {"width": EVIL, "height": EVIL, "source": EVIL}))
    queries = [text_query(EVIL), Query(QueryKind.IMAGE, EVIL), Query(QueryKind.ROW, EVIL)]
    page = sheet(queries, [hits] * 3, title=EVIL)
    outline = Outline(page)
    assert outline.open == []
    assert not {"script", "img"} & set(outline.tags)
    assert outline.text.count("<script>alert(1)</script>") > 10
    assert not set("\u202e\u2066") & set(page)


def test_matches_stand_in_their_context(sheet):
    """Of a long text the part with the query's words is shown, and they are marked."""
    text = f"{'so it goes ' * 100}the broken parcel came late {'and on ' * 100}"
    page = sheet([text_query("Broken PARCEL?")], [[Hit("t", 0.5, {"text": text})]])
    assert "… " in page
    assert "<mark>broken</mark> <mark>parcel</mark> came late" in page
    assert len(page) < 20_000


def test_a_row_that_was_asked_for_marks_nothing(sheet):
    """An id is no text to look for; the row's own text stands below it."""
    asked = Query(QueryKind.ROW, "fox", {"text": "a slow fox"})
    page = sheet([asked], [[Hit("t", 0.5, {"text": "a fast fox"})]])
    assert "<mark>" not in page
    assert "a slow fox" in Outline(page).text


@given(st.lists(st.tuples(st.text(max_size=50), st.booleans())))
def test_no_marked_text_becomes_markup(pieces):
    """Whatever the pieces of a text are, they come out as that text and its marks alone."""
    shown = Outline(marked(pieces))
    assert set(shown.tags) <= {"bdi", "mark", "wbr"}
    assert shown.open == []
    assert shown.text == "".join(printable(text, keep_lines=True) for text, _ in pieces)


def test_columns_are_folded(sheet):
    """What else a row has is there on demand, without what it lacks."""
    columns = {"text": "fox", "label": "animal", "price": 7.5, "tags": ["a", "b"], "none": None}
    outline = Outline(sheet([text_query()], [[Hit("t", 0.5, columns)]]))
    assert outline.tags.count("details") == 1
    assert outline.tags.count("dt") == 2
    assert "7.5" in outline.text
    assert "none" not in outline.text


def test_pictures_are_small_and_upright(source):
    """A picture is a JPEG of at most 256 pixels, turned as its EXIF data say."""
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (900, 600), "green").save(file, "JPEG", exif=exif)
    (source / "b.jpg").write_bytes(file.getvalue())
    address = Pictures(source).of_row(row("b.jpg", file.getvalue())).address
    data = base64.b64decode(address.removeprefix("data:image/jpeg;base64,"))
    shown = Image.open(io.BytesIO(data))
    assert (shown.format, shown.size) == ("JPEG", (171, 256))


def test_a_changed_file_is_not_shown(source):
    """A file whose content is no longer what was embedded has no picture."""
    assert lacking(source, row("red/a.png", png("blue"))) == "not what was embedded"


def test_a_missing_file_is_named(source):
    """A file that is gone is named in the place of its picture."""
    assert lacking(source, row("red/gone.png", png())) == "red/gone.png: No such file or directory"


@pytest.mark.parametrize(
    "name",
    [
        "../outside.png",
        "red/../../outside.png",
        "red/../red/a.png",
        "./red/a.png",
        "red//a.png",
        "link.png",
        "folder/a.png",
        "https://example.org/a.png",
        "file:///etc/a.png",
        "red/a.png\0",
        "",
        None,
        "None",
        "red",
        "/etc/passwd",
    ],
)
def test_no_name_leads_out_of_the_source(source, name):
    """Links, dots, addresses and absolute paths give no picture, even of the right content."""
    (source / "link.png").symlink_to(source / "red" / "a.png")
    (source / "folder").symlink_to(source / "red", target_is_directory=True)
    for data in (png(), png("blue")):
        assert lacking(source, row(name, data))


def test_an_absolute_path_gives_no_picture(source, tmp_path):
    """Not even where it leads to a file of the source."""
    assert lacking(source, row(str(source / "red" / "a.png"), png()))
    assert lacking(source, row(str(tmp_path / "outside.png"), png("blue")))


def test_a_pipe_does_not_block(source):
    """A named pipe in the place of a file is refused, not waited for."""
    os.mkfifo(source / "pipe.png")
    assert "not a regular file" in lacking(source, row("pipe.png", png()))


def test_an_archive_is_named(source):
    """Rows of an archive say that it is not opened."""
    (source / "shard.tar").write_bytes(b"tar")
    assert lacking(source, row("shard.tar/a.png", png())) == "it lies in an archive"


def test_a_bomb_is_not_decoded(source):
    """An image beyond the limit of pixels has none, though its content is the right one."""
    file = io.BytesIO()
    Image.new("1", (10_000, 6_000)).save(file, "PNG")
    (source / "bomb.png").write_bytes(file.getvalue())
    assert "megapixels" in lacking(source, row("bomb.png", file.getvalue()))


@pytest.mark.parametrize("data", [b"no image", b"\x89PNG\r\n\x1a\n", png()[:40]])
def test_damaged_images_say_so(source, data):
    """What does not decode has a reason in the place of its picture."""
    (source / "bad.png").write_bytes(data)
    assert lacking(source, row("bad.png", data))


def test_odd_images_give_pictures_or_reasons(shared_data):
    """Each of many odd files has a picture or says why there is none."""
    folder = shared_data / "odd_images"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = [path.relative_to(folder).as_posix() for path in files]
    made = Pictures(folder)
    found = [
        made.of_row(row(name, path.read_bytes())) for name, path in zip(names, files, strict=True)
    ]
    assert all(bool(one.address) != bool(one.lacking) for one in found)
    assert any(one.address for one in found)
    assert any(one.lacking for one in found)


def test_without_a_source_the_page_says_how(sheet):
    """Images without --source have placeholders, and one sentence says what shows them."""
    page = Outline(sheet([text_query()], [[Hit("a.png", 0.5, row("a.png", png()))]]))
    assert "--source names the folder" in page.text
    assert "No picture" in page.text
    texts = Outline(sheet([text_query()], [[Hit("t", 0.5, {"text": "fox"})]]))
    assert "--source" not in texts.text


def test_pictures_stay_within_their_bytes(source, monkeypatch):
    """Beyond a number of bytes pictures are left out, and their places say so."""
    made = Pictures(source)
    one = made.of_row(row("red/a.png", png())).address
    monkeypatch.setattr(pictures, "MOST_BYTES", 2 * len(one))
    assert made.of_row(row("red/a.png", png())).address == one
    assert "pictures already" in made.of_row(row("red/a.png", png())).lacking


def test_the_rest_is_counted(sheet):
    """Of 52 queries with 103 hits each, 50 with 100 are shown; the rest is told in words."""
    hits = [[Hit(f"row-{n}", 0.5, {"text": "fox"}) for n in range(103)]] * 52
    page = Outline(sheet([text_query(f"query {n}") for n in range(52)], hits))
    assert page.tags.count("section") == 50
    assert page.tags.count("ol") == 50
    assert page.text.count("row-99") == 50
    assert "row-100" not in page.text
    assert page.text.count("3 more hits not shown.") == 50
    assert "2 more, with 206 hits, not" in page.text
    assert "5,356 hits" in page.text


def test_no_hits_are_said(sheet):
    """A query that found nothing says so."""
    assert "No hits." in Outline(sheet([text_query()], [[]])).text


def test_a_sheet_replaces_a_sheet_and_nothing_else(sheet, tmp_path):
    """An older sheet gives way as a whole; any other page stays."""
    sheet([text_query("one")], [[]])
    assert "two" in sheet([text_query("two")], [[]])
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.html"]
    (tmp_path / "sheet.html").write_text("<!doctype html>mine")
    with pytest.raises(IndexFileError, match="in the way"):
        sheet([text_query()], [[]])
    with pytest.raises(UsageError, match=r"--html .*writes a \.html file"):
        write_sheet(tmp_path / "sheet.pdf", [], [])


def test_a_source_must_be_there(sheet, tmp_path):
    """A source that does not exist is refused, and no page is written."""
    with pytest.raises(UsageError, match="does not exist"):
        sheet([text_query()], [[]], source=tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_browser_has_nothing_to_complain_of(sheet, source, tmp_path):
    """A browser shows the page without an error and without asking the network for anything."""
    hits = [Hit(EVIL, 0.9, row("red/a.png", png(), label=EVIL)), Hit("t", 0.1, {"text": EVIL})]
    sheet([text_query(EVIL)], [hits], source=source)
    shown, said, asked = browse(tmp_path / "sheet.html", tmp_path)
    assert "Search results" in shown
    assert said == []
    assert "example.org" not in asked
