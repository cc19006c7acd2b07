"""Folders of texts and of images, and single files."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from featurize.errors import InputRejected, SourceError, UsageError
from featurize.sources import Record
from featurize.sources.files import read_bytes
from featurize.types import Modality

if TYPE_CHECKING:
    from conftest import ReadSource

Write = Callable[..., Path]


def test_every_text_below_is_one_input(read: ReadSource, write: Write) -> None:
    """Ids and sources are POSIX paths relative to SOURCE; suffixes may be in upper case."""
    root = write({"b.TXT": "b", "x/y/a.md": "a", "x/c.txt": "\ufeffc"})
    got = read(root)
    assert got.contents == {"b.TXT": "b", "x/c.txt": "c", "x/y/a.md": "a"}
    assert [row["source"] for row in got.rows] == got.ids
    assert got.source.name == "raw"
    assert got.source.root == root.resolve()


def test_files_of_another_kind_are_counted(read: ReadSource, write: Write) -> None:
    """Other files are ignored by suffix, what systems leave behind silently."""
    files = ["a.txt", "b.PDF", "c.pdf", "LICENSE", ".hidden.txt", ".git/x.txt", "desktop.ini"]
    files += ["__MACOSX/a.txt", "Thumbs.db", "sub/d.csv"]
    got = read(write(dict.fromkeys(files, "x")))
    assert got.ids == ["a.txt"]
    assert got.source.ignored == {"": 1, ".csv": 1, ".pdf": 2}


def test_links_are_never_followed(read: ReadSource, write: Write, tmp_path: Path) -> None:
    """Links to files and folders, rings among them, are counted and passed over."""
    root = write({"a.txt": "a"})
    (tmp_path / "secret.txt").write_text("secret")
    (root / "b.txt").symlink_to(tmp_path / "secret.txt")
    (root / "loop").symlink_to(root, target_is_directory=True)
    got = read(root)
    assert got.ids == ["a.txt"]
    assert got.source.ignored == {"symlink": 2}


def test_source_itself_may_be_a_link(read: ReadSource, write: Write, tmp_path: Path) -> None:
    """What the user names is followed; its own name stays the name."""
    root = write({"a.txt": "a"})
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    (tmp_path / "link.txt").symlink_to(root / "a.txt")
    assert read(tmp_path / "link").contents == {"a.txt": "a"}
    assert read(tmp_path / "link").source.name == "link"
    assert read(tmp_path / "link.txt").contents == {"link.txt": "a"}


def test_the_table_inside_the_source_is_left_out(read: ReadSource, write: Write) -> None:
    """OUT inside SOURCE is no input."""
    root = write({"a.txt": "a", "run/table/b.txt": "b", "run/c.txt": "c"})
    assert read(root, out=root / "run" / "table").ids == ["a.txt", "run/c.txt"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf8_are_rejected(read: ReadSource, write: Write) -> None:
    """Only the offending bytes, and %, are escaped; good names stay as they are."""
    root = write({"100%.txt": "good"})
    for name in (b"caf\xe9 50%.txt", b"d\xff/x.txt"):
        path = Path(os.fsdecode(os.fsencode(root) + b"/" + name))
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    got = read(root)
    assert got.ids == ["100%.txt", "caf%E9 50%25.txt", "d%FF/x.txt"]
    assert got.reasons == dict.fromkeys(got.ids[1:], "bad_name")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_never_blocks(read: ReadSource, write: Write) -> None:
    """What is no regular file is rejected without being opened."""
    root = write({"a.txt": "a"})
    os.mkfifo(root / "pipe.txt")
    assert read(root).reasons == {"pipe.txt": "unreadable"}
    with pytest.raises(SourceError, match="neither a folder nor a regular file"):
        read(root / "pipe.txt")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_rejected(read: ReadSource, write: Write) -> None:
    """A closed file and a closed folder are inputs that could not be read."""
    root = write({"a.txt": "a", "b.txt": "b", "closed/c.txt": "c"})
    (root / "b.txt").chmod(0)
    (root / "closed").chmod(0)
    got = read(root)
    (root / "closed").chmod(0o700)
    assert got.reasons == {"b.txt": "unreadable", "closed": "unreadable"}


def test_contents_that_say_nothing_or_are_no_text(read: ReadSource, write: Write) -> None:
    """Empty files, white space and other encodings are rejected, with the offset."""
    root = write(
        {"a.txt": b"", "b.txt": " \n\u3000", "c.txt": b"ab\xffc", "d.txt": b"\xef\xbb\xbf"}
    )
    got = read(root)
    assert got.reasons == {
        "a.txt": "empty",
        "b.txt": "empty",
        "c.txt": "bad_utf8",
        "d.txt": "empty",
    }
    assert got.details["c.txt"] == "byte 0xff at offset 2 is not UTF-8"


def test_huge_files_are_not_read(read: ReadSource, write: Write) -> None:
    """A file beyond 256 MiB is too large, and is not opened into memory."""
    root = write({"a.txt": "a"})
    with (root / "huge.txt").open("wb") as file:
        file.truncate((256 << 20) + 1)
    assert read(root).reasons == {"huge.txt": "too_large"}


def test_a_file_gone_after_the_scan_is_unreadable(read: ReadSource, write: Write) -> None:
    """Loading says what the system says, without the path."""
    root = write({"a.txt": "a"})
    source = read(root).source
    (root / "a.txt").unlink()
    with pytest.raises(InputRejected, match=r"^unreadable: No such file or directory$"):
        source.load(Record("a.txt", "a.txt", None, "a.txt"))


LABELLED = [
    ({"x/a.txt": "a", "y/b.txt": "b"}, {}, ["x", "y"]),
    ({"x/a.txt": "a", "y/b.txt": "b", "README.pdf": "r", "z/1/i.jpg": "i"}, "text", ["x", "y"]),
    ({"a.txt": "a", "y/b.txt": "b"}, {}, [None, None]),
    ({"x/1/a.txt": "a", "y/b.txt": "b"}, {}, [None, None]),
    ({"a.txt": "a", "x/1/b.txt": "b"}, {"label_from": "parent"}, [None, "1"]),
    ({"a.txt": "a", "x/1/b.txt": "b"}, {"label_from": "top"}, [None, "x"]),
]


@pytest.mark.parametrize(("files", "options", "labels"), LABELLED)
def test_labels_are_folders(
    read: ReadSource,
    write: Write,
    files: dict[str, str],
    options: Any,
    labels: list[str | None],
) -> None:
    """The parent folder if every accepted file lies one level deep, else what --label-from says."""
    chosen = {"modality": options} if isinstance(options, str) else options
    assert list(read(write(files), **chosen).labels.values()) == labels


def test_a_folder_of_both_kinds(read: ReadSource, write: Write) -> None:
    """Both are read, texts as such and images as bytes, or one with the other ignored."""
    root = write({"a.txt": "a", "b.jpg": "b", "c.bin": "c"})
    both = read(root)
    assert both.source.modalities == (Modality.TEXT, Modality.IMAGE)
    assert both.contents == {"a.txt": "a", "b.jpg": b"b"}
    assert both.source.ignored == {".bin": 1}
    root.joinpath("c.bin").unlink()
    assert read(root, modality="text").source.ignored == {".jpg": 1}
    assert read(root, modality="image").contents == {"b.jpg": b"b"}


def test_no_input_names_what_was_seen(read: ReadSource, write: Write) -> None:
    """Nothing to read is an error with the extensions, and a hint where tables lie there."""
    with pytest.raises(SourceError, match=r"\.csv \(1\), \.pdf \(2\)") as caught:
        read(write({"a.pdf": "x", "s/b.pdf": "x", "c.csv": "text\na\n"}))
    assert "name that file itself as SOURCE" in caught.value.fix


def test_a_folder_of_links_says_so(read: ReadSource, write: Write) -> None:
    """Links are not followed; a folder of nothing else is not called empty."""
    root = write({"a.txt": "a"})
    links = root / "links"
    links.mkdir()
    for name in ("1.txt", "2.txt"):
        (links / name).symlink_to(root / "a.txt")
    with pytest.raises(SourceError, match=r"symbolic links \(2\) are not followed"):
        read(links)
    (links / "c.pdf").touch()
    with pytest.raises(SourceError, match=r"files are \.pdf \(1\); symbolic links \(2\)"):
        read(links)


def test_a_file_that_grows_while_it_is_read_is_read_whole(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size it had before is no limit."""
    path = write({"a.txt": "the whole text"}) / "a.txt"
    fstat = os.fstat

    def before(handle: int) -> os.stat_result:
        facts = list(fstat(handle))
        facts[stat.ST_SIZE] = 3
        return os.stat_result(facts)

    monkeypatch.setattr(os, "fstat", before)
    assert read_bytes(path) == b"the whole text"


