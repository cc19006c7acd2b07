"""`featurize embed`: exit codes, JSON, ids, labels, columns, rejects."""

import csv
import gzip
import json
import os
import socket

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import featurize

SUMMARY_KEYS = (
    "table version encoder fingerprint inputs rows embedded updated unchanged deleted rejected "
    "ignored encoded seconds"
).split()


@pytest.fixture
def embed(command, tiny_text, tiny_image, tmp_path):
    """Return a function that embeds with a tiny encoder: (code, JSON, stderr, frame or None)."""

    def run(source, *options, modality="text"):
        out = tmp_path / "table"
        encoder = {"text": tiny_text, "image": tiny_image}[modality]
        code, data, err = command(
            "embed", source, "--out", out, "--encoder", encoder, "--json", *options
        )
        return code, data, err, read(out) if (out / "data").is_dir() else None

    return run


def read(table):
    """Read a table with pandas; missing strings are None."""
    frame = pd.read_parquet(table)
    for name in frame.columns[frame.dtypes == "str"]:
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    return frame


def write(path, content=b"the fox runs"):
    """Write a file with its parents."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def picture(path, shade=100, size=(40, 30)):
    """Draw and save a small image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 200 - shade // 2, 50)).save(path)
    return path


def write_csv(path, rows):
    """Write rows of equal length as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def rejects_of(table):
    """Return the rejects as id -> reason."""
    rejects = featurize.open_table(table).rejects()
    return dict(zip(*(rejects.column(name).to_pylist() for name in ("id", "reason")), strict=True))


def test_the_summary_has_every_documented_key(embed, tmp_path):
    """`--json` prints one object whose counts add up."""
    write(tmp_path / "in" / "a.txt")
    write(tmp_path / "in" / "b.txt", "")
    code, data, _, _ = embed(tmp_path / "in")
    assert code == 3
    assert [key for key in SUMMARY_KEYS if key not in data] == []
    assert data["inputs"] == data["rows"] + data["rejected"] == 2
    assert data["rows"] == data["embedded"] + data["updated"] + data["unchanged"]


def test_exit_codes_of_rejects(embed, tmp_path, command, tiny_text):
    """Rejects exit 3; within --max-rejects 0; above it 1."""
    write(tmp_path / "in" / "a.txt")
    write(tmp_path / "in" / "b.txt", "")
    assert embed(tmp_path / "in")[0] == 3

    def limited(name, limit):
        out = tmp_path / name
        arguments = ("--out", out, "--encoder", tiny_text, "--max-rejects", limit, "--json")
        return command("embed", tmp_path / "in", *arguments)[:2]

    assert limited("one", "1")[0] == limited("half", "50%")[0] == 0
    code, data = limited("none", "0")
    assert (code, data["error"]["kind"]) == (1, "too_many_rejects")


def test_failures_print_one_json_object(command, tmp_path):
    """An error is an object with kind, message and fix; usage errors exit 2."""
    for arguments, code in [
        (("embed", tmp_path / "nothing", "--out", tmp_path / "t", "--json"), 1),
        (("embed", tmp_path, "--json"), 2),
        (("embed", tmp_path, "--out", tmp_path / "t", "--precision", "fp8", "--json"), 2),
        (("embed", tmp_path, "--out", tmp_path / "t", "--nonsense", "--json"), 2),
        (("sing", "--json"), 2),
    ]:
        found, data, err = command(*arguments)
        assert found == code
        assert set(data["error"]) == {"kind", "message", "fix"}
        assert data["error"]["message"] in err


def test_folder_ids_are_relative_paths_in_byte_order(embed, tmp_path):
    """The id of a file is its path; order is that of bytes, not of letters or numbers."""
    names = ["b.txt", "a/10.txt", "a/9.txt", "Z.md", "é.txt", "a.txt", "a-b/c.TXT"]
    for name in names:
        write(tmp_path / "in" / name)
    _, _, _, frame = embed(tmp_path / "in")
    assert list(frame["id"]) == sorted(names, key=str.encode)
    assert list(frame["source"]) == list(frame["id"])


def test_a_label_is_the_parent_folder_only_if_all_files_lie_one_deep(embed, tmp_path):
    """One level of folders labels the rows."""
    for name in ("cat/1.txt", "cat/2.txt", "dog/1.txt"):
        write(tmp_path / "in" / name)
    assert list(embed(tmp_path / "in")[3]["label"]) == ["cat", "cat", "dog"]


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ((), [None, None]),
        (("--label-from", "parent"), ["b", "d"]),
        (("--label-from", "top"), ["a", "d"]),
    ],
)
def test_deeper_folders_label_only_when_told(embed, tmp_path, options, labels):
    """Mixed depths give no label unless --label-from says which folder."""
    write(tmp_path / "in" / "a" / "b" / "1.txt")
    write(tmp_path / "in" / "d" / "2.txt")
    assert list(embed(tmp_path / "in", *options)[3]["label"]) == labels


def test_other_files_are_ignored_hidden_ones_skipped(embed, tmp_path):
    """Another kind is counted, never rejected; hidden files and links are not inputs."""
    for name in ("a.txt", "b.pdf", "c.jpg2", "d", ".hidden.txt", ".git/e.txt", "__MACOSX/f.txt"):
        write(tmp_path / "in" / name)
    (tmp_path / "in" / "link.txt").symlink_to(tmp_path / "in" / "a.txt")
    code, data, _, frame = embed(tmp_path / "in")
    assert (code, list(frame["id"])) == (0, ["a.txt"])
    assert data["ignored_kinds"] == {".pdf": 1, ".jpg2": 1, "": 1, "symlink": 1}
    assert data["ignored"] == 4


def test_a_mixed_folder_needs_a_modality(embed, tmp_path):
    """Texts and images together exit 2; the other kind is ignored once it is said."""
    write(tmp_path / "in" / "a.txt")
    picture(tmp_path / "in" / "b.png")
    code, data, _, frame = embed(tmp_path / "in")
    assert (code, frame) == (2, None)
    assert "--modality" in data["error"]["message"] + data["error"]["fix"]
    code, data, _, frame = embed(tmp_path / "in", "--modality", "text")
    assert (code, list(frame["id"]), data["ignored"]) == (0, ["a.txt"], 1)


def test_no_input_names_the_suffixes_seen(embed, tmp_path):
    """A folder without inputs exits 1 and says what lies there."""
    write(tmp_path / "in" / "a.pdf")
    code, data, _, frame = embed(tmp_path / "in")
    assert (code, frame) == (1, None)
    assert ".pdf" in data["error"]["message"]


def test_the_table_inside_the_source_is_left_out(command, tiny_text, tmp_path):
    """OUT under SOURCE is not read as input, nor what an unfinished run left there."""
    write(tmp_path / "a.txt")
    for name in ("data", "_rejects", "_log"):
        (tmp_path / "out" / name).mkdir(parents=True)
    write(tmp_path / "out" / "_staging" / "old.txt")
    code, data, _ = command(
        "embed", tmp_path, "--out", tmp_path / "out", "--encoder", tiny_text, "--json"
    )
    assert (code, data["inputs"], data["ignored"]) == (0, 1, 0)


def test_an_encoder_of_the_other_kind_is_a_usage_error(embed, tmp_path):
    """Texts cannot go through an image encoder."""
    write(tmp_path / "in" / "a.txt")
    code, data, _, _ = embed(tmp_path / "in", modality="image")
    assert code == 2
    assert "takes images" in data["error"]["message"]


def test_plan_writes_nothing(embed, tmp_path):
    """`--plan` counts and leaves no file."""
    write_csv(tmp_path / "in.csv", [["text", "price"], ["the fox", "3"], ["", "4"]])
    before = sorted(tmp_path.rglob("*"))
    code, data, _, frame = embed(tmp_path / "in.csv", "--plan")
    assert (code, frame, data["inputs"], data["rejected"]) == (0, None, 2, 1)
    assert data["columns"] == ["price"]
    assert sorted(tmp_path.rglob("*")) == before


def test_csv_rows_get_ids_labels_and_exact_columns(embed, tmp_path):
    """Columns text, id and label are taken, others carried as exact strings."""
    rows = [["id", "text", "label", "code"], ["x7", "the fox", "animal", "007"]]
    rows += [["x10", "a dog", "", "NA"]]
    _, _, err, frame = embed(write_csv(tmp_path / "in.csv", rows))
    assert list(frame["id"]) == ["x10", "x7"]
    assert list(frame["code"]) == ["NA", "007"]
    assert list(frame["source"]) == ["in.csv"] * 2
    assert list(frame["text"]) == ["a dog", "the fox"]
    assert frame.columns[-1] == "embedding"
    assert all(f"'{name}'" in err for name in ("text", "id", "label"))


def test_rows_without_an_id_are_numbered_with_a_warning(embed, tmp_path):
    """SOURCE#N counts records from one, and the user hears what that means."""
    rows = [["body"], *([f"fox {number}"] for number in range(11))]
    _, _, err, frame = embed(write_csv(tmp_path / "in.csv", rows), "--text-column", "body")
    assert list(frame["id"])[:3] == ["in.csv#1", "in.csv#10", "in.csv#11"]
    assert "insert" in err
    assert "body" not in frame.columns


