"""Every runtime keeps the seam's promises, on tiny graphs and on the real encoder."""

import csv
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from featurize.bundle import GRAPH, Bundle
from featurize.config import Precision, RuntimeName
from featurize.encoder import Encoder
from featurize.errors import MissingExtra, RuntimeUnavailable
from featurize.known import KnownInputs, check_fidelity
from featurize.runtimes import choose_place, devices, open_runtime, openvino
from featurize.variants import read_graph

ONNX = (RuntimeName.ONNXRUNTIME, Precision.FP32)
OPENVINO = (RuntimeName.OPENVINO, Precision.FP32)
BF16 = (RuntimeName.OPENVINO, Precision.BF16)
FP16 = (RuntimeName.ONNXRUNTIME, Precision.FP16)
INT8 = (RuntimeName.ONNXRUNTIME, Precision.INT8)
CHOICES = {
    "onnxruntime": ONNX,
    "openvino": OPENVINO,
    "openvino-bf16": BF16,
    "onnxruntime-fp16": FP16,
    "onnxruntime-int8": INT8,
}
LEAST_COSINE = {
    Precision.FP32: 0.9999999,
    Precision.FP16: 0.99999,
    Precision.BF16: 0.999,
    Precision.INT8: 0.95,
}


@pytest.fixture(params=CHOICES.values(), ids=CHOICES)
def choice(request):
    """Name a runtime and a precision that this machine computes."""
    name, precision = request.param
    if name is RuntimeName.OPENVINO:
        pytest.importorskip("openvino")
    if precision is Precision.BF16 and not openvino.computes_bf16():
        pytest.skip("this CPU has no bf16 instructions")
    return request.param


def _require_computed(choice, bundle):
    """Skip what is refused, as a test of the variants states."""
    if choice == INT8 and bundle != "minilm_bundle":
        pytest.skip("only encoders of matrix products have int8")


def _runtime(bundle, place):
    """Open a bundle's graph at a place."""
    return open_runtime([partial(read_graph, bundle, GRAPH)], place)


def test_a_runtime_says_what_it_is(choice, tiny_text):
    """Name, device, precision, threads and library are stated."""
    runtime = _runtime(Bundle.open(tiny_text), choose_place("cpu", *choice))
    assert (runtime.name, runtime.precision) == choice
    assert runtime.device == "cpu"
    assert runtime.workers >= 1
    assert runtime.library.split()[1][0].isdigit()


def test_bound_runs_give_the_same_vectors(tiny_text, monkeypatch):
    """What a GPU does, bind and give memory back, is tried on the CPU: not a bit changes."""
    monkeypatch.setattr("featurize.runtimes.onnxruntime._RUNS_BETWEEN_SHRINKING", 2)
    runtime = _runtime(Bundle.open(tiny_text), choose_place("cpu", *ONNX))
    for length in (1, 7, 3, 20):
        ids = np.arange(2 * length).reshape(2, length) % 20
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        np.testing.assert_array_equal(
            runtime._run_bound(inputs, "cpu:0"), runtime._run_on_cpu(inputs)
        )


@pytest.mark.parametrize("bundle", ["tiny_text", "tiny_image"])
def test_vectors_are_float32_rows(choice, bundle, request):
    """Whatever is computed inside, float32 comes out, a row an input."""
    _require_computed(choice, bundle)
    opened = Bundle.open(request.getfixturevalue(bundle))
    runtime = _runtime(opened, choose_place("cpu", *choice))
    inputs = {"pixels": np.ones((3, 3, 32, 32), np.float32)}
    if bundle == "tiny_text":
        ids = np.array([[2, 5, 3], [2, 6, 3], [2, 7, 3]])
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    vectors = runtime.run(inputs)
    assert vectors.shape == (3, opened.card.dim)
    assert vectors.dtype == np.float32


@pytest.mark.export
@pytest.mark.parametrize(("name", "count"), [("minilm_bundle", 10), ("image_bundle", 6)])
def test_no_vector_depends_on_its_neighbours(choice, name, count, request):
    """Six budgets, three orders, one and two threads change no bit, on known inputs of any size.

    fp16 and int8, of which less is promised and which are slow here, do with fewer.
    """
    _require_computed(choice, name)
    encoder = _opened(request.getfixturevalue(name), choice)
    known = KnownInputs(encoder).contents
    few = [known[place] for place in np.linspace(0, len(known) - 1, count).astype(int)]
    encoder.budget = encoder.runtime.workers = 1
    alone = encoder.encode_contents(few)
    shuffled = np.random.default_rng(0).permutation(count)
    promised = choice not in (FP16, INT8)
    budgets = (1, 3, 40, 256, 1024, 8192) if promised else (1024,)
    for order in (np.arange(count), np.arange(count)[::-1], shuffled)[0 if promised else 2 :]:
        for encoder.budget in budgets:
            for encoder.runtime.workers in (1, 2):
                together = encoder.encode_contents([few[place] for place in order])
                np.testing.assert_array_equal(together, alone[order])


def _opened(bundle, choice):
    """Open an encoder with a runtime and a precision."""
    runtime, precision = choice
    return Encoder.open(bundle, device="cpu", runtime=runtime, precision=precision)


