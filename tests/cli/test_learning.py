"""train, evaluate and predict as a person at a terminal meets them."""

import csv

import pandas as pd
import pytest

COLOURS = ["red", "green", "blue", "fast", "slow"]
NOUNS = {"animal": ["fox", "dog"], "service": ["refund", "parcel"], "bank": ["card", "late"]}


@pytest.fixture
def embed(command, tiny_text, tmp_path):
    """Return a function that embeds rows of columns and returns the table's folder."""

    def make(name="table", **columns):
        source = tmp_path / f"{name}.csv"
        pd.DataFrame(columns).to_csv(source, index=False, quoting=csv.QUOTE_ALL)
        arguments = ("--out", tmp_path / name, "--encoder", tiny_text, "--json")
        code, data, err = command("embed", source, *arguments)
        assert code == 0, (data, err)
        return tmp_path / name

    return make


@pytest.fixture
def table(embed):
    """Embed 60 rows of three classes, half of them of one."""
    return embed(**messages(["animal"] * 30 + ["service", "bank"] * 15))


@pytest.fixture
def head(command, table, tmp_path):
    """Train a head on the table."""
    assert command("train", table, "--out", tmp_path / "head", "--json")[0] == 0
    return tmp_path / "head"


def messages(labels, words=None):
    """Return the columns of messages that go with labels."""
    words = words or labels
    texts = [
        f"{COLOURS[i % 5]} {NOUNS[word][i % 2]} {COLOURS[i % 3]} {'the ' * (i // 15)}"
        for i, word in enumerate(words)
    ]
    return {"id": [f"m{i}" for i in range(len(labels))], "text": texts, "label": labels}


def stop_short(table):
    """Add a commit that says its run has not come to its end."""
    from featurize.table.layout import Layout
    from featurize.table.log import CommitLog
    from featurize.table.snapshot import Commit

    log = CommitLog(Layout.of(table).log)
    state = log.snapshot()
    log.append(state, Commit("embed", [], [], state.origin, {}, complete=False))


def test_accuracy_stands_beside_the_baseline(command, told, table, tmp_path):
    """Training says what always naming one class would reach, in text and in JSON."""
    code, out, _ = told("train", table, "--out", tmp_path / "h")
    assert code == 0
    assert "(0.500 by naming the most frequent class)" in out
    _, data, _ = command("train", table, "--out", tmp_path / "h", "--json")
    assert data["metrics"]["majority_accuracy"] == 0.5
    assert data["incomplete"] is False


def test_unmeasured_classes_are_counted(told, embed, tmp_path):
    """A class without a row in the hold-out is learned, and said not to be measured."""
    labels = ["animal"] * 20 + ["service"] * 20 + ["bank"]
    code, out, _ = told("train", embed(**messages(labels)), "--out", tmp_path / "h")
    assert code == 0
    assert "1 of the classes had no row held out: they are not measured." in out


def test_classes_that_look_alike_are_named(told, embed, tmp_path):
    """Labels stay exact; those that differ only by white space around them are shown."""
    words = ["animal", "service"] * 15
    labels = [f"{word} " if i % 3 else word for i, word in enumerate(words)]
    code, out, _ = told("train", embed(**messages(labels, words)), "--out", tmp_path / "h")
    assert code == 0
    assert "over 4 classes" in out
    assert "differ only by white space: 'animal' and 'animal '; 'service' and 'service '." in out


def test_classes_with_white_space_around_them_are_named(told, embed, tmp_path):
    """Labels stay exact, and what surrounds them is shown."""
    words, labels = ["animal", "service"] * 15, ["animal ", "service"] * 15
    code, out, _ = told("train", embed(**messages(labels, words)), "--out", tmp_path / "h")
    assert code == 0
    assert "Classes with white space around them: 'animal '." in out