def test_compressed_and_tab_separated_tables(embed, tmp_path):
    """.tsv.gz is read like the file in it."""
    (tmp_path / "in.tsv.gz").write_bytes(gzip.compress(b"id\ttext\n1\tthe, fox\n"))
    assert list(embed(tmp_path / "in.tsv.gz")[3]["text"]) == ["the, fox"]


def test_encoding_and_delimiter_are_options(embed, tmp_path):
    """A Latin-1 file with semicolons is read when told so."""
    path = write(tmp_path / "in.csv", "id;text\n1;größe\n".encode("latin-1"))
    options = ("--encoding", "latin-1", "--delimiter", ";")
    assert list(embed(path, *options)[3]["text"]) == ["größe"]


@pytest.mark.parametrize("name", ["source", "embedding", "content_sha256", "n_tokens", "parent_id"])
def test_a_reserved_column_name_exits_2_naming_rename(embed, tmp_path, name):
    """A clash names the option that resolves it, and that option works."""
    path = write_csv(tmp_path / "in.csv", [["text", name], ["the fox", "mine"]])
    code, data, _, _ = embed(path)
    assert code == 2
    assert f"--rename {name}=" in data["error"]["message"] + data["error"]["fix"]
    code, _, _, frame = embed(path, "--rename", f"{name}=own")
    assert (code, list(frame["own"])) == (0, ["mine"])


