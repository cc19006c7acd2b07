"""Tar and zip files: members as inputs, sidecars as columns, and no silent end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import shutil
import struct
import subprocess
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurize.config import Job
from featurize.errors import InputRejected, SourceError, UsageError
from featurize.sources import Record, open_source, packed, tarred

if TYPE_CHECKING:
    from conftest import ReadSource

Write = Callable[..., Path]
TARS = [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"]
FORMATS = [*TARS, ".zip"]
FILES = {"b/two.TXT": "two", "a/one.md": "\ufeffeins", "a/ü.txt": "ü", "c.pdf": "%PDF"}


def tar_bytes(files: dict[str, bytes | str], **options: Any) -> bytes:
    """Return a tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zip_bytes(files: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def packed_as(suffix: str, files: dict[str, bytes | str]) -> bytes:
    """Return an archive of the kind a suffix names."""
    if suffix == ".zip":
        return zip_bytes(files)
    compress = {"gz": gzip.compress, "tgz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    return compress.get(suffix.rpartition(".")[2], bytes)(tar_bytes(files))


def archive(folder: Path, content: bytes, name: str = "x.tar") -> Path:
    """Write an archive."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# What is read


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_member_of_a_kind_is_one_input(read: ReadSource, tmp_path: Path, suffix: str) -> None:
    """Ids are archive and member, the source is the archive, other kinds are counted."""
    name = "x" + suffix
    got = read(archive(tmp_path, packed_as(suffix, FILES), name))
    assert got.contents == {
        f"{name}/a/one.md": "eins",
        f"{name}/a/ü.txt": "ü",
        f"{name}/b/two.TXT": "two",
    }
    assert {row["source"] for row in got.rows} == {name}
    assert got.source.name == name
    assert got.source.ignored == {".pdf": 1}
    assert got.labels[f"{name}/a/one.md"] == "a"


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_folder_of_archives_reads_as_one_source(
    read: ReadSource, tmp_path: Path, suffix: str
) -> None:
    """Every archive below counts, what else lies there is ignored, links are not followed."""
    root = tmp_path / "shards"
    for number in range(2):
        files = {f"{number}.txt": f"text {number}"}
        archive(root / "sub", packed_as(suffix, files), f"s-{number}{suffix}")
    (root / "index.idx").touch()
    (root / f"link{suffix}").symlink_to(root / "sub" / f"s-0{suffix}")
    archive(root / "out", b"no archive", "y.tar")
    got = read(root, out=root / "out")
    assert got.contents == {
        f"sub/s-0{suffix}/0.txt": "text 0",
        f"sub/s-1{suffix}/1.txt": "text 1",
    }
    assert [row["source"] for row in got.rows] == [f"sub/s-0{suffix}", f"sub/s-1{suffix}"]
    assert got.source.ignored == {".idx": 1, "symlink": 1}
    assert set(got.labels.values()) == {None}


def test_loose_files_leave_archives_out(read: ReadSource, write: Write) -> None:
    """Where files lie loose they are the inputs, and a note says so, unless they are of no use."""
    root = write({"a.txt": "a", "x.tar": tar_bytes({"b.jpg": b"jpg"}), "y.zip": zip_bytes({})})
    got = read(root)
    assert got.ids == ["a.txt"]
    assert got.source.ignored == {".tar": 1, ".zip": 1}
    assert "2 archives are left out" in got.source.notes[0]
    images = read(root, modality="image")
    assert images.contents == {"x.tar/b.jpg": b"jpg"}
    assert images.source.ignored == {".txt": 1}


def test_a_link_to_an_archive_is_read(read: ReadSource, tmp_path: Path) -> None:
    """What the user names is followed, and keeps the name it was given."""
    real = archive(tmp_path, tar_bytes({"a.txt": "a"}), "real.tar")
    (tmp_path / "link.tar").symlink_to(real)
    assert read(tmp_path / "link.tar").contents == {"link.tar/a.txt": "a"}


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".zip"])
def test_names_are_never_paths(read: ReadSource, tmp_path: Path, suffix: str) -> None:
    """A name that leads out is rejected, hidden ones are passed over, ./ says nothing."""
    files = {
        "./d/a.txt": "a",
        "d//b.txt": "b",
        "../up.txt": "x",
        "d/../../up.txt": "x",
        "/etc/abs.txt": "x",
        ".hidden.txt": "x",
        "__MACOSX/d/._a.txt": "x",
        "d/.git/c.txt": "x",
        "d/Thumbs.db": "x",
        "nested.tar": tar_bytes({"n.txt": "n"}),
    }
    got = read(archive(tmp_path, packed_as(suffix, files), "x" + suffix))
    assert {key.split("/", 1)[1] for key in got.contents} == {"d/a.txt", "d/b.txt"}
    assert {key.split("/", 1)[1]: value for key, value in got.reasons.items()} == {
        "../up.txt": "outside_root",
        "d/../../up.txt": "outside_root",
        "/etc/abs.txt": "outside_root",
    }
    assert got.source.ignored == {".tar": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x" + suffix]


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".zip"])
def test_names_that_are_not_utf8_are_rejected(
    read: ReadSource, tmp_path: Path, suffix: str
) -> None:
    """The id of such a member is escaped; the others are read."""
    content = packed_as(suffix.removesuffix(".gz"), {"aXb 5%.txt": "x", "ok 5%.txt": "ok"})
    if suffix == ".zip":
        content = content.replace(b"aXb", b"a\xffb")
    else:
        named = {"a\udcffb 5%.txt": "x", "ok 5%.txt": "ok"}
        content = tar_bytes(named, encoding="utf-8", errors="surrogateescape")
    if suffix.endswith(".gz"):
        content = gzip.compress(content)
    got = read(archive(tmp_path, content, "x" + suffix))
    assert got.reasons == {f"x{suffix}/a%FFb 5%25.txt": "bad_name"}
    assert got.contents == {f"x{suffix}/ok 5%.txt": "ok"}


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".zip"])
def test_contents_are_judged_as_those_of_files(
    read: ReadSource, tmp_path: Path, suffix: str
) -> None:
    """Empty texts and other encodings are rejected, and a name comes once."""
    pairs = [("a.txt", b""), ("b.txt", b" \n"), ("c.txt", b"ab\xff"), ("d.txt", b"1")]
    buffer = io.BytesIO()
    if suffix == ".zip":
        with zipfile.ZipFile(buffer, "w") as target, pytest.warns(UserWarning, match="Duplicate"):
            for name, data in [*pairs, ("d.txt", b"2")]:
                target.writestr(name, data)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz" if "gz" in suffix else "w") as tar:
            for name, data in [*pairs, ("d.txt", b"2")]:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    got = read(archive(tmp_path, buffer.getvalue(), "x" + suffix))
    assert [row["reason"] for row in got.rows][-2:] == [None, "duplicate_id"]
    assert got.contents == {f"x{suffix}/d.txt": "1"}
    reasons = {key.rpartition("/")[2]: reason for key, reason in got.reasons.items()}
    assert reasons == {
        "a.txt": "empty",
        "b.txt": "empty",
        "c.txt": "bad_utf8",
        "d.txt": "duplicate_id",
    }


@pytest.mark.parametrize("suffix", FORMATS)
def test_both_kinds_or_none(read: ReadSource, tmp_path: Path, suffix: str) -> None:
    """Both kinds are read, or one of them; without inputs the suffixes seen are named."""
    both = archive(tmp_path, packed_as(suffix, {"a.txt": "a", "b.jpg": b"b"}), "both" + suffix)
    name = f"both{suffix}"
    assert read(both).contents == {f"{name}/a.txt": "a", f"{name}/b.jpg": b"b"}
    assert read(both, modality="image").contents == {f"both{suffix}/b.jpg": b"b"}
    assert read(both, modality="text").source.ignored == {".jpg": 1}
    none = archive(tmp_path, packed_as(suffix, {"a.csv": "a", "b": "b"}), "none" + suffix)
    with pytest.raises(SourceError, match=r"no extension \(1\), \.csv \(1\)"):
        read(none)
    with pytest.raises(SourceError, match="it holds no file"):
        read(archive(tmp_path, packed_as(suffix, {}), "empty" + suffix))


def test_links_and_devices_in_a_tar_are_counted(read: ReadSource, tmp_path: Path) -> None:
    """Only regular files are inputs; a link to /etc/passwd is never followed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind in [
            ("dir", tarfile.DIRTYPE),
            ("s.txt", tarfile.SYMTYPE),
            ("h.txt", tarfile.LNKTYPE),
            ("c.txt", tarfile.CHRTYPE),
            ("p.txt", tarfile.FIFOTYPE),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        info = tarfile.TarInfo("a.txt")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"a"))
    got = read(archive(tmp_path, buffer.getvalue()))
    assert got.contents == {"x.tar/a.txt": "a"}
    assert got.source.ignored == {"device": 2, "hardlink": 1, "symlink": 1}


def test_links_in_a_zip_are_counted(read: ReadSource, tmp_path: Path) -> None:
    """A zip made on Unix may hold links too."""
    info = zipfile.ZipInfo("s.txt")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr(info, "/etc/passwd")
        target.writestr("a.txt", "a")
        target.mkdir("folder")
    got = read(archive(tmp_path, buffer.getvalue(), "x.zip"))
    assert got.contents == {"x.zip/a.txt": "a"}
    assert got.source.ignored == {"symlink": 1}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_extended_headers(read: ReadSource, tmp_path: Path, form: int) -> None:
    """Names beyond 100 bytes come whole, in both ways of writing them."""
    names = ["d" * 120 + "/" + "f" * 150 + ".txt", "é" * 90 + ".txt", "short.txt"]
    options = {"pax_headers": {"comment": "for all"}} if form == tarfile.PAX_FORMAT else {}
    content = tar_bytes({name: name for name in names}, format=form, **options)
    got = read(archive(tmp_path, content))
    assert got.contents == {f"x.tar/{name}": name for name in names}


@pytest.mark.skipif(shutil.which("tar") is None, reason="needs GNU tar")
@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_sparse_members_are_unsupported(read: ReadSource, tmp_path: Path, form: str) -> None:
    """A member with holes is rejected by its real name, and what follows it is read."""
    with (tmp_path / "sparse.txt").open("wb") as file:
        for hole in range(40):
            file.seek(hole * 100_000)
            file.write(b"data")
    (tmp_path / "z.txt").write_text("z")
    command = ["tar", f"--format={form}", "-S", "-cf", "x.tar", "sparse.txt", "z.txt"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)
    if done.returncode:
        pytest.skip("this tar knows no such option")
    got = read(tmp_path / "x.tar")
    assert got.reasons == {"x.tar/sparse.txt": "unsupported"}
    assert got.contents == {"x.tar/z.txt": "z"}


@pytest.mark.skipif(shutil.which("tar") is None, reason="needs GNU tar")
@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "posix", "gnu --incremental"])
def test_archives_that_tar_itself_makes(read: ReadSource, write: Write, form: str) -> None:
    """Every format of GNU tar is read, with the times it puts where names go on elsewhere."""
    root = write({"d/a.txt": "a", "d/e/b.txt": "b"})
    command = ["tar", *f"--format={form}".split(), "-cf", "x.tar", "d"]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True)
    if done.returncode:
        pytest.skip("this tar knows no such option")
    got = read(root / "x.tar")
    assert got.contents == {"x.tar/d/a.txt": "a", "x.tar/d/e/b.txt": "b"}
    assert got.source.ignored == {}


