"""A bundle appears whole, from any folder the same, or not at all."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from featurize.config import RuntimeName
from featurize.encoder import Encoder
from featurize.errors import UsageError
from featurize.export import export

SCRIPT = "import sys; from featurize.export import export; export(sys.argv[1], sys.argv[2])"
REPO = Path(__file__).resolve().parents[3]


def test_a_bundle_is_whole(tiny_bundle):
    """The four files stand beside their card, which tells how faithful they are."""
    assert sorted(tiny_bundle.files) == ["model.onnx", "reference.npz", "tokenizer.json"]
    assert tiny_bundle.export["parity"]["max_abs_diff"] <= 1e-5
    assert tiny_bundle.export["parity"]["inputs"] >= 64
    assert tiny_bundle.export["source"] == tiny_bundle.card.name == "tiny"


def test_two_folders_give_the_same_bytes(tiny_bundle, make_model, tmp_path, hashes):
    """A copy of the model, exported by a process in another folder, is the same bundle."""
    copy, out = tmp_path / "elsewhere" / "tiny", tmp_path / "out"
    shutil.copytree(make_model(), copy)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, copy, out],
        cwd=copy.parent,
        env={**_environment(), "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert hashes(out) == hashes(tiny_bundle.path)


def test_a_bundle_names_no_place_and_no_time(tiny_bundle, make_model):
    """Neither the graph nor the card holds a path of the machine."""
    for path in tiny_bundle.path.iterdir():
        content = path.read_bytes()
        for place in (str(make_model()), str(REPO), "site-packages", str(Path.home())):
            assert place.encode() not in content, (path.name, place)
    card = json.loads((tiny_bundle.path / "encoder.json").read_text())
    assert set(card["export"]) == {"exporter", "libraries", "license", "parity", "source"}


def test_the_graph_gives_one_known_output(tiny_bundle):
    """The vectors' name is the contract of every runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(tiny_bundle.read("model.onnx"))
    assert [output.name for output in session.get_outputs()] == ["sentence_embedding"]
    assert [put.name for put in session.get_inputs()] == ["input_ids", "attention_mask"]


@pytest.mark.parametrize("runtime", [RuntimeName.ONNXRUNTIME, RuntimeName.OPENVINO])
def test_padding_does_not_matter_much(tiny_bundle, runtime, close):
    """Rows of different lengths side by side give the vectors they give alone."""
    if runtime is RuntimeName.OPENVINO:
        pytest.importorskip("openvino")
    encoder = Encoder.open(tiny_bundle, device="cpu", runtime=runtime)
    ids = np.zeros((3, 9), dtype=np.int64)
    mask = np.zeros_like(ids)
    alone = []
    for row, length in enumerate([2, 5, 9]):
        ids[row, :length] = np.arange(length) % 7 + 2
        mask[row, :length] = 1
        part = {
            "input_ids": ids[row : row + 1, :length],
            "attention_mask": mask[row : row + 1, :length],
        }
        alone.append(encoder.runtime.run(part)[0])
    together = encoder.runtime.run({"input_ids": ids, "attention_mask": mask})
    assert close(together, np.stack(alone))


def test_what_is_in_the_way_is_not_replaced(make_model, tiny_bundle, tmp_path):
    """A folder with content is refused before anything is loaded, and stays as it is."""
    (tmp_path / "notes.txt").write_text("mine")
    for out, overwrite in ((tmp_path, False), (tmp_path, True), (tiny_bundle.path, False)):
        with pytest.raises(UsageError, match="exists already"):
            export(make_model(), out, overwrite=overwrite)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_older_bundle_is_replaced_when_asked(tiny_bundle, make_model, tmp_path):
    """With `overwrite`, a bundle takes the place of another, and says how faithful it is."""
    out, lines = tmp_path / "bundle", []
    shutil.copytree(tiny_bundle.path, out)
    bundle = export(make_model(), out, max_length=12, overwrite=True, say=lines.append)
    assert bundle.card.space.max_length == 12
    assert "differ by at most" in lines[-1]
    assert list(tmp_path.iterdir()) == [out]


def test_importing_the_exporter_loads_no_heavy_library():
    """Torch and its libraries are loaded by exporting, not by importing."""
    heavy = "{'torch', 'transformers', 'sentence_transformers', 'onnx', 'onnxruntime'}"
    script = f"import sys, featurize.catalog; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def _environment():
    paths = [str(REPO), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
