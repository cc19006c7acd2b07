"""TextEmbedder and ImageEmbedder: scikit-learn transformers around a frozen encoder."""

import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from downstream import Head, ImageEmbedder, TextEmbedder
from featurize import load_encoder
from featurize.errors import UsageError

TEXTS = ["the red fox", "refund parcel", "a green dog", "card late", "blue fox runs", "broken card"]
LABELS = ["animal", "shop"] * 3
CHECKS = (  # `check_estimator` runs none for estimators of strings: all others fit numbers
    estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_mixin_order,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_set_params,
    estimator_checks.check_valid_tag_types,
)


@pytest.fixture(scope="module")
def embedder(tiny_text):
    """Make a text embedder that has its encoder loaded."""
    made = TextEmbedder(str(tiny_text), device="cpu")
    made.transform(["fox"])
    return made


def test_vectors_are_the_encoders(embedder, tiny_text):
    """Every kind of column gives what the encoder itself gives."""
    expected = load_encoder(str(tiny_text), device="cpu").encode(TEXTS)
    frame = pd.DataFrame({"text": TEXTS})
    columns = [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object)[:, np.newaxis],
        frame["text"],
        frame,
        frame.astype("string"),
    ]
    for column in columns:
        vectors = embedder.fit(column).transform(column)
        assert vectors.dtype == np.float32
        assert np.array_equal(vectors, expected)
    assert embedder.transform([]).shape == (0, 8)


def test_images_in_every_form(tiny_image, tmp_path):
    """Paths, bytes and PIL images give the same vectors."""
    picture = Image.effect_noise((50, 40), 60).convert("RGB")
    picture.save(tmp_path / "a.png")
    path = tmp_path / "a.png"
    vectors = ImageEmbedder(str(tiny_image), device="cpu").fit_transform(
        [path, str(path), path.read_bytes(), picture]
    )
    assert vectors.shape == (4, 49)
    assert (vectors == vectors[0]).all()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", [TextEmbedder, ImageEmbedder])
def test_passes_the_checks_of_scikit_learn(kind, check):
    """All of scikit-learn's checks hold that do not fit an array of numbers."""
    check(kind.__name__, kind())


def test_parameters_are_stored_only(tiny_text):
    """The defaults are the built-in encoders; clones share parameters and nothing else."""
    assert TextEmbedder().get_params() == {
        "encoder": "minilm",
        "device": "auto",
        "precision": "auto",
        "prompt": None,
    }
    assert ImageEmbedder().encoder == "efficientnet-lite0"
    made = TextEmbedder(str(tiny_text), device="cpu")
    made.transform(["fox"])
    assert vars(clone(made)) == made.get_params()


def test_pickles_hold_no_model(embedder, tiny_text):
    """A pickle holds the parameters only, and loads the encoder again where it is used."""
    data = pickle.dumps(embedder)
    assert len(data) < 1000
    again = pickle.loads(data)
    assert np.array_equal(again.transform(TEXTS), embedder.transform(TEXTS))


def test_the_encoder_is_loaded_once(tiny_text, tiny_image):
    """Encoders are loaded at first use, kept, and replaced when the parameters change."""
    made = TextEmbedder(str(tiny_text), device="cpu")
    made.fit(TEXTS)
    assert "_cache" not in vars(made)
    made.transform(TEXTS)
    first = made._cache[1]
    made.transform(TEXTS)
    assert made._cache[1] is first
    made.set_params(encoder=str(tiny_image))
    with pytest.raises(UsageError, match="needs an encoder of texts"):
        made.transform(TEXTS)


def test_learns_in_a_pipeline_with_grid_search(tiny_text):
    """Embedder and head are one estimator, whose options can be searched."""
    model = make_pipeline(TextEmbedder(str(tiny_text), device="cpu"), LogisticRegression())
    search = GridSearchCV(model, {"logisticregression__C": [0.1, 10]}, cv=3, n_jobs=1)
    search.fit(TEXTS * 3, LABELS * 3)
    assert search.predict(["the fox", "refund card"]).tolist() == ["animal", "shop"]
    head = make_pipeline(TextEmbedder(str(tiny_text), device="cpu"), Head())
    assert head.fit(TEXTS * 3, LABELS * 3).score(TEXTS, LABELS) == 1


