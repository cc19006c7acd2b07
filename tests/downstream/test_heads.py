"""Heads: trained, measured, saved, loaded and applied."""

import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from downstream import Head, evaluate, predict_table, train
from downstream.datasets import load_dataset
from downstream.heads import differences, inspect_head, training, verify_head
from downstream.heads.models import scaling
from downstream.heads.models.registry import MODELS
from downstream.heads.models.scaling import Scaling
from downstream.heads.split import splits
from featurize.bundle import EncoderCard
from featurize.errors import FeaturizeError, HeadError, MismatchError, TableError, UsageError
from featurize.types import Modality


@parametrize_with_checks([Head(model) for model in MODELS])
def test_is_a_scikit_learn_classifier(estimator, check):
    """The head passes scikit-learn's own checks of a classifier."""
    check(estimator)


def test_works_in_a_pipeline_and_cross_validation(clustered):
    """The head can be cross-validated inside a pipeline."""
    vectors, labels = clustered(120)
    model = make_pipeline(FunctionTransformer(), Head())
    assert cross_val_score(model, vectors, labels, cv=3).mean() > 0.8


def test_dimensions_that_hold_only_rounding_decide_nothing(clustered):
    """Dead dimensions, which another precision fills with other noise, are left out.

    MiniLM has three, of the order of 1e-33 in fp32 and of 1e-8 in fp16: standardised, they would
    outvote all others.
    """
    vectors, labels = clustered(200, 4)
    noise = np.random.default_rng(0).standard_normal((200, 3)).astype(np.float32)
    head = Head().fit(np.hstack([vectors, noise * 1e-33]), labels)
    expected = Head().fit(vectors, labels).predict_proba(vectors)
    found = head.predict_proba(np.hstack([vectors, noise * 1e-8]))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("classes", [2, 4])
def test_predicts_what_scikit_learn_predicts(clustered, classes):
    """Probabilities not calibrated are those of scikit-learn's own regression with the chosen C."""
    vectors, labels = clustered(200, classes)
    head = Head(calibrate="none").fit(vectors, labels)
    strength = head.describe()["settings"]["C"]
    twin = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    twin.fit(vectors, labels)
    assert head.classes_.tolist() == twin.classes_.tolist()
    assert np.allclose(head.predict_proba(vectors), twin.predict_proba(vectors), atol=1e-5)


@pytest.mark.parametrize("labels", [[3, 5], [False, True], ["b", "a"], [2.0, 1.0]])
def test_classes_of_arrays_keep_their_type(clustered, tmp_path, labels):
    """Integers, booleans and strings come back as they were given, also after loading."""
    vectors, _ = clustered(40, 2)
    head = Head().fit(vectors, np.array(labels * 20))
    assert head.predict(vectors).dtype == np.array(labels).dtype
    head.save(tmp_path / "head")
    again = Head.load(tmp_path / "head")
    assert again.classes_.dtype == head.classes_.dtype
    assert again.predict(vectors).tolist() == head.predict(vectors).tolist()


def test_table_and_arrays_give_the_same_head(table):
    """Fitting a table is fitting its vectors and labels."""
    from_table = Head().fit(table)
    from_arrays = Head().fit(table.to_numpy(), table.labels)
    assert np.array_equal(from_table.predict_proba(table), from_arrays.predict_proba(table))
    assert np.array_equal(from_table.predict(table), from_arrays.predict(table.to_numpy()))
    assert from_table.encoder_ == table.card
    assert from_arrays.encoder_ is None


@pytest.mark.parametrize(
    "labels",
    [
        ["a"] * 40 + ["b"],
        ["a", "b"] * 20 + ["c", "c"],
        [*(f"only-{number}" for number in range(6)), *["a"] * 6],
    ],
    ids=["one example", "two examples", "half of them alone"],
)
def test_rare_classes_are_learned(make_table, clustered, labels):
    """A class may have one or two examples; it is learned, and counted where not measured."""
    vectors, _ = clustered(len(labels), len(set(labels)))
    head = train(make_table(vectors, labels))
    assert head.classes_.tolist() == sorted(set(labels))
    metrics = head.metrics_
    assert metrics["rows_train"] + metrics["rows_test"] == len(labels)
    assert metrics["classes_unmeasured"] >= sum(labels.count(name) == 1 for name in labels)


def test_nothing_held_out_is_nothing_measured(make_table, clustered):
    """Where each class is one group of equal contents, no figure is made up."""
    contents = ["a"] * 5 + ["b"] * 5
    labels = ["x"] * 5 + ["y"] * 5
    metrics = train(make_table(clustered(10)[0], labels, content_sha256=contents)).metrics_
    assert (metrics["rows_train"], metrics["rows_test"], metrics["classes_unmeasured"]) == (
        10,
        0,
        2,
    )
    names = ("accuracy", "majority_accuracy", "macro_f1", "log_loss")
    assert [metrics[name] for name in names] == [None] * 4


