"""`embed --plan`: what a run would do, as the run then does it, and nothing written."""

import json
import shutil
from dataclasses import replace

import pytest

from featurize.bundle import Bundle, write_card

COUNTS = ("new", "changed", "updated", "unchanged", "deleted", "rejected")


def rows(path, *lines):
    """Write rows of id, text, label and price."""
    path.write_text("\n".join(["id,text,label,price", *lines]) + "\n")


@pytest.fixture
def source(tmp_path):
    """Write ten rows, one of them blank."""
    rows(tmp_path / "in.csv", *(f"r{n},fox {n},a,1" for n in range(9)), "blank,,a,1")
    return tmp_path / "in.csv"


@pytest.fixture
def plan(command, tmp_path, hashes):
    """Return a function that plans, and sees to it that nothing at all is written."""

    def run(source, out, *options):
        before = hashes(tmp_path)
        code, data, _ = command("embed", source, "--out", out, "--plan", "--json", *options)
        assert hashes(tmp_path) == before
        assert code == 0
        return data

    return run


def test_a_new_table_takes_all_that_is_not_rejected(plan, source, tmp_path):
    """Without a table, what can be read is new; the encoder need not be there yet."""
    data = plan(source, tmp_path / "t")
    assert [data[name] for name in COUNTS] == [9, 0, 0, 0, 0, 1]
    assert (data["version"], data["rows"], data["encoder"]) == (0, 0, "minilm")


@pytest.mark.parametrize("options", [(), ("--allow-delete",), ("--append",)])
def test_a_plan_counts_what_the_run_then_does(plan, command, source, table, options):
    """New, changed, updated, unchanged, deleted and rejected are those of the run itself."""
    kept = [f"r{n},fox {n},a,1" for n in range(2, 9)]
    kept[0] = "r2,another fox,a,1"
    kept[1] = "r3,fox 3,b,1"
    rows(source, *kept, "new,a dog,a,1", "worse,,a,1")
    if not options:
        rows(source, "r0,fox 0,a,1", *kept, "new,a dog,a,1", "worse,,a,1")
    planned = plan(source, table, *options)
    assert planned["refusal"] is None
    code, done, _ = command("embed", source, "--out", table, "--json", *options)
    assert code == 3
    assert done["embedded"] == planned["new"] + planned["changed"] == 2
    assert done["updated"] == planned["updated"] == 1
    assert done["deleted"] == planned["deleted"] == {(): 1, ("--append",): 0}.get(options, 2)
    assert done["rejected"] == planned["rejected"]
    again = plan(source, table, *options)
    assert [again[name] for name in COUNTS[:3]] == [0, 0, 0]


def test_a_plan_says_that_the_run_would_be_stopped(plan, told, source, table, tmp_path, tiny_text):
    """The deletion guard, too many rejects, another source and another option are foreseen."""
    data = plan(source, table, "--max-rejects", "0")
    assert data["refusal"]["kind"] == "too_many_rejects"
    assert plan(source, table, "--no-text")["refusal"]["kind"] == "usage"
    other = tmp_path / "other.csv"
    other.write_bytes(source.read_bytes())
    data = plan(other, table)
    assert (data["refusal"]["kind"], data["new"]) == ("table", None)
    data = plan(other, table, "--append")
    assert "'r0'" in data["refusal"]["message"]
    rows(source, "r0,fox 0,a,1")
    data = plan(source, table)
    assert (data["deleted"], data["refusal"]["kind"]) == (8, "table")
    assert "--allow-delete" in data["refusal"]["fix"]
    code, out, _ = told("embed", source, "--out", table, "--plan")
    assert code == 0
    assert "8 deleted" in out
    assert "would be stopped: 8 of 9 rows" in out


def test_another_encoder_is_foreseen(plan, source, table, tiny_text, tmp_path):
    """Its vectors would never meet those of the table, so nothing is compared."""
    shutil.copytree(tiny_text, tmp_path / "other")
    bundle = Bundle.open(tmp_path / "other")
    space = replace(bundle.card.space, weights="x")
    write_card(tmp_path / "other", replace(bundle.card, space=space), {"parity": {}})
    data = plan(source, table, "--encoder", tmp_path / "other")
    assert (data["refusal"]["kind"], data["unchanged"]) == ("mismatch", None)


def test_lost_labels_and_columns_are_said_by_plan_and_run(plan, command, source, table):
    """A header that was renamed takes labels and columns away; never silently."""
    source.write_text(source.read_text().replace("id,text,label,price", "id,text,class,cost"))
    planned = plan(source, table)["notes"]
    code, done, err = command("embed", source, "--out", table, "--json")
    assert code == 3
    for notes in (planned, done["notes"], [err]):
        said = "\n".join(notes)
        assert "every label becomes null" in said
        assert "Column 'price', which the table has, is no longer in the source" in said
    _, done, err = command("embed", source, "--out", table, "--json")
    assert "no longer" not in json.dumps(done) + err


def test_a_graph_not_derived_yet_is_not_derived_for_a_plan(
    plan, source, tiny_text, tmp_path, monkeypatch
):
    """The cache stays as it was: a table in fp16 is planned, but without an estimate."""
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "cache"))
    data = plan(source, tmp_path / "t", "--encoder", tiny_text, "--precision", "fp16")
    assert (data["new"], data["estimate"]) == (9, None)


def test_what_was_not_exported_yet_is_not_exported_for_a_plan(plan, source, tmp_path, monkeypatch):
    """The cache stays as empty as it was."""
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "cache"))
    plan(source, tmp_path / "t")
    assert not (tmp_path / "cache").exists()


def test_what_cannot_be_computed_here_is_foreseen(plan, source, tmp_path, tiny_text):
    """A device, precision or combination that is not there is the plan's refusal, not an error."""
    from featurize.runtimes.devices import count_gpus

    encoder = ("--encoder", tiny_text)
    ways = [("--precision", "int8"), ("--runtime", "openvino", "--precision", "fp16")]
    if not count_gpus():
        ways.append(("--device", "cuda"))
    for way in ways:
        data = plan(source, tmp_path / "t", *encoder, *way)
        assert data["refusal"]["kind"] == "runtime", way
        assert (data["new"], data["estimate"]) == (9, None)
        assert "not ready" not in "".join(data["notes"])


def test_int8_of_convolutions_is_foreseen_without_an_export(plan, tmp_path, monkeypatch):
    """The built-in image encoder is known not to have it: nothing is made to find that out."""
    from PIL import Image

    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 40), "red").save(tmp_path / "photos" / "a.png")
    data = plan(tmp_path / "photos", tmp_path / "t", "--precision", "int8")
    assert "matrix products" in data["refusal"]["message"]
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "way", [("--precision", "int8"), ("--precision", "bf16"), ("--runtime", "openvino")]
)
def test_another_way_of_computing_is_compared_with_the_table_first(
    plan, command, source, table, way
):
    """What the table was made with is the message, not what would be missing for the other way."""
    refusal = plan(source, table, *way)["refusal"]
    code, data, _ = command("embed", source, "--out", table, "--json", *way)
    assert (code, data["error"]) == (2, refusal)
    assert refusal["message"].startswith(f"The table was made with {way[0]} ")