def test_another_text_column_makes_a_column_named_text_clash(embed, tmp_path):
    """The chosen column becomes `text`, so that another of that name must be renamed."""
    path = write_csv(tmp_path / "in.csv", [["text", "body"], ["kept", "the fox"]])
    assert embed(path, "--text-column", "body")[0] == 2
    _, _, _, frame = embed(path, "--text-column", "body", "--rename", "text=old")
    assert (list(frame["text"]), list(frame["old"])) == (["the fox"], ["kept"])


def test_a_missing_column_names_those_there(embed, tmp_path):
    """A wrong column name is exit 2 with the columns of the file."""
    path = write_csv(tmp_path / "in.csv", [["message", "kind"], ["the fox", "x"]])
    for options in ((), ("--text-column", "massage")):
        code, data, _, _ = embed(path, *options)
        assert code == 2
        assert "message" in data["error"]["message"] + data["error"]["fix"]


def test_bad_rows_are_rejected_one_by_one(embed, tmp_path):
    """Ragged rows, bad bytes, blanks, missing and repeated ids cost their own row only."""
    lines = [b"id,text", b"1,the fox", b"2,too,many", b"3,bad \xff byte", b"4,   ", b",no id"]
    lines += [b"1,again", b'5,"open quote', b"6,a dog"]
    code, data, _, frame = embed(write(tmp_path / "in.csv", b"\n".join(lines) + b"\n"))
    assert (code, list(frame["id"])) == (3, ["1", "6"])
    assert data["inputs"] == 8
    assert data["reasons"] == {
        "bad_row": 2,
        "bad_utf8": 1,
        "empty": 1,
        "missing_value": 1,
        "duplicate_id": 1,
    }
    assert list(frame["text"]) == ["the fox", "a dog"]


def test_jsonl_values_keep_their_types(embed, tmp_path):
    """Numbers stay numbers, absent keys become null, broken lines rejects."""
    lines = ['{"text": "the fox", "n": 1}', '{"text": "a dog", "x": 2.5}', "{broken", '{"n": 3}']
    path = write(tmp_path / "in.jsonl", "\n".join(lines))
    code, data, _, _ = embed(path)
    table = featurize.open_table(tmp_path / "table")
    assert (code, data["reasons"]) == (3, {"bad_row": 1, "missing_value": 1})
    assert table.select(["n", "x"]).to_pydict() == {"n": [1, None], "x": [None, 2.5]}