def test_options_of_table_files_are_refused(tmp_path: Path) -> None:
    """An archive has columns only where sidecars bring them."""
    path = archive(tmp_path, tar_bytes({"a.txt": "a"}))
    for options in ({"text_column": "t"}, {"id_column": "i"}, {"delimiter": ";"}):
        with pytest.raises(UsageError, match="table files|CSV"):
            open_source(Job(path, out=tmp_path / "out", **options))
    for options in ({"label_column": "t"}, {"rename": ("a=b",)}):
        with pytest.raises(UsageError, match="has none"):
            open_source(Job(path, out=tmp_path / "out", **options))


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_an_archive_that_changes_is_noticed(tmp_path: Path, suffix: str) -> None:
    """Members listed from one archive are not read from another of the same name."""
    path = archive(tmp_path, packed_as(suffix, {"a.txt": "one"}), "x" + suffix)
    source = open_source(Job(path, out=tmp_path / "out"))
    (row,) = next(iter(source.scan())).to_pylist()
    entry = Record(row["id"], row["source"], row["content"], row["path"])
    assert source.load(entry) == "one"
    path.write_bytes(packed_as(suffix, {"a.txt": "another"}))
    with pytest.raises(InputRejected, match="changed during the run"):
        source.load(entry)
    with pytest.raises(SourceError, match="changed while it was read"):
        list(source.scan())


