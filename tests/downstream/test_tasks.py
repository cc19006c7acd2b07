"""Heads for numbers and for several classes a row, columns beside vectors, and new labels."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from downstream import (
    Head,
    MultilabelHead,
    RegressionHead,
    evaluate,
    open_head,
    predict_table,
    train,
)
from downstream.heads import verify_head
from downstream.heads.models.numbers import NUMBER_MODELS
from downstream.heads.models.registry import LINEAR_MODELS
from featurize.errors import HeadError, UsageError


@pytest.fixture(scope="module")
def priced(make_table, clustered):
    """Make a table of 200 rows whose price depends on the vector, the size and the region."""
    vectors, labels = clustered(200)
    rng = np.random.default_rng(0)
    size, region = rng.integers(1, 90, 200), np.array(["north", "south"])[rng.integers(0, 2, 200)]
    price = 100 * vectors[:, 0] + 3.0 * size + 50 * (region == "south") + rng.normal(size=200)
    return make_table(
        vectors,
        labels,
        price=price,
        size=[str(value) if number % 9 else "" for number, value in enumerate(size)],
        region=region.tolist(),
        zone=region.tolist(),
    )


@pytest.fixture(scope="module")
def tagged(make_table, clustered):
    """Make a table of 200 rows with the tags of one or two clusters, as lists and as strings."""
    vectors, labels = clustered(200)
    numbers = [int(label[-1]) for label in labels]
    tags = [[f"tag-{n}"] + (["odd"] if n == 1 else []) for n in numbers]
    tags[0] = []
    return make_table(vectors, labels, tags=tags, joined=["; ".join(each) or ";" for each in tags])


@parametrize_with_checks([RegressionHead(model) for model in NUMBER_MODELS])
def test_is_a_scikit_learn_regressor(estimator, check):
    """The head passes scikit-learn's own checks of a regressor."""
    check(estimator)


ONE_CLASS = "it learns one class a row, which is for Head"
NOT_APPLICABLE = {
    "check_class_weight_classifiers": ONE_CLASS,
    "check_classifier_data_not_an_array": ONE_CLASS,
    "check_classifier_not_supporting_multiclass": "there may be any number of classes",
    "check_classifier_multioutput": "thresholds are those of the best F1, not a half",
    "check_classifiers_classes": ONE_CLASS,
    "check_classifiers_multilabel_representation_invariance": "rows that are lists name classes",
    "check_classifiers_train": "it wants one answer a row; a matrix comes back",
    "check_estimators_dtypes": "it marks classes by other numbers than 0 and 1",
    "check_fit2d_1feature": "it marks classes by other numbers than 0 and 1",
}


@parametrize_with_checks(
    [MultilabelHead(model) for model in ("logistic", "centroid")],
    expected_failed_checks=lambda _head: NOT_APPLICABLE,
)
def test_is_a_scikit_learn_multilabel_classifier(estimator, check):
    """The head passes scikit-learn's own checks, but for those named, which cannot apply."""
    check(estimator)


@pytest.mark.parametrize("model", NUMBER_MODELS)
def test_numbers_are_learned_and_come_back(model, priced, tmp_path):
    """Errors are below those of naming the mean; a loaded head gives the same to the last bit."""
    head = train(priced, task="number", label="price", model=model, columns=["size", "region"])
    metrics = head.metrics_
    assert metrics["mae"] < 0.6 * metrics["mean_mae"]
    assert metrics["spearman"] > 0.7
    assert 0 < metrics["r2"] <= 1
    head.save(tmp_path / "head")
    again = open_head(tmp_path / "head")
    assert isinstance(again, RegressionHead)
    assert np.array_equal(again.predict(priced), head.predict(priced))
    assert again.describe() == head.describe()
    assert verify_head(tmp_path / "head") == []


def test_columns_help_and_are_said(priced):
    """Text that all reads as numbers is numeric; what the vectors lack is learned from columns."""
    plain = train(priced, task="number", label="price")
    joined = train(priced, task="number", label="price", columns=["size", "region"])
    assert joined.metrics_["mae"] < 0.5 * plain.metrics_["mae"]
    taken = joined.describe()["columns"]
    assert (taken["numeric"], taken["categorical"]) == (["size"], ["region"])