def test_parquet_keeps_its_types(embed, tmp_path):
    """Timestamps, nested values and integer labels arrive as they were."""
    columns = {
        "id": pa.array([2, 1]),
        "text": ["the fox", "a dog"],
        "label": pa.array([1, 0], pa.int8()),
        "when": pa.array([0, 1], pa.timestamp("us", "UTC")),
        "tags": pa.array([["a"], ["b", "c"]]),
    }
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    code, _, _, _ = embed(tmp_path / "in.parquet")
    table = featurize.open_table(tmp_path / "table")
    assert (code, list(table.ids)) == (0, ["1", "2"])
    assert table.schema.field("label").type == pa.int8()
    assert table.select(["when", "tags"]).schema.types == [
        pa.timestamp("us", "UTC"),
        pa.list_(pa.field("element", pa.string())),
    ]


def test_no_text_leaves_the_text_out(embed, tmp_path):
    """`--no-text` keeps counts and flags but not the words."""
    write(tmp_path / "in" / "a.txt")
    _, _, _, frame = embed(tmp_path / "in", "--no-text")
    assert "text" not in frame.columns
    assert list(frame["n_tokens"]) == [5]


def test_text_columns_say_what_was_seen(embed, tmp_path):
    """`n_tokens` counts what the encoder saw, `truncated` says that more was there."""
    write(tmp_path / "in" / "long.txt", "fox " * 50)
    write(tmp_path / "in" / "short.txt", "fox\n")
    _, data, _, frame = embed(tmp_path / "in")
    assert list(frame["n_tokens"]) == [16, 3]
    assert list(frame["truncated"]) == [True, False]
    assert data["truncated"] == 1
    assert frame["text"][1] == "fox\n"


def test_a_folder_of_images(embed, tmp_path):
    """Every format becomes a row with its size; broken and foreign files a reject."""
    for number, suffix in enumerate(("jpg", "PNG", "webp", "gif", "bmp", "tiff")):
        picture(tmp_path / "in" / f"{number}.{suffix}", 20 * number)
    write(tmp_path / "in" / "broken.jpg", b"no image")
    write(tmp_path / "in" / "empty.png", b"")
    code, _, _, frame = embed(tmp_path / "in", modality="image")
    assert (code, len(frame)) == (3, 6)
    assert set(zip(frame["width"], frame["height"], strict=True)) == {(40, 30)}
    assert frame["width"].dtype == np.int32
    assert rejects_of(tmp_path / "table") == {"broken.jpg": "undecodable", "empty.png": "empty"}


def test_hugging_face_metadata_beside_images(embed, tmp_path):
    """metadata.csv adds columns and labels, and names files that are not there."""
    for name in ("a.png", "sub/b.png", "c.png"):
        picture(tmp_path / "in" / name)
    rows = [["file_name", "label", "price"], ["a.png", "x", "1"], ["sub/b.png", "y", "2"]]
    write_csv(tmp_path / "in" / "metadata.csv", [*rows, ["gone.png", "z", "3"]])
    code, data, _, frame = embed(tmp_path / "in", modality="image")
    assert (code, data["ignored"]) == (3, 0)
    assert list(frame["id"]) == ["a.png", "c.png", "sub/b.png"]
    assert list(frame["price"]) == ["1", None, "2"]
    assert list(frame["label"]) == ["x", None, "y"]
    assert rejects_of(tmp_path / "table") == {"gone.png": "unreadable"}


def test_image_paths_in_a_table_stay_under_its_folder(embed, tmp_path):
    """Paths resolve against the table file; what lies outside needs --image-root."""
    picture(tmp_path / "data" / "images" / "a.png")
    outside = picture(tmp_path / "outside.png")
    rows = [["id", "file"], ["1", "images/a.png"], ["2", "../outside.png"], ["3", str(outside)]]
    rows += [["4", "images/gone.png"], ["5", "notes.pdf"], ["6", ""]]
    path = write_csv(tmp_path / "data" / "in.csv", rows)
    code, _, _, frame = embed(path, "--image-column", "file", modality="image")
    assert (code, list(frame["id"])) == (3, ["1"])
    assert rejects_of(tmp_path / "table") == {
        "2": "outside_root",
        "3": "outside_root",
        "4": "unreadable",
        "5": "unsupported",
        "6": "missing_value",
    }