@pytest.mark.parametrize(
    ("files", "options", "said"),
    [
        (["a.txt", "b.txt"], {}, None),
        (["x/a.txt", "y/b.txt"], {}, "The name of each file's folder is taken as its label."),
        (["a.txt", "x/b.txt"], {}, "different depths"),
        (["x/a.txt", "x/y/b.txt"], {}, "different depths"),
        (["x/y/a.txt", "x/z/b.txt"], {}, "2 folders deep"),
        (["a.txt", "x/b.txt"], {"label_from": "parent"}, None),
    ],
)
def test_what_becomes_of_labels_is_said(
    read: ReadSource, write: Write, files: list[str], options: dict[str, str], said: str | None
) -> None:
    """Where folders could be labels a note says whether they are, and which option decides."""
    notes = read(write(dict.fromkeys(files, "x")), **options).source.notes
    if said is None:
        assert notes == []
        return
    assert said in notes[0]
    assert ("--label-from parent or top" in notes[0]) == ("folder is taken as its" not in said)


def test_missing_and_unknown_sources(read: ReadSource, write: Write, tmp_path: Path) -> None:
    """A path that is not there, an empty folder, a file of no known kind: no input."""
    (tmp_path / "empty").mkdir()
    unknown = write({"a.docx": "x"}) / "a.docx"
    for path in (tmp_path / "nowhere", tmp_path / "empty", unknown):
        with pytest.raises(SourceError, match="No input found"):
            read(path)