@pytest.mark.parametrize("labels", [[*"aabbcde"], ["a"] * 5 + ["b"]], ids=["many", "few"])
def test_small_sets_raise_no_warnings(make_table, clustered, labels):
    """Training and evaluation of a few rows in many classes are silent."""
    made = make_table(clustered(len(labels))[0], labels)
    evaluate(train(made), made)


def test_the_baseline_names_the_most_frequent_class(make_table, clustered):
    """Beside the accuracy stands what one constant answer would reach."""
    vectors, _ = clustered(100)
    made = make_table(vectors, ["common"] * 70 + ["rare"] * 30)
    head = train(made)
    assert head.metrics_["majority_accuracy"] == pytest.approx(0.7)
    assert evaluate(head, made)["metrics"]["majority_accuracy"] == pytest.approx(0.7)


def test_train_measures_on_a_group_aware_hold_out(make_table, clustered):
    """The metrics are those of a head that never saw the held-out rows or their duplicates."""
    vectors, labels = clustered(300)
    contents = [f"content-{number // 2}" for number in range(300)]
    made = make_table(vectors, labels, content_sha256=contents)
    head = train(made)
    numbers = np.unique(labels, return_inverse=True)[1]
    groups = np.unique(contents, return_inverse=True)[1]
    held = next(splits(numbers, groups, 5, 0))
    assert head.metrics_["rows_test"] == held.sum()
    assert 0.15 < held.mean() < 0.25
    assert 0.7 < head.metrics_["accuracy"] <= 1
    assert head.metrics_["classes_unmeasured"] == 0
    assert np.array_equal(head.predict_proba(made), Head().fit(made).predict_proba(made))
    assert head.describe()["rows"] == 300


def test_training_is_repeatable(table):
    """The same table and seed give the same metrics and the same probabilities."""
    one, two = train(table, seed=5), train(table, seed=5)
    assert one.metrics_ == two.metrics_
    assert np.array_equal(one.predict_proba(table), two.predict_proba(table))


def test_unknown_model_lists_the_known(table):
    """An unknown model is a usage error that names the known ones."""
    with pytest.raises(UsageError, match="no model 'forest'") as caught:
        train(table, model="forest")
    assert caught.value.fix == "Choose one of: logistic, svm, ridge, centroid, knn, boosting."


def test_fit_refuses_contradictions(table, clustered):
    """Labels come with the table or with the array, not both ways."""
    vectors, labels = clustered(20)
    with pytest.raises(UsageError):
        Head().fit(table, table.labels)
    with pytest.raises(UsageError):
        Head().fit(vectors, labels, label="label")


def test_paths_do_for_heads_and_tables(head, table, tmp_path):
    """Wherever a table or a head is taken, its path is too."""
    path, saved = str(table.path), tmp_path / "head"
    head.save(saved)
    assert Head().fit(path).predict(table.path).tolist() == head.predict(table).tolist()
    assert train(table.path).metrics_ == head.metrics_
    assert evaluate(saved, path) == evaluate(head, table)
    assert predict_table(str(saved), path, tmp_path / "p.parquet") == 240
    for wrong in (lambda: evaluate(7, table), lambda: predict_table(None, table, "p.parquet")):
        with pytest.raises(TypeError, match="A head or its path is expected"):
            wrong()
    for wrong in (lambda: evaluate(head, 7), lambda: train(np.ones((9, 12)))):
        with pytest.raises(TypeError, match="An embedding table or its path is expected"):
            wrong()
    with pytest.raises(TableError, match="no embedding table"):
        Head().fit(tmp_path)


def test_score_takes_the_labels_of_a_table(head, table, make_table, clustered):
    """A table is scored on its own labels, in the column of the training."""
    expected = evaluate(head, table)["metrics"]["accuracy"]
    assert head.score(table) == head.score(str(table.path)) == expected
    assert head.score(table, table.labels) == head.score(table.to_numpy(), table.labels) == expected
    vectors, _ = clustered(40, 2)
    numbers = np.arange(40) % 2
    unbound = Head().fit(vectors, numbers)
    assert unbound.score(make_table(vectors, numbers.tolist())) == unbound.score(vectors, numbers)
    with pytest.raises(TypeError, match="needs y"):
        head.score(table.to_numpy())


def test_an_incomplete_table_is_said_to_be_so(make_table, clustered, tmp_path):
    """A table whose run has not come to its end can be learned from; heads and results say so."""
    whole = make_table(*clustered(40))
    partial = make_table(*clustered(40), complete=False)
    for made in (whole, partial):
        head = train(made)
        head.save(tmp_path / "head")
        assert Head.load(tmp_path / "head").describe()["incomplete"] is not made.complete
        assert evaluate(head, made)["incomplete"] is not made.complete


