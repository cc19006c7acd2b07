"""A static encoder, from a folder of weights to a classifier."""


def test_a_table_of_tokens_gives_a_good_classifier(command, shared_data, tmp_path):
    """Model2Vec's potion, whose weights are eight-bit integers, reaches 0.88 on 77 intents."""
    data, model = shared_data / "banking77", shared_data / "weights" / "static_potion"
    columns = ("--text-column", "text", "--label-column", "category")
    for name in ("train", "test"):
        table = ("--out", tmp_path / name, "--encoder", model, "--json")
        assert command("embed", data / f"{name}.csv", *columns, *table)[0] == 0
    head = tmp_path / "head"
    assert command("train", tmp_path / "train", "--out", head, "--json")[0] == 0
    code, found, _ = command("evaluate", head, tmp_path / "test", "--json")
    assert code == 0
    assert found["metrics"]["accuracy"] >= 0.88