@pytest.mark.parametrize("task", ["classes", "multilabel"])
def test_columns_work_for_classes(task, priced, tmp_path):
    """What columns alone tell is learned, for one class a row and for several."""
    head = train(priced, task=task, label="zone", columns=["region"])
    metrics = head.metrics_
    assert metrics["accuracy" if task == "classes" else "subset_accuracy"] == 1.0
    head.save(tmp_path / "head")
    assert np.array_equal(open_head(tmp_path / "head").predict(priced), head.predict(priced))
    assert predict_table(head, priced, tmp_path / "p.parquet") == 200
    assert evaluate(head, priced)["rows"] == 200


def test_a_missing_column_is_named(priced, table):
    """A table without a column of the training is refused by its name."""
    head = train(priced, columns=["size", "region"])
    for use in (head.predict, lambda t: evaluate(head, t)):
        with pytest.raises(UsageError, match="has no column 'size'"):
            use(table)
    with pytest.raises(UsageError, match="has no column 'nothing'"):
        train(priced, columns=["nothing"])


def test_labels_are_not_learned_from_themselves(priced):
    """The label column cannot be one of the columns; one that is named twice counts once."""
    with pytest.raises(UsageError, match="'region' holds the labels"):
        train(priced, label="region", columns=["size", "region"])
    twice = Head(columns=["size", "size"]).fit(priced)
    assert twice.columns_.names == ["size"]


def test_unknown_categories_and_missing_numbers_are_taken(priced, make_table, clustered):
    """What the training never saw counts as rare or missing; what is no number is an error."""
    head = train(priced, columns=["size", "region"])
    vectors, labels = clustered(3)
    strange = make_table(vectors, labels, size=["", None, "7"], region=["west", None, "south"])
    assert np.isfinite(head.predict_proba(strange)).all()
    wrong = make_table(vectors, labels, size=["many", "1", "2"], region=["north"] * 3)
    with pytest.raises(HeadError, match="'size' held numbers"):
        head.predict(wrong)


def test_predicted_numbers_carry_bounds(priced, tmp_path):
    """The bounds hold about nine of ten rows, and the schema says what they are."""
    head = train(priced, task="number", label="price", columns=["size", "region"])
    predict_table(head, priced, tmp_path / "p.parquet")
    rows = pq.read_table(tmp_path / "p.parquet")
    assert rows.column_names == ["id", "prediction", "confidence", "low", "high"]
    assert rows.schema.field("prediction").type == pa.float64()
    price = np.array(priced.column("price"), float)
    low, high = rows["low"].to_numpy(), rows["high"].to_numpy()
    assert ((price >= low) & (price <= high)).mean() > 0.8
    predict_table(head, priced, tmp_path / "p.parquet")


def test_labels_that_are_no_numbers_are_named(make_table, clustered):
    """The first rows that do not parse stand in the message."""
    vectors, _ = clustered(10)
    made = make_table(vectors, [*map(str, range(8)), "cheap", "inf"])
    with pytest.raises(HeadError, match=r"2 of 10 labels .*'cheap' \(row 'row-00008'\)"):
        train(made, task="number")


@pytest.mark.parametrize("model", LINEAR_MODELS)
@pytest.mark.parametrize("way", [{"label": "tags"}, {"label": "joined", "separator": ";"}], ids=str)
def test_several_classes_are_learned(model, way, tagged, tmp_path):
    """Lists and cut strings give the same head, which tells the tags and loads as saved."""
    head = train(tagged, task="multilabel", model=model, **way)
    assert head.classes_.tolist() == ["odd", "tag-0", "tag-1", "tag-2"]
    metrics = head.metrics_
    assert metrics["micro_f1"] > 0.7
    assert metrics["hamming_loss"] < 0.2
    assert metrics["mean_average_precision"] > 0.7
    head.save(tmp_path / "head")
    again = open_head(tmp_path / "head")
    assert isinstance(again, MultilabelHead)
    assert np.array_equal(again.predict_proba(tagged), head.predict_proba(tagged))
    assert again.describe() == head.describe()
    predict_table(again, tagged, tmp_path / "p.parquet")
    rows = pq.read_table(tmp_path / "p.parquet")
    assert rows.schema.field("prediction").type == pa.list_(pa.string())
    expected = [[str(n) for n in head.classes_[row]] for row in head.predict(tagged).astype(bool)]
    assert rows["prediction"].to_pylist() == expected
    found = evaluate(again, tagged)
    assert found["per_class"]["odd"]["support"] == 67
    assert found["seen_in_training"]