@pytest.mark.export
def test_fidelity_is_measured_on_known_inputs(choice, minilm_bundle):
    """The least cosine to the original is that of the precision."""
    runtime, precision = choice
    encoder = Encoder.open(minilm_bundle, device="cpu", runtime=runtime, precision=precision)
    assert check_fidelity(encoder) >= LEAST_COSINE[precision]
    assert encoder.variant["cosine"] == encoder.cosine


@pytest.mark.export
def test_ordinary_texts_keep_what_a_precision_promises(choice, minilm_bundle):
    """bf16 stays within 0.9999 of fp32 on every message, int8 within 0.99 on the mean of them."""
    messages = Path(__file__).parents[3] / "data" / "support_messages.csv"
    with messages.open(newline="", encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)][:64]
    exact = Encoder.open(minilm_bundle, device="cpu").encode(texts)
    cosines = (_opened(minilm_bundle, choice).encode(texts) * exact).sum(axis=1)
    assert cosines.mean() >= 0.99
    if choice != INT8:
        assert cosines.min() >= 0.9999


def test_bf16_is_refused_where_the_cpu_does_not_compute_it(monkeypatch):
    """OpenVINO would take fp32 without a word."""
    pytest.importorskip("openvino")
    monkeypatch.setattr(openvino, "computes_bf16", lambda: False)
    with pytest.raises(RuntimeUnavailable, match="no instructions for bf16"):
        choose_place("cpu", RuntimeName.AUTO, Precision.BF16)


@pytest.mark.parametrize(
    ("device", "runtime", "precision"),
    [
        ("cpu", RuntimeName.OPENVINO, Precision.FP16),
        ("cpu", RuntimeName.OPENVINO, Precision.INT8),
        ("cuda", RuntimeName.AUTO, Precision.INT8),
        ("cpu", RuntimeName.ONNXRUNTIME, Precision.BF16),
        ("cuda", RuntimeName.OPENVINO, Precision.AUTO),
        ("cuda:99", RuntimeName.AUTO, Precision.AUTO),
    ],
)
def test_what_is_not_there_is_refused_before_anything_loads(device, runtime, precision):
    """A combination that cannot run says what to use instead."""
    with pytest.raises(RuntimeUnavailable) as caught:
        choose_place(device, runtime, precision)
    assert caught.value.fix


def test_without_openvino_the_extra_is_named(monkeypatch):
    """The message holds the pip command."""
    import featurize.runtimes as runtimes

    monkeypatch.setattr(runtimes, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"featurize\[openvino\]"):
        choose_place("cpu", RuntimeName.OPENVINO, Precision.AUTO)


def test_a_gpu_that_does_not_work_gives_way_only_when_nobody_asked_for_it(tiny_text, monkeypatch):
    """`auto` goes on with the CPU and says so; `cuda` stops."""
    if devices.count_gpus():
        pytest.skip("there is a GPU")
    monkeypatch.setattr(devices, "count_gpus", lambda: 1)
    bundle = Bundle.open(tiny_text)
    runtime = _runtime(bundle, choose_place("auto", RuntimeName.AUTO, Precision.AUTO))
    assert (runtime.device, runtime.precision) == ("cpu", Precision.FP32)
    assert "Therefore fp32 on cpu is used" in runtime.remark
    with pytest.raises(RuntimeUnavailable, match=r"featurize\[cuda\]"):
        _runtime(bundle, choose_place("cuda", RuntimeName.AUTO, Precision.AUTO))


@pytest.mark.parametrize(
    ("device", "precision", "expected"),
    [
        ("auto", Precision.AUTO, [("cuda:0", "fp16"), ("cuda:0", "fp32"), ("cpu", "fp32")]),
        ("cuda", Precision.AUTO, [("cuda:0", "fp16"), ("cuda:0", "fp32")]),
        ("auto", Precision.FP16, [("cuda:0", "fp16"), ("cpu", "fp16")]),
        ("cuda:0", Precision.FP32, [("cuda:0", "fp32")]),
        ("auto", Precision.INT8, [("cpu", "int8")]),
        ("cpu", Precision.AUTO, [("cpu", "fp32")]),
    ],
)
def test_a_gpu_is_used_as_it_serves_best(device, precision, expected, monkeypatch):
    """fp16 first; what was not asked for gives way, what was asked for does not."""
    monkeypatch.setattr(devices, "count_gpus", lambda: 1)
    place, found = choose_place(device, RuntimeName.AUTO, precision), []
    while place is not None:
        found.append((place.device, place.precision))
        place = place.instead
    assert found == expected


SIGNALLED = """
import gc, signal, threading
from featurize.runtimes import openvino
from featurize.config import Precision

openvino.computes_bf16()
runtimes = [openvino.OpenVino(open(GRAPH, "rb").read, Precision.FP32)]
runtimes[0].load()
thread = threading.Thread(target=lambda: (runtimes.clear(), gc.collect()))
thread.start()
thread.join()
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
signal.raise_signal(signal.SIGTERM)
"""


def test_a_signal_is_survived_after_openvino_was_let_go_of(tiny_text):
    """Its CPU plugin would take the stack for signals with it, and the process would crash."""
    pytest.importorskip("openvino")
    script = SIGNALLED.replace("GRAPH", repr(str(tiny_text / GRAPH)))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