def test_a_column_of_ids_is_no_column_of_classes(command, table, tmp_path):
    """Where nearly every label is unique, training is refused with the counts."""
    for column in ("id", "content_sha256"):
        arguments = ("--out", tmp_path / "h", "--label", column, "--json")
        code, data, _ = command("train", table, *arguments)
        assert (code, data["error"]["kind"]) == (1, "head")
        assert f"of 60 rows have a label in '{column}'" in data["error"]["message"]
        assert "--label" in data["error"]["fix"]
    assert not (tmp_path / "h").exists()


def test_small_sets_leave_stderr_empty(featurize_cli, embed, tmp_path):
    """No warning of a library reaches the user."""
    made = embed(**messages([*["animal", "service", "bank"] * 2, "animal"]))
    done = featurize_cli("train", made, "--out", tmp_path / "h", check=0)
    assert done.stderr == ""
    assert featurize_cli("evaluate", tmp_path / "h", made, check=0).stderr == ""


def test_an_unknown_model_lists_the_known(command, table, tmp_path):
    """The fix names what there is."""
    arguments = ("--out", tmp_path / "h", "--model", "forest", "--json")
    code, data, _ = command("train", table, *arguments)
    assert (code, data["error"]["fix"]) == (
        2,
        "Choose one of: logistic, svm, ridge, centroid, knn, boosting.",
    )


def test_evaluating_on_the_training_rows_is_said(command, told, head, table, embed):
    """The figures of the very rows a head has learned are marked; those of others are not."""
    mark = "include those it was trained on"
    assert mark in told("evaluate", head, table)[1]
    assert command("evaluate", head, table, "--json")[1]["seen_in_training"] is True
    other = embed("other", **messages(["service", "bank", "animal"] * 10))
    assert mark not in told("evaluate", head, other)[1]


def test_labels_the_head_never_saw_are_counted(told, head, embed):
    """Rows with unknown labels are errors, and the text says how many they are."""
    words = ["animal", "service"] * 10
    labels = ["new"] * 4 + words[4:]
    code, out, _ = told("evaluate", head, embed("other", **messages(labels, words)))
    assert code == 0
    assert "4 rows have labels the head never saw" in out


def test_labels_of_another_task_are_refused(command, head, embed):
    """Where no label is known, the message shows a few of both sides."""
    words = ["animal", "service"] * 10
    other = embed("other", **messages(["yes", "no"] * 10, words))
    code, data, _ = command("evaluate", head, other, "--json")
    assert (code, data["error"]["kind"]) == (1, "head")
    assert "'no', 'yes'; the head knows 'animal', 'bank', 'service'" in data["error"]["message"]


def test_class_names_cannot_steer_the_terminal(told, embed, tmp_path):
    """Escape sequences in labels are shown as such."""
    words = ["animal", "service"] * 15
    labels = ["\x1b[31m" + word + "\n" for word in words]
    made = embed(**messages(labels, words))
    _, trained, _ = told("train", made, "--out", tmp_path / "h")
    _, evaluated, _ = told("evaluate", tmp_path / "h", made)
    assert "\x1b" not in trained + evaluated
    assert "\\x1b[31manimal\\n 1.00" in evaluated


def test_an_incomplete_table_is_said_to_be_so(command, told, table, tmp_path):
    """What comes of a table whose run was stopped says it, in text and in JSON."""
    stop_short(table)
    head, out = tmp_path / "h", tmp_path / "p.parquet"
    steps = [
        ("train", table, "--out", head),
        ("evaluate", head, table),
        ("predict", head, table, "--out", out),
        ("index", table, "--out", tmp_path / "i"),
    ]
    for step in steps:
        code, shown, _ = told(*step)
        assert code == 0
        assert "The table is incomplete" in shown
        assert command(*step, "--json")[1]["incomplete"] is True


