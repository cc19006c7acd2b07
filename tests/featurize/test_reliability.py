"""What a run does when memory runs out, or when a runtime is not what it seemed."""

import numpy as np
import pytest

from featurize import cache
from featurize.bundle import Bundle
from featurize.config import Job
from featurize.encoder import Encoder
from featurize.errors import RuntimeFault, RuntimeUnavailable
from featurize.known import KnownInputs
from featurize.pipeline import embed_source, sentinel
from featurize.runtimes.memory import memory_errors
from featurize.sources import open_source
from featurize.table import EmbeddingTable
from featurize.table.verify import verify_table
from featurize.types import Silent


class Listener(Silent):
    """Keeps what was said."""

    def __init__(self):
        self.said = []

    def say(self, text):
        """Keep a sentence."""
        self.said.append(text)


@pytest.fixture
def source(tmp_path):
    """Write 200 texts of equal length."""
    lines = [f"{n:03},fox {'red' if n % 2 else 'dog'}\n" for n in range(200)]
    (tmp_path / "in.csv").write_text("id,text\n" + "".join(lines))
    return tmp_path / "in.csv"


def embed(source, out, bundle, change=lambda encoder: None):
    """Run a job with a changed encoder; return what was said."""
    encoder, listener, job = Encoder.open(Bundle.open(bundle), device="cpu"), Listener(), None
    encoder.load()
    change(encoder)
    job = Job(source, out=out)
    embed_source(job, open_source(job), encoder, bundle=str(bundle), reporter=listener)
    return listener.said


def with_memory_for(rows):
    """Return a change after which a batch of more rows does not fit."""

    def change(encoder):
        run = encoder.runtime.run

        def limited(inputs):
            if len(next(iter(inputs.values()))) > rows:
                raise MemoryError
            return run(inputs)

        encoder.runtime.run = limited

    return change


def test_out_of_memory_makes_batches_smaller_and_changes_no_bit(
    source, tiny_text, tmp_path, hashes
):
    """The chunk is done again, the budget recorded and said; data files stay the same."""
    embed(source, tmp_path / "plain", tiny_text)
    said = embed(source, tmp_path / "tight", tiny_text, with_memory_for(1))
    assert hashes(tmp_path / "tight" / "data") == hashes(tmp_path / "plain" / "data")
    assert any("Memory ran out" in text for text in said)
    budgets = [
        EmbeddingTable.open(tmp_path / name).origin["variant"]["budget"]
        for name in ("plain", "tight")
    ]
    assert budgets[1] < budgets[0]


def test_memory_for_not_even_one_row_is_an_error(source, tiny_text, tmp_path, monkeypatch):
    """It ends, says what to do and leaves no table."""

    def starve(encoder):
        known = KnownInputs(encoder).vectors(1)
        monkeypatch.setattr(KnownInputs, "vectors", lambda *_: known)
        with_memory_for(0)(encoder)

    embed(source, tmp_path / "warm", tiny_text)  # so that the fidelity is known
    with pytest.raises(RuntimeUnavailable, match="even one input"):
        embed(source, tmp_path / "t", tiny_text, starve)
    assert not (tmp_path / "t").exists()


def test_what_onnxruntime_says_of_memory_is_a_memory_error():
    """A graph that asks for 8 TB raises MemoryError, other failures stay what they are."""
    import onnxruntime
    from onnx import TensorProto, helper

    node = helper.make_node("ConstantOfShape", ["shape"], ["out"])
    shape = helper.make_tensor_value_info("shape", TensorProto.INT64, [2])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    model = helper.make_model(
        helper.make_graph([node], "g", [shape], [out]),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    with pytest.raises(MemoryError), memory_errors():
        session.run(None, {"shape": np.array([1 << 21, 1 << 20])})
    with pytest.raises(ValueError, match="Required inputs"), memory_errors():
        session.run(None, {})


def test_a_runtime_that_changes_its_mind_stops_the_run(source, tiny_text, tmp_path, monkeypatch):
    """Known inputs are encoded again before commits; other vectors are never committed."""
    monkeypatch.setattr(sentinel, "_SECONDS_BETWEEN", 0.0)
    embed(source, tmp_path / "sound", tiny_text)
    assert verify_table(tmp_path / "sound") == []

    def decay(encoder):
        run, calls = encoder.runtime.run, iter(range(10_000))

        def worse(inputs):
            return run(inputs) * np.float32(1 if next(calls) < 5 else 0.99)

        encoder.runtime.run = worse

    with pytest.raises(RuntimeFault, match="other vectors"):
        embed(source, tmp_path / "t", tiny_text, decay)
    assert not (tmp_path / "t").exists()


def test_a_measurement_is_made_once_for_a_machine(tmp_path, monkeypatch):
    """It is kept by its key; a damaged or unwritable cache only costs another measurement."""
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "cache"))
    made = iter([0.5, float("nan"), 0.7, 0.8])
    assert cache.measured("m", {"a": 1}, made.__next__) == 0.5
    assert cache.measured("m", {"a": 1}, made.__next__) == 0.5
    assert np.isnan(cache.measured("m", {"a": 2}, made.__next__))
    assert np.isnan(cache.measured("m", {"a": 2}, made.__next__))
    for file in (tmp_path / "cache").rglob("*.json"):
        file.write_text("{")
    assert cache.measured("m", {"a": 1}, made.__next__) == 0.7
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "file"))
    assert cache.measured("m", {"a": 1}, made.__next__) == 0.8
