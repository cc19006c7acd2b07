"""inspect, verify, doctor, help, version; start-up cost and what it loads."""

import subprocess
import sys
import time

import pytest

HEAVY = "torch transformers onnxruntime openvino sklearn faiss pandas pyarrow numpy".split()


def best_seconds(command, runs=5):
    """Return the least wall time of several runs of a process."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def test_importing_loads_nothing_heavy_and_costs_little():
    """`import featurize, downstream` takes at most 0.15 s and loads no heavy library."""
    code = f"import sys, featurize, downstream; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    bare = best_seconds([sys.executable, "-c", "pass"])
    assert best_seconds([sys.executable, "-c", "import featurize, downstream"]) - bare <= 0.15


def test_help_is_quick():
    """`featurize --help` answers within half a second."""
    assert best_seconds([sys.executable, "-m", "featurize", "--help"]) <= 0.5


def test_version_and_help_name_every_command(featurize_cli):
    """The help lists the commands."""
    assert featurize_cli("--version", check=0).stdout.startswith("featurize ")
    text = featurize_cli("--help", check=0).stdout
    commands = (
        "embed export models inspect verify gc forget train evaluate predict index search doctor"
    )
    for name in commands.split():
        assert name in text
        assert "--json" in featurize_cli(name, "--help", check=0).stdout


@pytest.fixture
def table(command, tiny_text, tmp_path):
    """Embed two texts."""
    for number in range(2):
        (tmp_path / f"{number}.txt").write_text(f"the fox {number}")
    out = tmp_path / "table"
    assert command("embed", tmp_path, "--out", out, "--encoder", tiny_text, "--json")[0] == 0
    return out


def test_inspect_tells_tables_and_bundles_apart(command, table, tiny_text):
    """Each artefact says its kind and where it came from."""
    code, data, _ = command("inspect", table, "--json")
    assert (code, data["kind"], data["rows"], data["version"]) == (0, "table", 2, 1)
    assert data["encoder"]["name"] == "tiny-text"
    code, data, _ = command("inspect", tiny_text, "--json")
    assert (code, data["kind"], data["encoder"]["modality"]) == (0, "bundle", "text")


def test_inspect_of_something_else_is_a_usage_error(command, tmp_path):
    """A foreign folder exits 2."""
    code, data, _ = command("inspect", tmp_path, "--json")
    assert (code, data["error"]["kind"]) == (2, "usage")


def test_a_folder_of_artefacts_is_told_what_was_expected(command, tiny_text):
    """`verify` of what lies above a bundle names the files that mark what it checks."""
    code, data, _ = command("verify", tiny_text.parent, "--json")
    assert code == 2
    assert "encoder.json (bundle)" in data["error"]["message"]
    assert "not a folder of such folders" in data["error"]["fix"]


def test_a_wrong_choice_is_named_with_the_known_ones(command, tmp_path):
    """The message is the tool's own, without the jargon of the library that parses."""
    code, data, _ = command("embed", tmp_path, "--out", "t", "--precision", "int4", "--json")
    assert (code, data["error"]["kind"]) == (2, "usage")
    assert data["error"]["message"] == (
        "Invalid value for '--precision': 'int4' is not one of 'auto', 'fp32', 'fp16', 'bf16', "
        "'int8'."
    )


def test_verify_exits_1_naming_the_broken_file(command, table):
    """A damaged part is named."""
    assert command("verify", table, "--json")[:2][0] == 0
    part = next((table / "data").iterdir())
    part.write_bytes(part.read_bytes()[:-1])
    code, data, _ = command("verify", table, "--json")
    assert (code, data["sound"]) == (1, False)
    assert part.name in data["problems"][0]["item"]


def test_verify_names_a_changed_file_of_a_bundle(command, tiny_text, tmp_path):
    """A bundle whose graph was touched is not sound."""
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(tiny_text, copy)
    assert command("verify", copy, "--json")[0] == 0
    (copy / "model.onnx").write_bytes((copy / "model.onnx").read_bytes() + b" ")
    code, data, _ = command("verify", copy, "--json")
    assert code == 1
    assert "model.onnx" in data["problems"][0]["detail"]


def test_doctor_reports_each_check_with_a_fix(command):
    """Every check has a status; what is wrong has a fix."""
    code, data, _ = command("doctor", "--json")
    checks = {check["name"]: check for check in data["checks"]}
    assert {"python", "onnxruntime", "providers", "gpu", "openvino", "export", "cache"} <= set(
        checks
    )
    assert all(check["fix"] for check in data["checks"] if check["status"] == "problem")
    assert code == (0 if data["ok"] else 1)


def test_doctor_says_which_providers_have_no_gpu(command, monkeypatch):
    """What is installed for a GPU that is not there is listed apart."""
    import onnxruntime

    installed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: installed)
    monkeypatch.setattr("featurize.runtimes.devices.count_gpus", lambda: 0)
    _, data, _ = command("doctor", "--json")
    (check,) = [check for check in data["checks"] if check["name"] == "providers"]
    assert check["detail"] == (
        "CPUExecutionProvider; installed, but there is no GPU: CUDAExecutionProvider"
    )


def test_doctor_finds_two_onnxruntime_wheels(command, monkeypatch):
    """Both wheels over each other are a problem with a pip line."""
    from featurize.cli import doctor

    monkeypatch.setattr(doctor, "_version", lambda _name: "1.0")
    code, data, _ = command("doctor", "--json")
    (check,) = [check for check in data["checks"] if check["name"] == "onnxruntime"]
    assert (code, check["status"]) == (1, "problem")
    assert "pip uninstall" in check["fix"]


def test_an_unforeseen_error_still_answers_in_json(command, monkeypatch, tmp_path):
    """A defect gives exit 1, an object on stdout and a traceback on stderr."""
    from featurize import api

    (tmp_path / "a.txt").write_text("x")
    monkeypatch.setattr(api, "run", lambda *_args: 1 / 0)
    code, data, err = command("embed", tmp_path, "--out", tmp_path / "t", "--json")
    assert code == 1
    assert "ZeroDivisionError" in data["error"]["message"]
    assert "Traceback" in err


def test_asking_for_a_gpu_that_is_not_there_stops(command, tiny_text, tmp_path):
    """`--device cuda` without a GPU names doctor, and nothing runs on the CPU instead."""
    from featurize.runtimes.devices import count_gpus

    if count_gpus():
        pytest.skip("there is a GPU")
    (tmp_path / "a.txt").write_text("x")
    arguments = ("--encoder", tiny_text, "--device", "cuda", "--json")
    code, data, _ = command("embed", tmp_path, "--out", tmp_path / "t", *arguments)
    assert (code, data["error"]["kind"]) == (1, "runtime")
    assert "doctor" in data["error"]["fix"]
    assert not (tmp_path / "t").exists()