def test_single_files(read: ReadSource, write: Write) -> None:
    """One text or one image is a source; its name is its id."""
    root = write({"a.txt": "a", "b.JPG": b"\xff\xd8"})
    assert read(root / "a.txt").contents == {"a.txt": "a"}
    assert read(root / "b.JPG").contents == {"b.JPG": b"\xff\xd8"}
    for options in ({"modality": "image"}, {"label_from": "parent"}):
        with pytest.raises(UsageError):
            read(root / "a.txt", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"text_column": "t"},
        {"image_column": "t"},
        {"id_column": "t"},
        {"label_column": "t"},
        {"rename": ("a=b",)},
        {"image_root": "."},
        {"delimiter": ";"},
        {"encoding": "cp1252"},
        {"label_from": "top", "label_column": "t"},
    ],
)
def test_column_options_say_nothing_to_folders(
    read: ReadSource, write: Write, options: dict[str, Any]
) -> None:
    """An option that could not be followed is refused, not passed over."""
    root = write({"a.txt": "a"})
    for path in (root, root / "a.txt"):
        with pytest.raises(UsageError):
            read(path, **options)


def test_ten_thousand_files_are_listed_in_a_second(read: ReadSource, tmp_path: Path) -> None:
    """Folders larger than one batch are listed whole."""
    for folder in range(10):
        (tmp_path / f"{folder}").mkdir()
        for number in range(1000):
            (tmp_path / f"{folder}" / f"{number}.md").write_text("x")
    got = read(tmp_path)
    assert len(got.contents) == 10_000
    assert set(got.labels.values()) == set("0123456789")
