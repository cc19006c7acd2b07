"""`rank`: encoders compared on the user's own labels, from the command line."""

import pytest

from featurize.cli.words import spread

TOPICS = {"animals": "the {} fox runs", "post": "the {} parcel late"}
FILLERS = "red green blue dog fast slow refund broken card sleeps".split()


@pytest.fixture
def source(tmp_path):
    """Write 20 labelled texts."""
    texts = [
        f"{topic[0]}{number},{text.format(word)},{topic}"
        for topic, text in TOPICS.items()
        for number, word in enumerate(FILLERS)
    ]
    path = tmp_path / "in.csv"
    path.write_text("\n".join(["id,text,topic", *texts]))
    return path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("rank S --encoders A B C", "rank S --encoders A --encoders B --encoders C"),
        ("rank S --encoders A B --json", "rank S --encoders A --encoders B --json"),
        ("rank --encoders A -- S", "rank --encoders A -- S"),
        ("rank S --encoders A,B", "rank S --encoders A,B"),
        ("rank S --encoders=A --label C D", "rank S --encoders=A --label C D"),
        ("rank S --encoders=A B C", "rank S --encoders=A --encoders B --encoders C"),
        ("rank S --encoders= A --x=B C", "rank S --encoders= --encoders A --x=B C"),
        ("-v rank S --encoders A B", "-v rank S --encoders A --encoders B"),
        ("embed S --encoders A B", "embed S --encoders A B"),
        ("rank S --encoders", "rank S --encoders"),
        ("", ""),
    ],
)
def test_a_list_is_all_words_up_to_the_next_option(words, expected):
    """`--encoders A B C` is as if the option were repeated, for `rank` alone."""
    assert spread(words.split()) == expected.split()


@pytest.mark.parametrize("form", ["words", "equals", "commas", "repeated"])
def test_encoders_are_ranked(command, source, tiny_text, tiny_image, tmp_path, form):
    """Every way of naming them works; one that fails is listed and the exit code stays 0."""
    names = [str(tiny_text), str(tiny_image)]
    encoders = {
        "words": ["--encoders", *names],
        "equals": [f"--encoders={names[0]}", names[1]],
        "commas": ["--encoders", ",".join(names)],
        "repeated": ["--encoders", names[0], "--encoders", names[1]],
    }[form]
    out = ("--out", tmp_path / "ranking")
    code, data, err = command("rank", source, "--label", "topic", *encoders, *out, "--json")
    assert code == 0
    assert [entry["encoder"] for entry in data["encoders"]] == names[:1]
    assert "takes images" in data["failed"][names[1]]["message"]
    assert (data["rows"], data["recommended"]) == (20, names[0])
    assert data["out"] == str(tmp_path / "ranking")
    assert f"Embedding with {names[0]}" in err


def test_people_read_a_table(told, source, tiny_text, tmp_path):
    """Best first, with costs, what failed, and one sentence that recommends."""
    rank = ("rank", source, "--label", "topic", "--sample", 16)
    code, out, _ = told(*rank, "--encoders", tiny_text, "nonsense")
    assert code == 0
    assert "16 labelled inputs of 2 classes" in out
    for word in ("accuracy", "LogME", "k-NN", "s/1,000", "model", "tiny-text"):
        assert word in out
    assert "nonsense failed: There is no encoder" in out
    assert "is the only encoder that was ranked." in " ".join(out.split())


def test_no_working_encoder_is_a_failure(command, source):
    """Exit 1 with the first error; a missing option is a usage error."""
    rank = ("rank", source, "--label", "topic", "--json")
    code, data, _ = command(*rank, "--encoders", "nonsense", "nowhere")
    assert (code, data["error"]["kind"]) == (1, "head")
    assert "nonsense" in data["error"]["message"]
    assert command(*rank)[0] == 2