# Sidecars, as WebDataset names them

SHARD: dict[str, bytes | str] = {
    "000.cls": "3",
    "000.jpg": b"jpg0",
    "000.json": '{"width_mm": 7, "who": "ann", "label": "unused"}',
    "000.txt": "a red fox",
    "001.json": '{"who": null, "width_mm": 2.5}',
    "001.left.jpg": b"jpg1 left",
    "001.right.jpg": b"jpg1 right",
    "001.cls": "12\n",
    "002.png": b"png2",
    "dataset.json": "no object",
    "orphan.txt": "belongs to nothing",
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("order", ["as named", "sidecars last", "sidecars first"])
def test_sidecars_become_label_columns_and_caption(
    read: ReadSource, tmp_path: Path, suffix: str, order: str
) -> None:
    """What shares the name up to its first dot describes the sample, wherever it stands."""
    names = list(SHARD)
    if order != "as named":
        names.sort(key=lambda name: name.endswith("g"), reverse=order == "sidecars last")
    name = "x" + suffix
    path = archive(tmp_path, packed_as(suffix, {key: SHARD[key] for key in names}), name)
    got = read(path, modality="image")
    ids = [f"{name}/{key}" for key in ("000.jpg", "001.left.jpg", "001.right.jpg", "002.png")]
    assert got.ids == ids
    assert got.labels == dict(zip(ids, [3, 12, 12, None], strict=True))
    assert got.column("width_mm") == dict(zip(ids, [7.0, 2.5, 2.5, None], strict=True))
    assert got.column("who") == dict(zip(ids, ["ann", None, None, None], strict=True))
    assert got.column("caption") == dict(zip(ids, ["a red fox", None, None, None], strict=True))
    assert got.source.ignored == {".json": 1, ".txt": 1}


def test_labels_of_names_keep_numbers_as_they_stand(read: ReadSource, tmp_path: Path) -> None:
    """Classes are integers where all are, else exactly the strings that were written."""
    files = {"a.jpg": "x", "a.cls": "cat", "b.jpg": "x", "b.cls": "7", "c.jpg": "x", "c.cls": "007"}
    got = read(archive(tmp_path, tar_bytes(files)))
    assert list(got.labels.values()) == ["cat", "7", "007"]
    assert read(archive(tmp_path, tar_bytes({"a.jpg": "x", "a.cls": " "}))).labels == {
        "x.tar/a.jpg": None
    }


def test_texts_have_sidecars_too(read: ReadSource, tmp_path: Path) -> None:
    """Where texts are embedded, .txt is the input and the key `label` the label."""
    files = {"a.txt": "text", "a.json": '{"label": true, "n": 1}', "b.txt": "other"}
    got = read(archive(tmp_path, tar_bytes(files)))
    assert got.contents == {"x.tar/a.txt": "text", "x.tar/b.txt": "other"}
    assert got.labels == {"x.tar/a.txt": True, "x.tar/b.txt": None}
    assert got.source.columns().names == ["n"]
    assert got.source.ignored == {}


def test_rules_of_columns_hold_for_sidecars(read: ReadSource, tmp_path: Path) -> None:
    """Reserved names need --rename, --label-column names a key, --label-from the folder."""
    path = archive(tmp_path, tar_bytes({"d/a.jpg": "x", "d/a.json": '{"width": 1, "kind": "k"}'}))
    with pytest.raises(UsageError, match="'width'") as caught:
        read(path)
    assert "--rename width=NEW" in caught.value.fix
    got = read(path, rename=("width=w",), label_column="kind")
    assert got.source.columns().names == ["w"]
    assert got.labels == {"x.tar/d/a.jpg": "k"}
    labelled = archive(tmp_path, tar_bytes({"d/a.jpg": "x", "d/a.cls": "1"}))
    assert read(labelled).labels == {"x.tar/d/a.jpg": 1}
    assert read(labelled, label_from="parent").labels == {"x.tar/d/a.jpg": "d"}
    assert read(labelled, rename=("label=cls",)).labels == {"x.tar/d/a.jpg": "d"}


def test_a_bad_sidecar_rejects_its_sample_only(read: ReadSource, tmp_path: Path) -> None:
    """A sample whose description cannot be read is a reject that says why."""
    files = {
        **{f"{key}.jpg": "x" for key in "abcdef"},
        "a.json": "[1]",
        "b.json": "{broken",
        "c.cls": b"\xff",
        "d.json": b"{" + b" " * (1 << 20) + b"}",
        "e.json": "",
        "f.json": '\ufeff{"n": 1}',
    }
    got = read(archive(tmp_path, tar_bytes(files)))
    assert got.contents == {"x.tar/f.jpg": b"x"}
    assert [reason for _, reason in sorted(got.reasons.items())] == [
        "bad_row",
        "bad_row",
        "bad_utf8",
        "too_large",
        "empty",
    ]
    assert got.details["x.tar/a.jpg"] == "its .json: expected an object, found an array"
    assert got.column("n")["x.tar/f.jpg"] == 1


# Damage


def outcome(content: bytes, name: str, folder: Path) -> dict[str, object] | str:
    """Return every member's content or reject, or the error of the archive."""
    path = archive(folder, content, name)
    try:
        source = open_source(Job(path, out=folder / "out"))
        rows = [row for batch in source.scan() for row in batch.to_pylist()]
    except (SourceError, UsageError) as error:
        return str(error)
    found: dict[str, object] = dict(source.ignored)
    for row in rows:
        try:
            if row["reason"] is None:
                entry = Record(row["id"], row["source"], row["content"], row["path"])
                found[row["id"]] = source.load(entry)
                continue
        except InputRejected as error:
            row["reason"] = str(error)
        found[row["id"]] = ("rejected", row["reason"])
    return found


MANY: dict[str, bytes | str] = {
    f"d/{number:03}.txt": f"text {number} " + "x" * (number * 97 % 1500) for number in range(24)
}


def header_offsets(content: bytes) -> list[int]:
    """Return where the headers of a tar file begin, extended ones included."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = tar.getmembers()
    return sorted({at for one in members for at in (one.offset, one.offset_data - 512)})


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_flip_in_any_header_of_a_tar_is_an_error(tmp_path: Path, form: int) -> None:
    """Python's tarfile ends silently at most of these; here not one passes unnoticed."""
    long = {} if form == tarfile.USTAR_FORMAT else {f"d/{'n' * 120}{n}.txt": "x" for n in range(6)}
    content = tar_bytes(MANY | long, format=form)
    whole = outcome(content, "x.tar", tmp_path)
    draw = random.Random(form)
    silent = 0
    for offset in header_offsets(content):
        for at in draw.sample(range(offset, offset + 512), 20):
            flipped = bytearray(content)
            flipped[at] ^= draw.randrange(1, 256)
            found = outcome(bytes(flipped), "x.tar", tmp_path)
            silent += not isinstance(found, str) and found != whole
            # Within the checksum's own field, a space or NUL may change and mean the same.
            if not 148 <= at - offset < 156:
                assert isinstance(found, str)
                assert found.startswith("x.tar is damaged")
    assert silent == 0


def test_every_cut_of_a_tar_is_an_error(tmp_path: Path) -> None:
    """Cut at every block and at random places, a tar never reads as a shorter one."""
    content = tar_bytes(MANY)
    whole = outcome(content, "x.tar", tmp_path)
    draw = random.Random(1)
    cuts = [*range(0, len(content), 512), *(draw.randrange(len(content)) for _ in range(200))]
    for cut in cuts:
        found = outcome(content[:cut], "x.tar", tmp_path)
        assert isinstance(found, str) or found == whole, cut


@pytest.mark.parametrize("suffix", TARS[1:])
def test_damage_of_a_compressed_tar_is_an_error(tmp_path: Path, suffix: str) -> None:
    """Flips and cuts anywhere in the compressed bytes are found by checksum or by end mark."""
    content = packed_as(suffix, MANY)
    whole = outcome(content, "x" + suffix, tmp_path)
    draw = random.Random(2)
    for _ in range(60):
        at = draw.randrange(len(content))
        flipped = bytearray(content)
        flipped[at] ^= 1 << draw.randrange(8)
        for damaged in (bytes(flipped), content[:at]):
            found = outcome(damaged, "x" + suffix, tmp_path)
            assert isinstance(found, str) or found == whole, at


def test_damage_of_a_zip_is_an_error_or_a_reject(tmp_path: Path) -> None:
    """Nothing is lost or changed unseen, wherever a byte is flipped or the file cut."""
    content = zip_bytes(MANY)
    whole = outcome(content, "x.zip", tmp_path)
    assert isinstance(whole, dict)
    draw = random.Random(3)
    for _ in range(700):
        at = draw.randrange(len(content))
        flipped = bytearray(content)
        flipped[at] ^= draw.randrange(1, 256)
        found = outcome(bytes(flipped), "x.zip", tmp_path)
        if isinstance(found, dict):
            for key, value in whole.items():
                rejected = isinstance(found.get(key), tuple)
                counted = key not in found and {"symlink", "device"} & found.keys()
                assert found.get(key) == value or rejected or counted, at
        assert isinstance(outcome(content[:at], "x.zip", tmp_path), str), at


def test_the_error_names_the_archive_and_the_last_whole_member(tmp_path: Path) -> None:
    """The message says how far the archive is good."""
    content = bytearray(tar_bytes({"a.txt": "a", "b.txt": "b", "c.txt": "c"}))
    content[3 * 512 + 512 + 1] ^= 1
    found = outcome(bytes(content), "x.tar", tmp_path)
    assert isinstance(found, str)
    assert found.startswith("x.tar is damaged after member 2 (b.txt): a header is not sound")
    content = bytearray(tar_bytes({"a.txt": "a"}))
    assert "before its first member" in str(outcome(b"\0" * 100, "x.tar", tmp_path))
    for wrong, why in [
        (content[:1024], "end mark is missing"),
        (content[:1536], "end mark is missing"),
        (content[:1024] + b"\0" * 700, "middle of a block"),
        (content + content, "archives were joined"),
        (content[:-1] + b"x", "other data follow"),
        (b"", "end mark is missing"),
    ]:
        assert why in str(outcome(bytes(wrong), "x.tar", tmp_path))
    assert "disagree" in str(
        outcome(zip_bytes({"a.txt": "a"}).replace(b"a.txt", b"b.txt", 1), "x.zip", tmp_path)
    )
    joined = zip_bytes({"a.txt": "a"}) + zip_bytes({"b.txt": "b"})
    assert "archives were joined" in str(outcome(joined, "x.zip", tmp_path))


def test_extended_headers_cannot_exhaust_memory(tmp_path: Path) -> None:
    """An extended header that claims gigabytes is damage, as is a malformed record."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    assert "extended header claims" in str(outcome(info.tobuf(), "x.tar", tmp_path))
    for record in (b"5 a=b", b"99 a=b\n", b"x a=b\n", b"6 a+b\n", b"0 \n"):
        info.size = len(record)
        content = info.tobuf() + record.ljust(512, b"\0")
        assert "record" in str(outcome(content, "x.tar", tmp_path))


def test_a_tar_that_expands_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is compressed beyond any real data stops early instead of filling the disk."""
    monkeypatch.setattr(tarred, "_EXPANDS_ALWAYS", 1 << 20)
    bomb = gzip.compress(tar_bytes({"a.txt": "a", "zeros.bin": bytes(20 << 20)}))
    assert "more than 200 times" in str(outcome(bomb, "x.tar.gz", tmp_path))


# Limits and odd zips


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".zip"])
def test_huge_members_are_rejected_by_their_header(
    read: ReadSource, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member over the limit is too large, and is not taken into memory."""
    monkeypatch.setattr("featurize.sources.files.MAX_BYTES", 1000)
    files = {"big.txt": "x" * 1001, "fits.txt": "y" * 1000}
    got = read(archive(tmp_path, packed_as(suffix, files), "x" + suffix))
    assert got.reasons == {f"x{suffix}/big.txt": "too_large"}
    assert list(got.contents) == [f"x{suffix}/fits.txt"]


def test_a_lying_header_cannot_fill_memory(read: ReadSource, tmp_path: Path) -> None:
    """A member that unpacks to more than it said is rejected after what it said."""
    content = zip_bytes({"a.txt": bytes(200 << 20)})
    lying = content.replace(struct.pack("<L", 200 << 20), struct.pack("<L", 1000))
    path = archive(tmp_path, lying, "x.zip")
    tracemalloc.start()
    got = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert got.reasons == {"x.zip/a.txt": "unreadable"}
    assert "1000 bytes were promised, and more found" in got.details["x.zip/a.txt"]
    assert peak < 20 << 20


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_methods_of_a_zip(read: ReadSource, tmp_path: Path, method: int) -> None:
    """Stored, deflated and bzip2 members are read, and their checksums verified."""
    text = "text " * 1000
    content = zip_bytes({"a.txt": text, "b.txt": "b"}, method)
    assert read(archive(tmp_path, content, "x.zip")).contents["x.zip/a.txt"] == text
    crc = struct.pack("<L", zipfile.ZipFile(io.BytesIO(content)).getinfo("a.txt").CRC)
    wrong = content.replace(crc, b"abcd")
    got = read(archive(tmp_path, wrong, "x.zip"))
    assert got.reasons == {"x.zip/a.txt": "unreadable"}
    assert "checksum" in got.details["x.zip/a.txt"]


def test_what_a_zip_may_hide(read: ReadSource, tmp_path: Path) -> None:
    """Encrypted members and other compressions are rejects with a reason of their own."""
    content = bytearray(zip_bytes({"a.txt": "a", "b.txt": "b"}))
    content[content.index(b"PK\1\2") + 8] |= 1
    got = read(archive(tmp_path, bytes(content), "x.zip"))
    assert got.reasons == {"x.zip/a.txt": "unreadable"}
    assert got.details["x.zip/a.txt"] == "the member is encrypted"
    got = read(archive(tmp_path, zip_bytes({"a.txt": "a"}, zipfile.ZIP_LZMA), "x.zip"))
    assert got.reasons == {"x.zip/a.txt": "unsupported"}


def test_names_in_utf8_need_no_mark(read: ReadSource, tmp_path: Path) -> None:
    """Archives that hold UTF-8 names without saying so, as some systems write them, are read."""
    content = zip_bytes({"aXYb.txt": "x"}).replace(b"aXYb", "aüb".encode())
    assert read(archive(tmp_path, content, "x.zip")).ids == ["x.zip/aüb.txt"]


def test_large_archives(read: ReadSource, tmp_path: Path) -> None:
    """More members than 16 bits count, sizes that 64 bits state, and comments are read."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as target:
        for number in range(65_600):
            target.writestr(zipfile.ZipInfo(f"{number}.bin"), b"")
        with target.open("a.txt", "w", force_zip64=True) as member:
            member.write(b"a")
        target.comment = b"PK\5\6 in a comment"
    got = read(path)
    assert got.contents == {"x.zip/a.txt": "a"}
    assert got.source.ignored == {".bin": 65_600}


def test_figures_of_64_bits(read: ReadSource, tmp_path: Path, monkeypatch: Any) -> None:
    """Sizes and offsets beyond 32 bits stand in the extra field."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    content = zip_bytes({"a.txt": "first text of all", "b.txt": "the second text"})
    monkeypatch.undo()
    got = read(archive(tmp_path, content, "x.zip"))
    assert got.contents == {"x.zip/a.txt": "first text of all", "x.zip/b.txt": "the second text"}


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=st.dictionaries(NAMES.map("d/_{}.txt".format), st.binary(max_size=2000), min_size=1))
def test_any_archive_reads_as_the_libraries_read_it(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    """Whatever tarfile and zipfile write comes back under the same names, byte for byte."""
    for suffix in (".tar", ".tar.gz", ".zip"):
        path = archive(tmp_path, packed_as(suffix, dict(files)), "x" + suffix)
        source = open_source(Job(path, out=tmp_path / "out"))
        rows = [row for batch in source.scan() for row in batch.to_pylist()]
        found = {row["id"].removeprefix(f"x{suffix}/"): row["size"] for row in rows}
        assert found.keys() == files.keys()
        if suffix != ".tar.gz":
            sizes = {name: len(data) for name, data in files.items()}
            assert found == sizes
            for row in rows:
                if row["reason"] is None:
                    place, _ = packed.Packed.of_address(row["path"])
                    with path.open("rb") as file:
                        name = row["id"].removeprefix(f"x{suffix}/")
                        assert packed.unpack(file, place) == files[name]


def test_batches_are_bounded_by_bytes(tmp_path: Path) -> None:
    """The contents of a compressed tar come in batches of a few megabytes."""
    files = {f"{n}.jpg": random.Random(n).randbytes(1 << 20) for n in range(30)}
    path = archive(tmp_path, packed_as(".tar.gz", dict(files)), "x.tar.gz")
    source = open_source(Job(path, out=tmp_path / "out"))
    sizes = [batch.nbytes for batch in source.scan()]
    assert len(sizes) == 4
    assert max(sizes) < 9 << 20


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_threads_load_independently(tmp_path: Path, suffix: str) -> None:
    """Loads at once from one archive do not disturb each other."""
    files: dict[str, bytes | str] = {f"{n}.txt": f"{n} " * 5000 for n in range(50)}
    path = archive(tmp_path, packed_as(suffix, files), "x" + suffix)
    source = open_source(Job(path, out=tmp_path / "out"))
    rows = [row for batch in source.scan() for row in batch.to_pylist()]
    entries = [Record(row["id"], row["source"], None, row["path"]) for row in rows] * 6
    with ThreadPoolExecutor(6) as pool:
        loaded = list(pool.map(source.load, entries))
    assert loaded == [files[entry.id.removeprefix(f"x{suffix}/")] for entry in entries]
