"""The options of `train`, through the command, on small tables."""

import csv

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from downstream.heads.models.registry import MODELS

NOUNS = {"animal": ["fox", "dog"], "service": ["refund", "parcel"], "bank": ["card", "late"]}
COLOURS = ["red", "green", "blue", "fast", "slow"]
LABELS = list(NOUNS)
ROWS = 60


@pytest.fixture
def embed(command, tiny_text, tmp_path):
    """Return a function that embeds rows of three classes, with columns of their own."""

    def make(name="table", **columns):
        texts = [
            f"{COLOURS[row % 5]} {NOUNS[LABELS[row % 3]][row % 2]} {'the ' * (row // 15)}"
            for row in range(ROWS)
        ]
        rows = {"id": [f"m{row}" for row in range(ROWS)], "text": texts}
        rows["label"] = [LABELS[row % 3] for row in range(ROWS)]
        source = tmp_path / f"{name}.csv"
        pd.DataFrame(rows | columns).to_csv(source, index=False, quoting=csv.QUOTE_ALL)
        way = ("--out", tmp_path / name, "--encoder", tiny_text, "--json")
        code, data, err = command("embed", source, *way)
        assert code == 0, (data, err)
        return tmp_path / name

    return make


@pytest.fixture
def train(command, tmp_path):
    """Return a function that trains into the folder `h` and returns (exit code, JSON)."""

    def run(table, *options, out="h"):
        return command("train", table, "--out", tmp_path / out, *options, "--json")[:2]

    return run


def test_every_model_trains_and_predicts(command, embed, train, tmp_path):
    """Each is named in the result, has settings of its own, and answers better than chance."""
    table, out = embed(), tmp_path / "p.parquet"
    for model in MODELS:
        code, data = train(table, "--model", model)
        assert (code, data["model"], data["rows"]) == (0, model, ROWS)
        assert data["settings"]
        assert command("predict", tmp_path / "h", table, "--out", out, "--json")[0] == 0
        rows = pq.read_table(out, columns=["id", "prediction"]).to_pylist()
        assert sum(row["prediction"] == LABELS[int(row["id"][1:]) % 3] for row in rows) > ROWS / 2


@pytest.mark.parametrize("model", ["ridge", "knn", "boosting"])
def test_numbers_are_learned(command, told, embed, train, tmp_path, model):
    """Predictions are numbers with the bounds of nine in ten; evaluation says how far they err."""
    table = embed(price=[10.0 * (row % 3) + row / ROWS for row in range(ROWS)])
    head, out = tmp_path / "h", tmp_path / "p.parquet"
    code, data = train(table, "--task", "number", "--label", "price", "--model", model)
    assert (code, data["task"], data["model"]) == (0, "number", model)
    code, data, _ = command("evaluate", head, table, "--json")
    assert code == 0
    assert data["metrics"]["mae"] < data["metrics"]["mean_mae"]
    assert {"rmse", "r2", "spearman"} <= data["metrics"].keys()
    assert "by naming the mean)" in told("evaluate", head, table)[1]
    code, data, _ = command("predict", head, table, "--out", out, "--json")
    assert (code, data["rows"], data["classes"]) == (0, ROWS, None)
    rows = pq.read_table(out)
    assert rows.column_names == ["id", "prediction", "confidence", "low", "high"]
    assert rows.schema.field("prediction").type == pa.float64()
    assert rows["confidence"].null_count == ROWS
    found = rows.to_pandas()
    assert (found["low"] <= found["prediction"]).all()
    assert (found["prediction"] <= found["high"]).all()


def test_several_classes_are_cut_from_one_text(command, told, embed, train, tmp_path):
    """`--separator` says where; each row then gets a list, and the metrics are those of sets."""
    tags = [";".join([LABELS[row % 3], *["odd"] * (row % 2)]) for row in range(ROWS)]
    table, head, out = embed(tags=tags), tmp_path / "h", tmp_path / "p.parquet"
    options = ("--task", "multilabel", "--label", "tags", "--separator", ";")
    code, data = train(table, *options)
    assert (code, data["classes"]) == (0, ["animal", "bank", "odd", "service"])
    code, data, _ = command("evaluate", head, table, "--json")
    assert code == 0
    assert data["metrics"]["micro_f1"] > 0.6
    assert data["per_class"]["odd"]["support"] == ROWS // 2
    assert "all classes right" in told("evaluate", head, table)[1]
    assert command("predict", head, table, "--out", out, "--json")[0] == 0
    assert pq.read_schema(out).field("prediction").type == pa.list_(pa.string())
    found = pq.read_table(out)["prediction"].to_pylist()
    assert {name for names in found for name in names} <= set(data["classes"])


def test_texts_of_several_classes_are_not_taken_for_one(embed, train):
    """Without `--separator`, cells that hold a mark between classes are refused."""
    table = embed(tags=[";".join([LABELS[row % 3], "odd"]) for row in range(ROWS)])
    code, data = train(table, "--task", "multilabel", "--label", "tags")
    assert (code, data["error"]["fix"][:16]) == (2, "Say it: --separa")


