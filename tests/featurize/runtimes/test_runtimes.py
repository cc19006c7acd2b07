"""Every runtime keeps the seam's promises, on tiny graphs and on the real encoder."""

import numpy as np
import pytest

from featurize.bundle import Bundle
from featurize.config import Precision, RuntimeName
from featurize.encoder import Encoder
from featurize.errors import MissingExtra, RuntimeUnavailable
from featurize.reference import read_reference
from featurize.runtimes import choose_place, devices, open_runtime

ONNX = (RuntimeName.ONNXRUNTIME, Precision.FP32)
OPENVINO = (RuntimeName.OPENVINO, Precision.FP32)
BF16 = (RuntimeName.OPENVINO, Precision.BF16)
LEAST_COSINE = {Precision.FP32: 0.9999999, Precision.BF16: 0.999}


@pytest.fixture(params=[ONNX, OPENVINO, BF16], ids=["onnxruntime", "openvino", "openvino-bf16"])
def choice(request):
    """Name a runtime and a precision that this machine computes."""
    name, precision = request.param
    if name is RuntimeName.OPENVINO:
        pytest.importorskip("openvino")
    if precision is Precision.BF16 and not _computes_bf16():
        pytest.skip("this CPU has no bf16 instructions")
    return request.param


def _computes_bf16():
    from pathlib import Path

    info = Path("/proc/cpuinfo")
    return info.exists() and any(f in info.read_text() for f in ("avx512_bf16", "amx_bf16"))


def test_a_runtime_says_what_it_is(choice, tiny_text):
    """Name, device, precision, threads and library are stated."""
    runtime = open_runtime(Bundle.open(tiny_text), choose_place("cpu", *choice))
    assert (runtime.name, runtime.precision) == choice
    assert runtime.device == "cpu"
    assert runtime.workers >= 1
    assert runtime.library.split()[1][0].isdigit()


@pytest.mark.parametrize("bundle", ["tiny_text", "tiny_image"])
def test_vectors_are_float32_rows(choice, bundle, request):
    """Whatever is computed inside, float32 comes out, a row an input."""
    opened = Bundle.open(request.getfixturevalue(bundle))
    runtime = open_runtime(opened, choose_place("cpu", *choice))
    inputs = {"pixels": np.ones((3, 3, 32, 32), np.float32)}
    if bundle == "tiny_text":
        ids = np.array([[2, 5, 3], [2, 6, 3], [2, 7, 3]])
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    vectors = runtime.run(inputs)
    assert vectors.shape == (3, opened.card.dim)
    assert vectors.dtype == np.float32


@pytest.mark.export
@pytest.mark.parametrize("name", ["minilm_bundle", "image_bundle"])
def test_no_vector_depends_on_its_batch_or_thread(choice, name, request):
    """Short and long inputs get the same bits alone, in batches and on several threads."""
    bundle = request.getfixturevalue(name)
    runtime, precision = choice
    encoder = Encoder.open(bundle, device="cpu", runtime=runtime, precision=precision)
    contents = [
        encoder.processor.restore(item) for item in read_reference(bundle.path / "reference.npz")[0]
    ]
    sample = contents[::2]
    encoder.budget = encoder.runtime.workers = 1
    alone = encoder._encode_contents(sample)
    for budget, workers in ((64, 2), (2048, 1), (4096, 3)):
        encoder.budget, encoder.runtime.workers = budget, workers
        together = encoder._encode_contents([*reversed(sample), *sample])
        np.testing.assert_array_equal(together[len(sample) :], alone)
        np.testing.assert_array_equal(together[: len(sample)], alone[::-1])


@pytest.mark.export
def test_fidelity_is_measured_on_known_inputs(choice, minilm_bundle):
    """The least cosine to the original is that of the precision."""
    runtime, precision = choice
    encoder = Encoder.open(minilm_bundle, device="cpu", runtime=runtime, precision=precision)
    assert encoder.fidelity() >= LEAST_COSINE[precision]
    assert encoder.variant["cosine"] == encoder.cosine


@pytest.mark.parametrize(
    ("device", "runtime", "precision"),
    [
        ("cpu", RuntimeName.AUTO, Precision.FP16),
        ("cpu", RuntimeName.AUTO, Precision.INT8),
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
    runtime = open_runtime(bundle, choose_place("auto", RuntimeName.AUTO, Precision.AUTO))
    assert runtime.device == "cpu"
    assert "The CPU is used" in runtime.remark
    with pytest.raises(RuntimeUnavailable, match=r"featurize\[cuda\]"):
        open_runtime(bundle, choose_place("cuda", RuntimeName.AUTO, Precision.AUTO))