def test_several_classes_of_arrays(clustered):
    """A matrix of 0 and 1 and rows of names teach the same."""
    vectors, labels = clustered(90)
    matrix = np.array([[label == "class-0", label != "class-1"] for label in labels]).astype(int)
    names = [tuple(np.flatnonzero(row)) for row in matrix]
    one, two = (MultilabelHead().fit(vectors, y) for y in (matrix, names))
    assert np.array_equal(one.predict_proba(vectors), two.predict_proba(vectors))
    assert (one.predict(vectors) == matrix).mean() > 0.9


def test_a_matrix_keeps_its_form(clustered):
    """A class that no row has stays a column, that none gets; a matrix can be scored."""
    vectors, labels = clustered(90)
    matrix = np.array([[label == "class-0", False, label != "class-1"] for label in labels])
    head = MultilabelHead().fit(vectors, matrix.astype(int))
    assert head.classes_.tolist() == [0, 1, 2]
    assert not head.predict(vectors)[:, 1].any()
    assert head.score(vectors, matrix) > 0.8


@pytest.mark.parametrize(
    ("y", "said"),
    [
        ([[0, 1]] * 15 + [[1, 1]] * 15, r"give np\.array\(y\)"),
        (["class-0"] * 30, "one class a row is for Head"),
        (np.full((30, 2), 2), "0 and 1"),
        ([("a",)] * 29, "inconsistent numbers of samples"),
        (None, "requires y"),
    ],
    ids=["lists", "names", "numbers", "short", "none"],
)
def test_targets_that_are_not_several_classes_are_refused(y, said, clustered):
    """A name a row would be taken for its letters."""
    with pytest.raises(ValueError, match=said):
        MultilabelHead().fit(clustered(30)[0], y)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"task": "sorting"}, "no task 'sorting'"),
        ({"separator": ";"}, "separator"),
        ({"task": "number", "class_weight": "balanced"}, "no class weights"),
        ({"task": "multilabel", "label": "text", "model": "knn"}, "no model 'knn'"),
        ({"task": "number", "label": "n", "model": "svm"}, "no model 'svm'"),
    ],
    ids=str,
)
def test_options_that_contradict_the_task_are_refused(options, said, make_table, clustered):
    """Each says what is wrong."""
    made = make_table(*clustered(30), n=list(range(30)))
    with pytest.raises(UsageError, match=said):
        train(made, **options)


@pytest.mark.parametrize(
    ("head", "y", "said"),
    [
        (MultilabelHead(), [()] * 60, "no row of y has one"),
        (Head(), ["spam", None] * 30, "holds None"),
    ],
)
def test_labels_of_arrays_that_cannot_be_meant_are_refused(head, y, said, clustered):
    """Nothing is no class."""
    with pytest.raises(ValueError, match=said):
        head.fit(clustered(60)[0], np.array(y, dtype=object) if None in y else y)


def test_a_head_of_another_task_is_told(priced, tmp_path):
    """Loading a head for numbers as one for classes says what it is and how to open it."""
    train(priced, task="number", label="price").save(tmp_path / "head")
    with pytest.raises(HeadError, match="is a head for number"):
        Head.load(tmp_path / "head")


def test_new_labels_are_folded_in(make_table, clustered, tmp_path):
    """An update equals training on the union, where new labels win, and says what was merged."""
    vectors, labels = clustered(90)
    made = make_table(vectors, [*labels[:60], *[None] * 30])
    train(made, model="ridge").save(tmp_path / "head")
    union = list(labels)
    union[0], union[59] = "class-1", "class-0"
    files = {"new": [0, 59, *range(50, 59), *range(60, 75)], "newest": range(75, 90)}
    head = tmp_path / "head"
    for name, rows in files.items():
        lines = [f"row-{row:05d},{union[row]}" for row in rows]
        (tmp_path / f"{name}.csv").write_text("\n".join(["id,label", *lines]))
        updated = train(made, labels_file=tmp_path / f"{name}.csv", update=head)
        updated.save(head := tmp_path / name)
        if name == "new":
            assert updated.training_["merged"] == {"added": 15, "changed": 2, "kept": 58}
    scratch = train(make_table(vectors, union), model="ridge")
    assert np.array_equal(updated.predict_proba(vectors), scratch.predict_proba(vectors))
    assert updated.metrics_ == scratch.metrics_
    (tmp_path / "new.csv").write_text("id,label\nrow-00000,class-0\n")
    for _ in range(2):
        with pytest.raises(HeadError, match="no longer the file|is gone"):
            train(made, labels_file=tmp_path / "newest.csv", update=head)
        (tmp_path / "new.csv").unlink(missing_ok=True)


