"""What all tests share: no network, a cache of their own, and tiny encoders made on the spot."""

import io
import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# Its client reads this when it is imported, which collecting the tests may do.
os.environ["HF_HUB_OFFLINE"] = "1"
REPO = Path(__file__).resolve().parents[1]
SHARED = REPO.parent / "shared" / "data"
WORDS = "the a red green blue fox dog runs sleeps fast slow refund parcel broken card late".split()


@pytest.fixture(scope="session", autouse=True)
def offline(tmp_path_factory):
    """Refuse connections, here and in child processes, and keep caches out of the user's home."""
    runpy.run_path(str(REPO / "tests" / "offline" / "sitecustomize.py"))
    with pytest.MonkeyPatch.context() as patch:
        paths = [str(REPO / "tests" / "offline"), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        patch.setenv("FEATURIZE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("NO_COLOR", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """Let SIGINT interrupt, though a shell that started the suite in the background ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data():
    """Return the folder of real data beside the checkout; skip where it is missing."""
    if not SHARED.is_dir():
        pytest.skip("../shared/data is not here")
    return SHARED


@pytest.fixture(scope="session")
def close():
    """Return a function that says whether rows agree within 1e-5 of their length."""

    def check(found, expected):
        allowed = 1e-5 * np.linalg.norm(expected, axis=1, keepdims=True)
        return bool((np.abs(found - expected) <= allowed).all())

    return check


@pytest.fixture(scope="session")
def golden():
    """Return the folder of golden vectors."""
    return REPO / "tests" / "golden"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return an empty cache folder of this test's own."""
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def minilm_bundle():
    """Return the bundle of the built-in text encoder."""
    from featurize.catalog import resolve

    return resolve("minilm")


@pytest.fixture(scope="session")
def image_bundle():
    """Return the bundle of the built-in image encoder."""
    from featurize.catalog import resolve

    return resolve("efficientnet-lite0")


@pytest.fixture(scope="session")
def tiny_text(tmp_path_factory):
    """Make a text bundle: the mean of random word vectors, as a graph of a few nodes."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("bundles") / "tiny-text"
    folder.mkdir()
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    table = np.random.default_rng(0).normal(size=(len(vocabulary), 8)).astype(np.float32)
    _save_graph(folder / "model.onnx", *_text_graph(table))
    return _finish_bundle(folder, "text", "tokenizer.json", 16, 8)


@pytest.fixture(scope="session")
def tiny_image(tmp_path_factory):
    """Make an image bundle: the mean colour of 4 x 4 fields of a 32 x 32 crop."""
    from featurize.processors.preprocessing import Preprocessing

    folder = tmp_path_factory.mktemp("bundles") / "tiny-image"
    folder.mkdir()
    rules = Preprocessing(shorter_side=36, crop=32, resample="bicubic", mean=127.0, std=128.0)
    (folder / "preprocess.json").write_text(json.dumps(rules.to_json()))
    _save_graph(folder / "model.onnx", *_image_graph())
    return _finish_bundle(folder, "image", "preprocess.json", 0, 49)


@pytest.fixture
def featurize_cli():
    """Return a function that runs the command in a process of its own."""

    def run(*arguments, check=None, **options):
        done = subprocess.run(
            [sys.executable, "-m", "featurize", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=options.pop("cwd", REPO),
            timeout=120,
            check=False,
            **options,
        )
        if check is not None:
            assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    return run


@pytest.fixture
def command(capfd):
    """Return a function that runs the command here: (exit code, JSON or None, stderr)."""
    from featurize.cli.main import run as run_command

    def run(*arguments):
        code = run_command([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, json.loads(out) if "--json" in arguments else None, err

    return run


@pytest.fixture
def told(capfd):
    """Return a function that runs a command for people: (exit code, stdout, stderr)."""
    from featurize.cli.main import run

    def tell(*arguments):
        code = run([str(argument) for argument in arguments])
        return code, *capfd.readouterr()

    return tell


@pytest.fixture
def hashes():
    """Return a function that hashes every file under a folder by its relative path."""
    from featurize.storage import sha256_file

    def of(folder):
        files = (path for path in sorted(Path(folder).rglob("*")) if path.is_file())
        return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}

    return of


def _text_graph(table):
    from onnx import TensorProto, helper

    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "seq"])
    mask = helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "seq"])
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["hidden"]),
        helper.make_node("Cast", ["attention_mask"], ["float_mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["float_mask", "one"], ["row_mask"]),
        helper.make_node("MatMul", ["row_mask", "hidden"], ["summed"]),
        helper.make_node("Squeeze", ["summed", "one"], ["flat"]),
        helper.make_node("LpNormalization", ["flat"], ["sentence_embedding"], axis=1, p=2),
    ]
    constants = [
        helper.make_tensor("table", TensorProto.FLOAT, table.shape, table.ravel()),
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
    ]
    return nodes, [ids, mask], constants, 8


def _image_graph():
    from onnx import TensorProto, helper

    shape = ["batch", 3, 32, 32]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)
    field = {"kernel_shape": [8, 8], "strides": [8, 8]}
    nodes = [
        helper.make_node("AveragePool", ["pixels"], ["fields"], **field),
        helper.make_node("Flatten", ["fields"], ["colours"]),
        helper.make_node("Pad", ["colours", "pads", "bias"], ["padded"]),
        helper.make_node("LpNormalization", ["padded"], ["sentence_embedding"], axis=1, p=2),
    ]
    constants = [
        helper.make_tensor("pads", TensorProto.INT64, [4], [0, 0, 0, 1]),
        helper.make_tensor("bias", TensorProto.FLOAT, [], [0.1]),
    ]
    return nodes, [pixels], constants, 49


def _save_graph(path, nodes, inputs, constants, dim):
    import onnx
    from onnx import TensorProto, helper

    output = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", dim])
    graph = helper.make_graph(nodes, "tiny", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _finish_bundle(folder, modality, preparation, max_length, dim):
    from featurize.bundle import REFERENCE, Bundle, EncoderCard, VectorSpace, write_card
    from featurize.encoder import Encoder
    from featurize.reference import write_reference
    from featurize.storage import sha256_file
    from featurize.types import Modality

    space = VectorSpace(
        weights=sha256_file(folder / "model.onnx"),
        preparation=sha256_file(folder / preparation),
        architecture="tiny",
        pooling="mean",
        normalize=True,
        max_length=max_length,
        dim=dim,
    )
    card = EncoderCard(folder.name, (Modality(modality),), space)
    write_card(folder, card, {"parity": {}})
    known = ["the fox", "a dog runs", "slow", "late parcel"] if modality == "text" else _pictures()
    vectors = Encoder.open(Bundle.open(folder), device="cpu").encode(known)
    write_reference(folder / REFERENCE, known, vectors)
    write_card(folder, card, {"parity": {}})
    return folder


def _pictures():
    """Return four small PNG files of one colour each."""
    from PIL import Image

    files = []
    for colour in ("red", "green", "navy", "white"):
        buffer = io.BytesIO()
        Image.new("RGB", (40, 36), colour).save(buffer, "PNG")
        files.append(buffer.getvalue())
    return files