def test_image_bytes_in_parquet(embed, tmp_path):
    """struct<bytes, path> holds the image itself."""
    data = picture(tmp_path / "a.png").read_bytes()
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array([{"bytes": data, "path": "a.png"}, {"bytes": b"x", "path": None}], kind)
    pq.write_table(pa.table({"image": images, "label": ["x", "y"]}), tmp_path / "in.parquet")
    code, _, _, frame = embed(tmp_path / "in.parquet", modality="image")
    assert (code, list(frame["id"])) == (3, ["in.parquet#1"])
    assert list(frame["label"]) == ["x"]


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX only")
def test_names_that_are_no_utf8_are_rejected_with_an_escaped_id(embed, tmp_path):
    """A bad name cannot be an id, but is accounted for."""
    write(tmp_path / "in" / "a.txt")
    with open(os.fsencode(tmp_path / "in") + b"/b\xff.txt", "wb") as file:  # noqa: PTH123 - bytes
        file.write(b"the fox")
    code, data, _, _ = embed(tmp_path / "in")
    assert (code, data["inputs"]) == (3, 2)
    assert rejects_of(tmp_path / "table") == {"b%FF.txt": "bad_name"}


def test_bad_text_files_are_rejected_with_their_reason(embed, tmp_path):
    """Bytes that are no UTF-8, blanks and pipes are told apart."""
    write(tmp_path / "in" / "bad.txt", b"caf\xe9")
    write(tmp_path / "in" / "blank.txt", "\n\t ")
    write(tmp_path / "in" / "bom.txt", "\ufeffthe fox")
    os.mkfifo(tmp_path / "in" / "pipe.txt")
    _, _, _, frame = embed(tmp_path / "in")
    assert list(frame["text"]) == ["the fox"]
    assert rejects_of(tmp_path / "table") == {
        "bad.txt": "bad_utf8",
        "blank.txt": "empty",
        "pipe.txt": "unreadable",
    }


def test_a_second_run_brings_the_table_up_to_date(embed, tmp_path):
    """Only what changed is done, and nothing changed makes no commit."""
    write(tmp_path / "in" / "a.txt")
    assert embed(tmp_path / "in")[1]["version"] == 1
    _, data, _, frame = embed(tmp_path / "in")
    assert (data["version"], data["unchanged"], data["encoded"], len(frame)) == (1, 1, 0, 1)
    write(tmp_path / "in" / "b.txt", "a dog")
    _, data, _, frame = embed(tmp_path / "in")
    assert (data["version"], data["embedded"], data["unchanged"]) == (2, 1, 1)
    assert list(frame["id"]) == ["a.txt", "b.txt"]


def test_another_source_on_a_table_is_refused_naming_both(embed, tmp_path):
    """A table is bound to its source; --append adds another's inputs without deleting."""
    write(tmp_path / "one" / "a.txt")
    write(tmp_path / "two" / "b.txt")
    assert embed(tmp_path / "one")[0] == 0
    code, data, _, _ = embed(tmp_path / "two")
    assert code == 1
    assert str(tmp_path / "one") in data["error"]["message"]
    assert str(tmp_path / "two") in data["error"]["message"]
    code, data, _, frame = embed(tmp_path / "two", "--append")
    assert (code, data["rows"], list(frame["id"])) == (0, 2, ["a.txt", "b.txt"])
    assert embed(tmp_path / "one")[0] == 1


def test_many_deletions_ask_for_permission(embed, tmp_path):
    """More than a fifth of the rows go only with --allow-delete."""
    for number in range(10):
        write(tmp_path / "in" / f"{number}.txt", f"fox {number}")
    assert embed(tmp_path / "in")[0] == 0
    for number in range(3):
        (tmp_path / "in" / f"{number}.txt").unlink()
    code, data, _, frame = embed(tmp_path / "in")
    assert (code, len(frame)) == (1, 10)
    assert "--allow-delete" in data["error"]["fix"]
    code, data, _, frame = embed(tmp_path / "in", "--allow-delete")
    assert (code, data["deleted"], len(frame)) == (0, 3, 7)


def test_quiet_prints_nothing_and_progress_goes_to_stderr(featurize_cli, tiny_text, tmp_path):
    """Stdout of --json is the object alone; -q silences the rest."""
    write(tmp_path / "in" / "a.txt")
    base = ("embed", tmp_path / "in", "--encoder", tiny_text)
    done = featurize_cli(*base, "--out", tmp_path / "one", "--json", check=0)
    assert json.loads(done.stdout)["rows"] == 1
    done = featurize_cli(*base, "--out", tmp_path / "two", "-q", check=0)
    assert (done.stdout, done.stderr) == ("", "")


def test_the_suite_itself_reaches_no_network():
    """A connection raises at once."""
    with pytest.raises(RuntimeError, match="network"):
        socket.create_connection(("127.0.0.1", 9))