def test_columns_beside_the_vectors(command, told, embed, train, tmp_path):
    """Text that reads as numbers is scaled, other text is categories; both are said."""
    region = ["north" if row % 2 else "south" for row in range(ROWS)]
    table = embed(size=[row % 7 for row in range(ROWS)], region=region, side=region)
    options = ("--label", "side", "--columns", "size,region")
    code, data = train(table, *options)
    assert (code, data["metrics"]["accuracy"]) == (0, 1.0)
    assert (data["columns"]["numeric"], data["columns"]["categorical"]) == (["size"], ["region"])
    _, out, _ = told("train", table, "--out", tmp_path / "h", *options)
    assert "Columns beside the vectors: numeric size; categorical region" in out
    head, bare = tmp_path / "h", embed("bare")
    for step in (("evaluate",), ("predict", "--out", tmp_path / "p.parquet")):
        code, data, _ = command(step[0], head, bare, *step[1:], "--json")
        assert (code, data["error"]["kind"]) == (2, "usage")
        assert "no column 'size'" in data["error"]["message"]
    code, data = train(bare, "--columns", "size")
    assert (code, data["error"]["kind"]) == (2, "usage")
    assert "size" in data["error"]["message"]


def test_balanced_weights_are_kept_in_the_card(command, embed, train, tmp_path):
    """The rare class is named more often than without."""
    labels = ["animal" if row % 6 else LABELS[1 + row % 2] for row in range(ROWS)]
    table, counts = embed(label=labels), []
    for options in ((), ("--class-weight", "balanced")):
        code, data = train(table, *options)
        assert (code, data["class_weight"]) == (0, options[1] if options else None)
        command("predict", tmp_path / "h", table, "--out", tmp_path / "p.parquet", "--json")
        answers = pq.read_table(tmp_path / "p.parquet")["prediction"].to_pylist()
        counts.append(answers.count("animal"))
    assert counts[1] < counts[0]


def test_an_update_says_what_became_of_the_labels(told, embed, train, tmp_path):
    """Labels added, changed and kept are counted, in JSON and on the terminal; options stay."""
    table = embed(label=[LABELS[row % 3] if row < 40 else "" for row in range(ROWS)])
    assert train(table, "--model", "ridge", "--class-weight", "balanced", out="old")[0] == 0
    new = tmp_path / "new.csv"
    lines = ["m0,bank", *(f"m{row},{LABELS[row % 3]}" for row in (1, *range(40, 50)))]
    new.write_text("\n".join(["id,label", *lines]))
    options = ("--update", tmp_path / "old", "--labels", new)
    code, data = train(table, *options)
    assert (code, data["merged"]) == (0, {"added": 10, "changed": 1, "kept": 39})
    assert (data["model"], data["class_weight"], data["rows"]) == ("ridge", "balanced", 50)
    _, out, _ = told("train", table, "--out", tmp_path / "h", *options)
    assert "10 labels added, 1 label changed, 39 labels kept" in out
    for wrong in (options[:2], (*options, "--model", "knn")):
        code, data = train(table, *wrong)
        assert (code, data["error"]["kind"]) == (2, "usage")


@pytest.mark.parametrize("method", ["temperature", "isotonic", "none"])
def test_a_calibration_and_a_scope_are_what_was_asked_for(embed, train, method):
    """The card names the method, and the rows kept for the scope."""
    code, data = train(embed(), "--calibrate", method, "--scope")
    assert (code, data["calibrate"], data["scope"]) == (0, method, {"rows": ROWS})
    found = data["calibration"]
    assert found is None if method == "none" else found["method"] == method


def test_a_precision_is_asked_for(command, embed, train, tmp_path):
    """The threshold stands in the card, and the rows left unanswered are counted."""
    table, out = embed(), tmp_path / "p.parquet"
    code, data = train(table, "--min-precision", "0.5")
    assert (code, data["abstention"]["min_precision"]) == (0, 0.5)
    code, data, _ = command("predict", tmp_path / "h", table, "--out", out, "--json")
    assert (code, data["unanswered"]) == (0, pq.read_table(out)["prediction"].null_count)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--task", "sorting"), "classes, multilabel, number"),
        (("--model", "forest"), "logistic, svm, ridge, centroid, knn, boosting"),
        (("--task", "number", "--model", "svm"), "ridge, knn, boosting"),
        (("--task", "multilabel", "--model", "knn"), "logistic, svm, ridge, centroid"),
        (("--class-weight", "x"), "balanced"),
        (("--task", "number", "--class-weight", "balanced"), "--class-weight"),
        (("--min-precision", "2"), "between 0 and 1"),
        (("--calibrate", "x"), "auto, temperature, isotonic, none"),
        (("--separator", ";"), "multilabel"),
        (("--columns", "nowhere"), "nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_values_are_usage_errors(embed, train, tmp_path, options, said):
    """Exit 2, with what may be chosen; nothing is written."""
    table = embed(n=list(range(ROWS)))
    label = ("--label", "n") if "number" in options else ()
    code, data = train(table, *options, *label)
    assert (code, data["error"]["kind"]) == (2, "usage")
    assert said in data["error"]["message"] + data["error"]["fix"]
    assert not (tmp_path / "h").exists()
