"""What every model of classes does alike."""

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from downstream import Head, train
from downstream.heads import inspect_head, verify_head
from downstream.heads.models.model import Lesson
from downstream.heads.models.registry import MODELS
from downstream.heads.models.solvers import SvmModel
from featurize.errors import UsageError


@pytest.fixture(params=MODELS)
def model(request):
    """Return the name of a model, one after the other."""
    return request.param


@pytest.fixture
def fitted(model, clustered):
    """Fit a head of a model on 120 rows."""
    return Head(model).fit(*clustered(120))


def test_learns(model, clustered):
    """It is right on most of the rows that it never saw."""
    vectors, labels = clustered(400)
    head = Head(model).fit(vectors[:200], labels[:200])
    assert head.score(vectors[200:], labels[200:]) > 0.8


def test_gives_probabilities_of_the_classes_in_order(fitted, clustered):
    """They are positive, sum to one, and the highest is that of the prediction."""
    vectors, _ = clustered(60, seed=1)
    found = fitted.predict_proba(vectors)
    assert found.dtype == np.float64
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert fitted.classes_.tolist() == sorted(fitted.classes_.tolist())
    assert (fitted.classes_[found.argmax(axis=1)] == fitted.predict(vectors)).all()


def test_its_probabilities_tell_something(model, clustered):
    """Where it is told nothing, it would lose log 3 a row; it loses less on rows it never saw."""
    vectors, labels = clustered(400)
    head = Head(model).fit(vectors[:200], labels[:200])
    true = np.searchsorted(head.classes_, labels[200:])
    given = head.predict_proba(vectors[200:])[np.arange(200), true]
    assert -np.log(np.maximum(given, 1e-9)).mean() < 0.6 * np.log(3)


def test_loads_as_it_was_saved(fitted, clustered, tmp_path):
    """Probabilities are equal to the last bit, and so is all that is known of it."""
    fitted.save(tmp_path / "head")
    again = Head.load(tmp_path / "head")
    vectors, _ = clustered(300, seed=2)
    assert np.array_equal(again.predict_proba(vectors), fitted.predict_proba(vectors))
    assert again.describe() == fitted.describe()
    assert verify_head(tmp_path / "head") == []


def test_saves_the_same_bytes_twice(model, clustered, hashes, tmp_path):
    """Learned again and saved again, or loaded and saved, it is the same files."""
    for name in ("one", "two"):
        Head(model).fit(*clustered(60)).save(tmp_path / name)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    Head.load(tmp_path / "one").save(tmp_path / "three")
    assert hashes(tmp_path / "one") == hashes(tmp_path / "three")


def test_learns_from_one_example_a_class(model, clustered):
    """With nothing to hold out there is nothing to choose by, and it learns all the same."""
    vectors, labels = clustered(3, spread=0.05)
    head = Head(model).fit(vectors, labels)
    assert head.predict_proba(vectors).shape == (3, 3)
    if model != "boosting":  # whose leaves hold twenty rows
        assert head.predict(vectors).tolist() == labels


def test_keeps_equal_contents_on_one_side_of_its_choice(model, make_table, clustered):
    """A table whose rows repeat each other trains; groups are as good as rows."""
    vectors, labels = clustered(60)
    contents = [f"content-{number // 3}" for number in range(60)]
    head = train(make_table(vectors, labels, content_sha256=contents), model=model)
    assert head.metrics_["rows_train"] + head.metrics_["rows_test"] == 60


def test_class_weights_move_the_answer(model, clustered):
    """A class that counts a hundredfold is named more often, one that counts less is less."""
    vectors, labels = clustered(150, spread=1.2)
    plain = Head(model).fit(vectors, labels)
    heavy = Head(model, class_weight={"class-1": 100.0}).fit(vectors, labels)
    probe, _ = clustered(300, spread=1.2, seed=3)
    counts = [(head.predict(probe) == "class-1").sum() for head in (plain, heavy)]
    assert counts[1] > counts[0]


def test_balanced_weights_are_those_of_the_mapping(model, clustered):
    """`balanced` is n / (k x rows of the class), as in scikit-learn."""
    vectors, labels = clustered(90)
    keep = np.array([label != "class-2" or row % 2 == 1 for row, label in enumerate(labels)])
    vectors, labels = vectors[keep], np.array(labels)[keep]
    names, counts = np.unique(labels, return_counts=True)
    stated = dict(zip(names.tolist(), (len(labels) / (3 * counts)).tolist(), strict=True))
    found, expected = (
        Head(model, class_weight=each).fit(vectors, labels).predict_proba(vectors)
        for each in ("balanced", stated)
    )
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("wrong", ["even", {"class-9": 1.0}, {"class-0": -1.0}, 3])
def test_wrong_weights_are_refused(wrong, clustered):
    """Neither strangers nor negative numbers nor other words are taken."""
    with pytest.raises(UsageError, match="class_weight"):
        Head(class_weight=wrong).fit(*clustered(30))


def test_takes_either_precision(model, clustered):
    """Learned from float32 or float64, it says the same; asked in either, exactly the same."""
    vectors, labels = clustered(120)
    wide = vectors.astype(np.float64)
    narrow = Head(model).fit(vectors, labels)
    other = Head(model).fit(wide, labels)
    assert np.array_equal(narrow.predict_proba(vectors), narrow.predict_proba(wide))
    np.testing.assert_allclose(
        narrow.predict_proba(vectors), other.predict_proba(vectors), atol=2e-3
    )


def test_predicts_nothing_for_no_rows(fitted, make_table):
    """A table without rows gets predictions without rows."""
    empty = make_table(np.empty((0, 12), np.float32))
    assert fitted.predict_proba(empty).shape == (0, 3)
    assert fitted.predict(empty).shape == (0,)


def test_dead_dimensions_decide_nothing(model, clustered):
    """Dimensions that held rounding alone in training may hold anything later."""
    vectors, labels = clustered(120)
    noise = np.random.default_rng(0).standard_normal((120, 3)).astype(np.float32)
    head = Head(model).fit(np.hstack([vectors, noise * 1e-33]), labels)
    before, after = (head.predict_proba(np.hstack([vectors, noise * by])) for by in (1e-33, 1e-8))
    np.testing.assert_allclose(before, after, atol=1e-9)


def test_keeps_rows_where_it_is_made_of_them(fitted, model, tmp_path):
    """Neighbours are rows of the training, and the card says so; nothing else keeps any."""
    fitted.save(tmp_path / "head")
    card = inspect_head(tmp_path / "head")
    assert card["keeps_rows"] is (model == "knn")
    archived = "model.skops" in card["files"]
    assert archived is (model in {"knn", "boosting"})


@pytest.mark.parametrize("classes", [2, 4])
def test_the_support_vector_machine_is_crammer_and_singers(classes, clustered):
    """Its weights are near the optimum, also of two classes, where scikit-learn gives one row."""
    vectors, labels = clustered(150, classes)
    numbers = np.unique(labels, return_inverse=True)[1]
    lesson = Lesson(vectors.astype(np.float64), numbers, np.arange(150), None, 0)
    solved = SvmModel.solve(lesson, 0.1, rough=False)
    twin = LinearSVC(C=0.1, multi_class="crammer_singer", tol=1e-8, max_iter=100_000)
    np.testing.assert_allclose(solved.coef, twin.fit(vectors, numbers).coef_, atol=5e-3)