def test_updates_need_the_same_table_and_new_labels(table, make_table, clustered, tmp_path):
    """Another table, options of their own, no labels, or a head of arrays are refused."""
    head = train(table)
    new = tmp_path / "new.csv"
    new.write_text("id,label\nrow-00000,class-1\n")
    with pytest.raises(HeadError, match="is another table"):
        train(make_table(*clustered(40)), labels_file=new, update=head)
    with pytest.raises(UsageError, match="brings new labels"):
        train(table, update=head)
    with pytest.raises(UsageError, match="takes method"):
        train(table, labels_file=new, update=head, model="knn")
    with pytest.raises(HeadError, match="does not say where"):
        train(table, labels_file=new, update=Head().fit(*clustered(40)))


def test_an_updated_head_is_measured_by_the_labels_of_its_table(make_table, clustered, tmp_path):
    """The new labels lie in a file, so the older column of the table is what it is measured by."""
    vectors, labels = clustered(60)
    made = make_table(vectors, None, topic=[*labels[:40], *[None] * 20])
    lines = [f"row-{row:05d},{labels[row]}" for row in range(40, 60)]
    (new := tmp_path / "new.csv").write_text("\n".join(["id,label", *lines]))
    head = train(made, labels_file=new, update=train(made, label="topic"))
    found = evaluate(head, made)
    assert (found["label"], found["rows"]) == ("topic", 40)
    assert head.score(made) == found["metrics"]["accuracy"]
    with pytest.raises(HeadError, match="--labels FILE"):
        evaluate(head, make_table(vectors))


def test_several_classes_are_scored_by_a_matrix_by_names_and_by_a_table(tagged, tmp_path):
    """All give the subset accuracy that `evaluate` does."""
    head = train(tagged, task="multilabel", label="tags")
    expected = evaluate(head, tagged)["metrics"]["subset_accuracy"]
    names = tagged.column("tags")
    marks = head.indicate(names).astype(int)
    vectors = tagged.to_numpy()
    assert head.score(vectors, names) == head.score(vectors, marks) == expected
    assert head.score(tagged) == head.score(str(tagged.path)) == expected
    right = (head.predict(vectors) == marks).all(axis=1)
    assert head.score(vectors, marks, sample_weight=right) == 1
    with pytest.raises(ValueError, match=r"\(200, 1\)"):
        head.score(vectors, marks[:, :1])
    with pytest.raises(TypeError, match="needs y"):
        head.score(vectors)


def test_classes_of_a_matrix_are_found_in_a_table(make_table, clustered):
    """Labels of a table are strings: those of the column's number."""
    vectors, labels = clustered(90)
    names = [[label[-1]] for label in labels]
    matrix = np.array([[str(c) in each for c in range(3)] for each in names]).astype(int)
    head = MultilabelHead().fit(vectors, matrix)
    assert head.score(make_table(vectors, names)) == head.score(vectors, matrix) > 0.5


def test_numbers_are_scored_by_a_table(priced):
    """The score is R2, also of a head that takes columns."""
    head = train(priced, task="number", label="price", columns=["size"])
    expected = evaluate(head, priced)["metrics"]["r2"]
    assert head.score(priced) == pytest.approx(expected)
    assert head.score(priced, priced.column("price")) == pytest.approx(expected)
    with pytest.raises(TypeError, match="needs y"):
        head.score(priced.to_numpy())


@pytest.mark.parametrize(
    "values",
    [
        pa.array([b"a", b"b"] * 15, pa.large_binary()),
        pa.array([b"a", b"b"] * 15, pa.binary()),
        pa.array([b"a", b"b"] * 15, pa.binary(1)),
        pa.array([["a"], ["b"]] * 15),
        pa.array([{"a": 1}, {"a": 2}] * 15),
    ],
    ids=lambda values: str(values.type),
)
def test_bytes_and_nested_values_are_no_columns(values, make_table, clustered):
    """Their kinds are named."""
    made = make_table(*clustered(30), odd=values)
    with pytest.raises(UsageError, match="--columns odd: values of type .* are neither"):
        train(made, columns=["odd"])