@pytest.mark.parametrize("column", ["text", ["text"]], ids=["series", "frame"])
def test_works_beside_other_columns(tiny_text, column):
    """A ColumnTransformer embeds one column and scales another."""
    frame = pd.DataFrame({"text": TEXTS, "price": np.arange(6.0)})
    union = ColumnTransformer(
        [
            ("words", TextEmbedder(str(tiny_text), device="cpu"), column),
            ("price", StandardScaler(), ["price"]),
        ]
    )
    assert union.fit_transform(frame).shape == (6, 9)
    names = union.get_feature_names_out()
    assert names[0] == "words__textembedder0"
    assert names[-1] == "price__price"


def test_can_give_a_frame(embedder):
    """With pandas output, the columns are named after the class."""
    frame = clone(embedder).set_output(transform="pandas").fit_transform(TEXTS)
    assert frame.columns.tolist() == [f"textembedder{number}" for number in range(8)]


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, 7, b"bytes"], ids=repr)
def test_missing_texts_name_their_row(embedder, missing):
    """What is no text is a ValueError that names its row."""
    with pytest.raises(ValueError, match="Row 1 "):
        embedder.transform(["fox", missing, None])


def test_bad_images_name_their_row(tiny_image, tmp_path):
    """A file that is missing or no image is a ValueError that names its row."""
    Image.new("RGB", (9, 9)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    embedder = ImageEmbedder(str(tiny_image), device="cpu")
    for bad in (tmp_path / "bad.png", tmp_path / "absent.png", None, 3):
        with pytest.raises(ValueError, match="Row 2 "):
            embedder.transform([tmp_path / "good.png", tmp_path / "good.png", bad])


def test_every_text_gives_a_row(embedder):
    """Blank texts are embedded, so that rows and labels stay side by side."""
    vectors = embedder.transform(["fox", "", "  \n", "dog"])
    assert vectors.shape == (4, 8)
    assert np.isfinite(vectors).all()


def test_what_can_be_read_once_is_refused(embedder):
    """A generator, which `fit` would use up, is an error and not a table of no rows."""
    for once in ((text for text in TEXTS), map(str.upper, TEXTS), iter(TEXTS)):
        with pytest.raises(ValueError, match=r"got an iterator. Pass list"):
            embedder.fit_transform(once)


@pytest.mark.parametrize("X", [set(TEXTS), {"a": "b"}], ids=["set", "mapping"])
def test_what_has_no_order_is_refused(embedder, X):
    """A set or a mapping is no column."""
    with pytest.raises(ValueError, match="list or a column"):
        embedder.transform(X)


def test_arrays_of_pixels_are_refused_with_a_way(tiny_image):
    """Neither one array of images nor a list of them is guessed at; the error says what to do."""
    pixels = np.zeros((2, 40, 40, 3), np.uint8)
    made = ImageEmbedder(str(tiny_image), device="cpu")
    for X in (pixels, list(pixels)):
        with pytest.raises(ValueError, match=r"PIL\.Image\.fromarray"):
            made.fit_transform(X)
    assert made.fit_transform([Image.fromarray(array) for array in pixels]).shape == (2, 49)


@pytest.mark.parametrize("X", ["one text", b"bytes", 5, [["a", "b"]], "frame"], ids=repr)
def test_anything_but_one_column_is_refused(embedder, X):
    """A bare string or several columns are errors."""
    wide = {"frame": pd.DataFrame({"a": ["x"], "b": ["y"]})}.get(X) if X == "frame" else X
    wide = np.array(wide) if isinstance(wide, list) else wide
    with pytest.raises(ValueError, match="expected"):
        embedder.transform(wide)