def test_heads_without_the_newer_facts_are_read(head, tmp_path, rewrite_card):
    """A head of the first form, which knows nothing of its rows, still loads and predicts."""
    head.save(tmp_path / "head")
    rewrite_card(tmp_path / "head" / "head.json", {"incomplete": ..., "rows_sha256": ...})
    assert Head.load(tmp_path / "head").describe()["rows_sha256"] is None


def test_vectors_of_another_encoder_are_refused(head, make_table, clustered, card, tmp_path):
    """A head meets no vectors of another space, and the error names the field."""
    other = make_table(*clustered(20), encoder=card(pooling="cls"))
    out = tmp_path / "x.parquet"
    for use in (head.predict, lambda t: evaluate(head, t), lambda t: predict_table(head, t, out)):
        with pytest.raises(MismatchError, match="differ in `pooling`"):
            use(other)
    pictures = make_table(*clustered(20), encoder=replace(card(), modalities=(Modality.IMAGE,)))
    with pytest.raises(MismatchError, match="the head is for texts, .* for images"):
        head.predict(pictures)
    unbound = Head().fit(*clustered(20))
    wide = make_table(np.eye(20, dtype=np.float32))
    with pytest.raises(HeadError, match="vectors of 12 numbers"):
        unbound.predict(wide)


def test_a_loaded_head_is_the_head_that_was_saved(head, table, tmp_path):
    """Loading gives every probability bit for bit, and every fact."""
    head.save(tmp_path / "head")
    again = Head.load(tmp_path / "head")
    noise = np.random.default_rng(1).normal(size=(500, 12)).astype(np.float32)
    assert np.array_equal(again.predict_proba(noise), head.predict_proba(noise))
    assert np.array_equal(again.predict(table), head.predict(table))
    assert again.describe() == head.describe()
    assert verify_head(tmp_path / "head") == []
    card = inspect_head(tmp_path / "head")
    assert EncoderCard.from_json(card["encoder"]) == table.card
    assert card["metrics"] == head.metrics_
    assert str(tmp_path) not in (tmp_path / "head" / "head.json").read_text()


def test_saving_is_repeatable_and_replaces_as_a_whole(head, clustered, hashes, tmp_path):
    """The same head gives the same bytes; another one replaces it and leaves nothing behind."""
    head.save(tmp_path / "head")
    before = hashes(tmp_path / "head")
    head.save(tmp_path / "again")
    assert hashes(tmp_path / "again") == before
    Head.load(tmp_path / "again").save(tmp_path / "head")
    assert hashes(tmp_path / "head") == before
    Head().fit(*clustered(30)).save(tmp_path / "head")
    assert Head.load(tmp_path / "head").encoder_ is None
    assert not list(tmp_path.glob(".*"))


