"""`featurize embed` on archives: the same table as from the files themselves."""

import io
import tarfile
import zipfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import featurize

SUFFIXES = [".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip"]


@pytest.fixture
def images(tmp_path):
    """Draw images in two folders, and one file that is none."""
    root = tmp_path / "images"
    for position in range(12):
        path = root / ("dark" if position < 6 else "light") / f"{position:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40 + position, 30), (position * 20, 90, 50)).save(path)
    (root / "dark" / "broken.jpg").write_bytes(b"no image")
    return root


def pack(folder, path):
    """Pack a folder as the suffix of the archive says."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, file.relative_to(folder))
        return path
    compression = path.suffix[1:] if path.suffix != ".tar" else ""
    with tarfile.open(path, f"w:{compression}") as archive:
        for file in files:
            archive.add(file, file.relative_to(folder))
    return path


def columns_of(table, prefix=""):
    """Return the columns of a table but the source, ids without the archive's name."""
    rows = pq.read_table(table / "data").drop_columns("source").to_pydict()
    assert all(key.startswith(prefix) for key in rows["id"])
    return rows | {"id": [key.removeprefix(prefix) for key in rows["id"]]}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_gives_the_table_of_its_files(command, tiny_image, images, tmp_path, suffix):
    """Vectors, labels, hashes, sizes and rejects are those of the folder that was packed."""
    common = ("--encoder", tiny_image, "--json")
    code, loose, _ = command("embed", images, "--out", tmp_path / "loose", *common)
    assert (code, loose["rows"], loose["rejected"]) == (3, 12, 1)
    path = pack(images, tmp_path / f"x{suffix}")
    code, packed, _ = command("embed", path, "--out", tmp_path / "packed", *common)
    assert code == 3
    for key in ("inputs", "rows", "rejected", "reasons", "ignored", "encoded"):
        assert packed[key] == loose[key]
    assert columns_of(tmp_path / "packed", f"x{suffix}/") == columns_of(tmp_path / "loose")
    assert set(columns_of(tmp_path / "packed")["label"]) == {"dark", "light"}
    table = featurize.open_table(tmp_path / "packed")
    assert table.rejects().column("source").to_pylist() == [f"x{suffix}"]


def test_shards_with_sidecars_become_rows_with_columns(command, tiny_image, images, tmp_path):
    """A folder of WebDataset shards is one source; sidecars become labels and columns."""
    shards = tmp_path / "shards"
    shards.mkdir()
    for number, folder in enumerate(("dark", "light")):
        with tarfile.open(shards / f"s-{number}.tar", "w") as tar:
            for file in sorted((images / folder).glob("*.png")):
                sides = {".png": file.read_bytes(), ".cls": b"%d" % number, ".txt": b"a field"}
                sides[".json"] = b'{"shade": %d}' % int(file.stem)
                for suffix, data in sides.items():
                    info = tarfile.TarInfo(file.stem + suffix)
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
    arguments = ("--encoder", tiny_image, "--modality", "image", "--json")
    code, data, _ = command("embed", shards, "--out", tmp_path / "table", *arguments)
    assert (code, data["rows"], data["ignored"]) == (0, 12, 0)
    frame = featurize.open_table(tmp_path / "table").to_pandas().set_index("id")
    assert list(frame.index)[:2] == ["s-0.tar/00.png", "s-0.tar/01.png"]
    assert list(frame.label) == [0] * 6 + [1] * 6
    assert list(frame.shade) == list(range(12))
    assert set(frame.caption) == {"a field"}
    assert np.isfinite(np.stack(frame.embedding)).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_damaged_archive_commits_nothing(command, tiny_image, images, tmp_path, suffix):
    """A cut archive exits 1 with its name, and no table is left."""
    path = pack(images, tmp_path / f"x{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    out = tmp_path / "table"
    code, data, _ = command("embed", path, "--out", out, "--encoder", tiny_image, "--json")
    assert (code, data["error"]["kind"]) == (1, "source")
    assert f"x{suffix} is damaged" in data["error"]["message"]
    assert data["error"]["fix"]
    assert not list(out.glob("data/*.parquet"))
