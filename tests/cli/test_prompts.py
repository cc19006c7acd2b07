"""Prompts and shortened vectors, from the command to a query."""

import json
import shutil

import numpy as np
import pytest
import tiny_models

from featurize.table import EmbeddingTable

PROMPTS = {"query": "ask one: ", "document": "the word: "}
TEXTS = ["one two three", "the word", "zebra and giraffe"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Save a model for retrieval."""
    root = tmp_path_factory.mktemp("model")
    base = tiny_models.save_transformer(root / "base")
    return tiny_models.save_model(
        root / "asymmetric", base, following=[tiny_models.normalize()], prompts=PROMPTS
    )


@pytest.fixture(scope="module")
def original(model):
    """Load it as its users do."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(model), device="cpu", local_files_only=True)


@pytest.fixture
def source(tmp_path):
    """Write three texts."""
    path = tmp_path / "in.csv"
    path.write_text("\n".join(["id,text", *(f"r{n},{text}" for n, text in enumerate(TEXTS))]))
    return path


def test_documents_are_asked_with_the_prompt_of_a_query(
    command, model, original, source, close, tmp_path
):
    """Table and search are what encode_document and encode_query give together."""
    out, index = tmp_path / "table", tmp_path / "index"
    embed = ("embed", source, "--out", out, "--encoder", model, "--json")
    code, _, err = command(*embed, "--prompt", "document")
    assert (code, "Before every text stands 'the word: '" in err) == (0, True)
    table = EmbeddingTable.open(out)
    documents = original.encode_document(TEXTS, show_progress_bar=False)
    assert close(table.to_numpy(), documents)
    assert table.column("text").tolist() == TEXTS
    assert table.origin["variant"]["prompt"] == {"role": "document", "text": "the word: "}

    assert command("index", out, "--out", index, "--json")[0] == 0
    _, found, err = command("search", index, "two", "-k", 3, "--json")
    query = original.encode_query("two", show_progress_bar=False)
    expected = dict(zip(["r0", "r1", "r2"], (documents @ query).tolist(), strict=True))
    for hit in found["hits"][0]:
        assert hit["score"] == pytest.approx(expected[hit["id"]], abs=1e-5)
    assert "Before the query stands 'ask one: '" in err
    _, plain, _ = command("search", index, "the word: the word", "--prompt", "", "-k", 1, "--json")
    assert plain["hits"][0][0]["score"] == pytest.approx(1, abs=1e-5)


def test_a_table_keeps_its_prompt(command, model, source, tmp_path):
    """Later runs take it unasked, and refuse another; without one, the encoder's are named."""
    out = tmp_path / "table"
    embed = ("embed", source, "--out", out, "--encoder", model, "--json")
    assert command(*embed, "--prompt", "Find: ")[0] == 0
    source.write_text(source.read_text() + "\nr3,three")
    assert command(*embed)[1]["embedded"] == 1
    code, refused, _ = command(*embed, "--prompt", "query")
    assert (code, refused["error"]["kind"]) == (2, "usage")
    message = "made with --prompt Find: ; this run is with --prompt query"
    assert message in refused["error"]["message"]
    _, _, err = command(*embed[:3], tmp_path / "other", *embed[4:])
    assert "has prompts for document, query; none is used" in err


def test_a_prompt_alone_makes_no_row(command, model, tmp_path):
    """A text without a token of its own is rejected, whatever stands before it."""
    (tmp_path / "in.csv").write_text("id,text\na,\u200b\nb,word\n")
    out = tmp_path / "table"
    embed = ("embed", tmp_path / "in.csv", "--out", out, "--encoder", model, "--json")
    code, made, _ = command(*embed, "--prompt", "query")
    assert (code, made["rows"], made["reasons"]) == (3, 1, {"empty": 1})


def test_vectors_are_cut_and_given_unit_length_again(command, model, original, source, tmp_path):
    """--dim keeps the first numbers, in the table, its fingerprint and its queries."""
    out, index = tmp_path / "table", tmp_path / "index"
    embed = ("embed", source, "--out", out, "--encoder", model, "--json")
    code, made, err = command(*embed, "--dim", 12)
    assert (code, "cut to 12 of 32 numbers, which keeps" in err) == (0, True)
    table = EmbeddingTable.open(out)
    whole = original.encode(TEXTS, prompt="", show_progress_bar=False)[:, :12]
    expected = whole / np.linalg.norm(whole, axis=1, keepdims=True)
    np.testing.assert_allclose(table.to_numpy(), expected, atol=1e-5)
    assert command(*embed)[1]["unchanged"] == 3
    assert command(*embed, "--dim", 8)[0] == 2

    assert command("index", out, "--out", index, "--json")[0] == 0
    _, found, _ = command("search", index, TEXTS[1], "-k", 1, "--json")
    assert found["hits"][0][0]["id"] == "r1"
    whole_out = tmp_path / "whole"
    _, other, _ = command(*embed[:3], whole_out, *embed[4:])
    assert made["fingerprint"] != other["fingerprint"]


@pytest.mark.parametrize("dim", [0, 33])
def test_an_impossible_dim_is_refused(dim, command, model, source, tmp_path):
    """The message says how many there are."""
    embed = ("embed", source, "--out", tmp_path / "t", "--encoder", model, "--json")
    code, refused, _ = command(*embed, "--dim", dim)
    assert (code, "has 32 dimensions" in refused["error"]["message"]) == (2, True)


def test_an_encoder_with_other_prompts_does_not_go_on_with_a_table(
    command, model, source, tmp_path
):
    """What stands before the texts of a table stays what it is, whatever a model is saved with."""
    out, other = tmp_path / "table", tmp_path / "asymmetric"
    shutil.copytree(model, other)
    settings = other / "config_sentence_transformers.json"
    stated = json.loads(settings.read_text())
    settings.write_text(json.dumps({**stated, "prompts": {"query": "two: "}}))
    embed = ("embed", source, "--out", out, "--prompt", "query", "--json")
    assert command(*embed, "--encoder", model)[0] == 0
    code, refused, _ = command(*embed, "--encoder", other)
    assert (code, "stands 'ask one: '" in refused["error"]["message"]) == (2, True)


def test_another_name_of_the_same_encoder_goes_on_with_a_table(command, model, source, tmp_path):
    """All parts keep the table's own card, so that they share one schema."""
    out, other = tmp_path / "table", tmp_path / "renamed"
    shutil.copytree(model, other)
    embed = ("embed", source, "--out", out, "--json")
    assert command(*embed, "--encoder", model)[0] == 0
    source.write_text(source.read_text() + "\nr3,three")
    assert command(*embed, "--encoder", other)[1]["embedded"] == 1
    assert command("verify", out, "--json")[0] == 0


def test_a_prompt_that_leaves_no_room_is_refused(command, model, source, tmp_path):
    """It is the prompt that is wrong, not the texts."""
    embed = ("embed", source, "--out", tmp_path / "t", "--encoder", model, "--json")
    code, refused, _ = command(*embed, "--prompt", "one two " * 30)
    assert (code, "leaves no room" in refused["error"]["message"]) == (2, True)


def test_the_whole_dim_is_no_cut(command, model, source, tmp_path):
    """Asking for as many numbers as there are is asking for nothing."""
    embed = ("embed", source, "--out", tmp_path / "t", "--encoder", model, "--json")
    assert command(*embed)[0] == 0
    assert command(*embed, "--dim", 32)[1]["unchanged"] == 3