def test_saving_over_anything_else_is_refused(head, table, tmp_path):
    """A folder with other content, or a file, stays as it is."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    for place in (tmp_path / "photos", tmp_path / "photos" / "a.jpg", table.path):
        with pytest.raises(HeadError, match="in the way"):
            head.save(place)
    assert (tmp_path / "photos" / "a.jpg").read_bytes() == b"x"
    (tmp_path / "empty").mkdir()
    head.save(tmp_path / "empty")


def test_damaged_heads_are_refused(head, flip, tmp_path):
    """One flipped bit anywhere in a saved head is found before anything is parsed."""
    rng = np.random.default_rng(0)
    path = tmp_path / "head"
    head.save(path)
    kept = {name: (path / name).read_bytes() for name in ("head.json", "head.npz")}
    for case in range(200):
        name = ("head.json", "head.npz")[case % 2]
        flip(path / name, rng)
        with pytest.raises(FeaturizeError):
            Head.load(path)
        assert verify_head(path)[0].item == name
        (path / name).write_bytes(kept[name])
    assert verify_head(path) == []


def test_pickles_are_refused(head, tmp_path):
    """A pickled model is never loaded, under any name."""
    file = tmp_path / "model.joblib"
    file.write_bytes(pickle.dumps(LogisticRegression()))
    with pytest.raises(HeadError, match="never loaded"):
        Head.load(file)
    head.save(tmp_path / "head")
    (tmp_path / "head" / "head.npz").write_bytes(file.read_bytes())
    with pytest.raises(HeadError, match="SHA-256"):
        Head.load(tmp_path / "head")


def test_a_head_that_predicts_otherwise_is_refused(head, tmp_path, rewrite_card):
    """Where the stored probe rows get other probabilities, the head is not used."""
    head.save(tmp_path / "head")
    file = tmp_path / "head" / "head.npz"
    with np.load(file) as arrays:
        changed = dict(arrays)
    changed["coef"] = changed["coef"] * 1.01
    np.savez(file, **changed)
    rewrite_card(tmp_path / "head" / "head.json")
    with pytest.raises(HeadError, match="predicts other probabilities"):
        Head.load(tmp_path / "head")
    assert verify_head(tmp_path / "head")[0].item == "head.npz"


@pytest.mark.parametrize(
    "change",
    [
        {"classes_dtype": "datetime64[s]"},
        {"classes": ["class-0"]},
        {"dim": 13},
        {"model": "forest"},
        {"seed": "0"},
        {"seed": True},
        {"settings": [["C", 1.0]]},
        {"labels": "label"},
        {"labels": [{"label": 1, "file": None, "sha256": None}]},
        {"labels": [{"label": "label"}]},
        {"encoder": {}},
        {"format": 2},
        {"format": "1"},
        {"files": {"../x": "0"}},
        {"metrics": None, "rows": None, "label": ...},
    ],
    ids=str,
)
def test_cards_that_do_not_fit_are_refused(head, tmp_path, rewrite_card, change):
    """A card with sound hashes but wrong content is refused, not believed."""
    head.save(tmp_path / "head")
    rewrite_card(tmp_path / "head" / "head.json", change)
    with pytest.raises(FeaturizeError):
        Head.load(tmp_path / "head")


def test_no_head_there(tmp_path):
    """A folder without a card is no head."""
    with pytest.raises(HeadError, match=r"holds no head\.json"):
        Head.load(tmp_path)


@pytest.mark.parametrize(
    ("trained", "given", "said"),
    [
        (("fp32", None), ("fp32", None), []),
        ((None, None), ("int8", None), []),
        (("fp32", None), ("int8", None), ["made in fp32;", "made in int8:"]),
        (("fp32", None), ("fp32", "query: "), ["fp32 without a prompt", "the prompt 'query: '"]),
    ],
)
def test_tables_made_otherwise_are_told_apart(trained, given, said):
    """Precision and prompt are compared where the head knows its own."""
    head = Head()
    head.training_ = dict(zip(("precision", "prompt"), trained, strict=True))
    prompt = given[1] and {"role": None, "text": given[1]}
    variant = {"precision": given[0], "prompt": prompt}
    told = differences(head, SimpleNamespace(path="t", origin={"variant": variant}))
    assert bool(told) == bool(said)
    assert all(part in told for part in said)


def test_learning_leaves_vectors_that_are_not_spent(make_table, clustered):
    """Arrays and datasets of the caller are as before; of a spent one no second copy is made."""
    made = make_table(*clustered(90))
    vectors, data = made.to_numpy(), load_dataset(made)
    kept = Head().fit(vectors, made.labels.astype(str))
    Head().fit_dataset(data)
    np.testing.assert_array_equal(vectors, made.to_numpy())
    np.testing.assert_array_equal(data.X, vectors)
    spent = Head().fit_dataset(data, spent=True)
    np.testing.assert_allclose(data.X.std(axis=0), 1, rtol=1e-5)
    np.testing.assert_array_equal(spent.predict_proba(made), kept.predict_proba(made))


def test_a_hold_out_of_many_rows_is_bounded(make_table, clustered, monkeypatch):
    """The probe is drawn from all classes, the rarest included; the head learns from every row."""
    monkeypatch.setattr(training, "MAX_PROBE_ROWS", 60)
    vectors, labels = clustered(300)
    labels[:2] = ["rare", "rare"]
    made = make_table(vectors, labels)
    head = train(made)
    counted = [head.metrics_[name] for name in ("rows_train", "rows_test")]
    assert sum(counted) in (60, 61, 62)
    assert counted[1] in (12, 13)
    np.testing.assert_array_equal(head.predict_proba(made), Head().fit(made).predict_proba(made))


def test_two_classes_are_always_in_the_probe(make_table, clustered, monkeypatch):
    """A class that the draw would miss is no reason to fail."""
    monkeypatch.setattr(training, "MAX_PROBE_ROWS", 20)
    labels = ["usual"] * 200 + ["rare"] * 2
    for seed in range(5):
        head = train(make_table(clustered(202)[0], labels), seed=seed)
        assert head.classes_.tolist() == ["rare", "usual"]


def test_dimensions_are_measured_alike_in_blocks(monkeypatch):
    """Mean and scale of many rows, measured block after block, are those of all at once."""
    vectors = np.random.default_rng(0).normal(3, 2, size=(1000, 5)).astype(np.float32)
    whole = Scaling.fit(vectors)
    monkeypatch.setattr(scaling, "BLOCK", 64)
    blocks = Scaling.fit(vectors)
    np.testing.assert_allclose(blocks.mean, whole.mean, rtol=1e-6)
    np.testing.assert_allclose(blocks.scale, whole.scale, rtol=1e-6)