def test_evaluate_looks_for_labels_where_its_help_says(command, embed, tmp_path):
    """Without --labels the column of the training is read, with it the column `label`."""
    columns = messages(["animal", "service"] * 15)
    columns["topic"] = columns.pop("label")
    made = embed(**columns)
    arguments = ("--out", tmp_path / "h", "--label", "topic", "--json")
    assert command("train", made, *arguments)[0] == 0
    code, data, _ = command("evaluate", tmp_path / "h", made, "--json")
    assert (code, data["label"]) == (0, "topic")
    labels = tmp_path / "labels.csv"
    labels.write_text("id,label\nm0,animal\nm1,service\nm2,animal\n")
    code, data, _ = command("evaluate", tmp_path / "h", made, "--labels", labels, "--json")
    assert (code, data["label"], data["rows"]) == (0, "label", 3)


def test_help_states_the_defaults(told):
    """The help of --label says which column is read when it is left out."""
    train, evaluate = (" ".join(told(name, "--help")[1].split()) for name in ("train", "evaluate"))
    assert "`label` if left out" in train
    assert "the one the head was trained on" in evaluate.replace("│ │ ", "")


@pytest.mark.parametrize(
    ("name", "code", "kind"), [("mine.csv", 2, "usage"), ("mine.parquet", 1, "head")]
)
def test_predict_overwrites_no_file_of_the_user(command, head, table, tmp_path, name, code, kind):
    """What `predict` has not written stays as it is."""
    mine = tmp_path / name
    mine.write_text("precious")
    answer = command("predict", head, table, "--out", mine, "--json")
    assert (answer[0], answer[1]["error"]["kind"]) == (code, kind)
    assert answer[1]["error"]["fix"]
    assert mine.read_text() == "precious"


def test_predict_stays_out_of_every_table(command, head, table, embed):
    """No file appears beside the parts of a table, its own or another."""
    other = embed("other", **messages(["animal"] * 3))
    for place in (table, other):
        out = place / "data" / "new" / "p.parquet"
        code, data, _ = command("predict", head, table, "--out", out, "--json")
        assert (code, data["error"]["kind"]) == (2, "usage")
        assert not out.parent.exists()


def test_a_head_stays_out_of_every_table(command, table):
    """A head inside a table is refused, before anything is read."""
    code, data, _ = command("train", table, "--out", table / "head", "--label", "nope", "--json")
    assert (code, data["error"]["kind"]) == (2, "usage")
    assert "inside the table" in data["error"]["message"]
    assert not (table / "head").exists()


def test_probabilities_come_in_ascending_order_of_classes(command, head, table, tmp_path):
    """The order that JSON and file state is that of the class names."""
    out = tmp_path / "p.parquet"
    for _ in range(2):
        code, data, _ = command("predict", head, table, "--out", out, "--json")
    assert (code, data["rows"]) == (0, 60)
    assert data["classes"] == ["animal", "bank", "service"]
    rows = pd.read_parquet(out)
    best = rows["probabilities"].map(lambda values: data["classes"][values.argmax()])
    assert best.tolist() == rows["prediction"].tolist()


@pytest.mark.parametrize("what", ["evaluate", "predict"])
def test_vectors_of_another_precision_are_mentioned(
    command, embed, table, head, tiny_text, tmp_path, what
):
    """One line on stderr, and only where the table was made otherwise."""
    columns = messages(["animal"] * 30 + ["service", "bank"] * 15)
    pd.DataFrame(columns).to_csv(tmp_path / "half.csv", index=False)
    half = tmp_path / "half"
    way = ("--encoder", tiny_text, "--precision", "fp16", "--json")
    assert command("embed", tmp_path / "half.csv", "--out", half, *way)[0] == 0
    out = ("--out", tmp_path / "p.parquet") if what == "predict" else ()
    code, _, err = command(what, head, half, *out, "--json")
    assert code == 0
    assert "trained on vectors made in fp32; those of" in err
    assert "are made in fp16" in err
    assert command(what, head, table, *out, "--json")[::2] == (0, "")
