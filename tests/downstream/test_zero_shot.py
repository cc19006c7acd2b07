"""ZeroShot: classes by their names alone, through the encoder that made the table."""

import json
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from downstream import ZeroShot
from downstream.zeroshot import classify_table, measure_labels, read_names, split_names
from featurize import load_encoder
from featurize.bundle import Bundle
from featurize.errors import HeadError, MismatchError, TableError, UsageError

TEXTS = ["the red fox runs", "a fox sleeps", "refund the broken parcel", "parcel late"]
LABELS = ["fox", "fox", "parcel", "parcel"]
NAMES = ["parcel", "fox"]


@pytest.fixture(scope="module")
def texts(make_table, tiny_text):
    """Make a table of four texts about two things."""
    vectors = load_encoder(str(tiny_text), device="cpu").encode(TEXTS)
    card = Bundle.open(tiny_text).card
    return make_table(vectors, LABELS, card, {"bundle": str(tiny_text)}, text=TEXTS)


def expected(bundle, sentences, temperature):
    """Compute the probabilities of the texts from cosines, step by step."""
    encoder = load_encoder(str(bundle), device="cpu")
    logits = encoder.encode(TEXTS).astype(float) @ np.array(sentences).T / temperature
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True)


def test_rows_go_to_the_nearest_label(texts):
    """No example and no fit is needed; the classes stand in ascending order."""
    zero = ZeroShot(NAMES, device="cpu")
    assert zero.predict(texts).tolist() == LABELS
    assert zero.classes_.tolist() == zero.class_names == ["fox", "parcel"]
    assert zero.score(texts, LABELS) == 1


@pytest.mark.parametrize("temperature", [None, 0.2])
def test_probabilities_are_a_softmax_of_cosines(texts, tiny_text, temperature):
    """They are those of cosine / temperature, 0.05 by default, and equal for tables and arrays."""
    encoder = load_encoder(str(tiny_text), device="cpu")
    vectors = encoder.encode(["the fox", "the parcel"])
    zero = ZeroShot(NAMES, "the {}", temperature, device="cpu")
    found = zero.predict_proba(texts)
    np.testing.assert_allclose(found, expected(tiny_text, vectors, temperature or 0.05), atol=1e-6)
    np.testing.assert_array_equal(zero.predict_proba(texts.to_numpy()), found)
    np.testing.assert_allclose(zero.predict_proba(texts.to_numpy() * 7), found, atol=1e-6)


def test_several_templates_are_averaged(texts, tiny_text):
    """Prompt ensembling: the mean of the unit vectors, at unit length again."""
    templates = ["the {}", "{} runs fast"]
    encoder = load_encoder(str(tiny_text), device="cpu")
    means = [
        sum(encoder.encode([template.replace("{}", name)])[0] for template in templates)
        for name in ("fox", "parcel")
    ]
    means = [mean / np.linalg.norm(mean) for mean in means]
    found = ZeroShot(NAMES, templates, device="cpu").predict_proba(texts)
    np.testing.assert_allclose(found, expected(tiny_text, means, 0.05), atol=1e-5)


def test_a_class_may_be_described(texts, tiny_text):
    """The description makes the sentence, the name stands in the predictions."""
    zero = ZeroShot({"A": "red fox", "B": "broken parcel"}, device="cpu")
    assert zero.predict(texts).tolist() == ["A", "A", "B", "B"]
    spaced = ZeroShot(["red_fox", "late_parcel"], device="cpu").fit(texts)
    expected_vectors = load_encoder(str(tiny_text), device="cpu").encode(["late parcel", "red fox"])
    np.testing.assert_allclose(spaced.label_vectors_, expected_vectors, atol=1e-6)


def test_the_temperature_of_the_encoder_is_taken(make_table, twin):
    """Encoders that were trained with a scale, as CLIP is, bring it; images get a sentence."""
    encoder = load_encoder(str(twin), device="cpu")
    vectors = encoder.encode(["one two", "three"])
    table = make_table(vectors, encoder=encoder.card, origin={"bundle": str(twin)})
    zero = ZeroShot(NAMES, device="cpu").fit(table)
    assert zero.temperature_ == pytest.approx(1 / encoder.card.logit_scale)
    assert zero.templates_ == ["a photo of a {}."]


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    """Export a tiny CLIP."""
    from tiny_image_models import save_two_towers

    from featurize.export import export

    root = tmp_path_factory.mktemp("twin")
    return export(save_two_towers(root / "model", "clip"), root / "twin").path


def test_an_encoder_of_images_alone_is_refused(make_table, tiny_image):
    """It has no vectors for words; the error names both ways on."""
    card = Bundle.open(tiny_image).card
    vectors = np.eye(2, card.dim, dtype=np.float32)
    table = make_table(vectors, encoder=card, origin={"bundle": str(tiny_image)})
    with pytest.raises(UsageError, match="takes images alone") as caught:
        ZeroShot(NAMES).predict(table)
    assert "train a head" in caught.value.fix


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["fox"], {}, "Two labels or more are expected, got 1"),
        (["fox", "fox"], {}, "'fox' was given more than once"),
        (["fox", " "], {}, "labels is empty"),
        ("fox,parcel", {}, "list of labels is expected"),
        (NAMES, {"template": "about"}, "has no {}"),
        (NAMES, {"template": []}, "has no {}"),
        (NAMES, {"temperature": 0.0}, "temperature over 0"),
        (NAMES, {"temperature": float("nan")}, "temperature over 0"),
        (["fox", "red " * 40], {}, "stops after 16 tokens"),
        (["fox", "\ud800"], {}, "cannot be encoded"),
        (NAMES, {"device": "tpu"}, "--device"),
    ],
)
def test_what_cannot_be_meant_is_refused(texts, names, options, message):
    """Every mistake is a usage error that says what was wrong."""
    with pytest.raises(UsageError, match=message):
        ZeroShot(names, **options).predict(texts)


def test_spaces_never_meet(texts, make_table, card, tiny_image, tmp_path):
    """Another encoder's table, vectors of another length and another bundle are refused."""
    zero = ZeroShot(NAMES, device="cpu")
    with pytest.raises(NotFittedError):
        zero.predict_proba(texts.to_numpy())
    zero.fit(texts)
    other = make_table(np.eye(3, 8, dtype=np.float32), encoder=card(8))
    with pytest.raises(MismatchError, match="the labels"):
        zero.predict(other)
    with pytest.raises(MismatchError, match="shape"):
        zero.predict(np.ones((2, 5)))
    with pytest.raises(MismatchError, match="the table is for texts, the encoder for images"):
        ZeroShot(NAMES, encoder=str(tiny_image)).fit(texts)


def test_a_missing_encoder_is_an_error_of_the_table(make_table, card, clustered, cache):
    """It names the fingerprint and the option; nothing is downloaded."""
    table = make_table(*clustered(6), origin={"bundle": "some/model"})
    with pytest.raises(TableError, match=card().fingerprint[:12]) as caught:
        ZeroShot(NAMES).fit(table)
    assert caught.value.fix == "Name it with --encoder."


def test_it_is_an_estimator(texts):
    """Parameters are kept, clones are unfitted, and a table may be given as its path."""
    zero = ZeroShot(NAMES, ["the {}"], device="cpu").fit(str(texts.path))
    copy = clone(zero)
    assert copy.get_params() == zero.get_params()
    assert not hasattr(copy, "classes_")
    np.testing.assert_array_equal(copy.predict(texts), zero.predict(texts.path))


def test_it_is_written_and_measured_like_a_head(texts, make_table, tmp_path):
    """The file is what `predict` writes for a head, the figures are those of `evaluate`."""
    zero = ZeroShot(NAMES, device="cpu")
    out = tmp_path / "p.parquet"
    assert classify_table(zero, texts, out) == dict(Counter(LABELS))
    assert classify_table(zero, texts) == dict(Counter(LABELS))
    rows = pq.read_table(out)
    assert rows["prediction"].to_pylist() == LABELS
    assert json.loads(rows.schema.metadata[b"featurize"])["classes"] == ["fox", "parcel"]
    found = measure_labels(zero, texts)
    assert (found["rows"], found["metrics"]["accuracy"], found["label"]) == (4, 1, "label")
    with pytest.raises(HeadError, match="No row has one of the labels"):
        measure_labels(ZeroShot(["red", "blue"], device="cpu"), texts)


def test_names_are_split_at_commas():
    """A name with a comma stands in quotes; spaces around names are none of them."""
    assert split_names('refund, "lost, or late",x ') == ["refund", "lost, or late", "x"]
    assert split_names("") == []


def test_names_are_read_from_a_file(tmp_path):
    """A line is a name, or a name and its description."""
    file = tmp_path / "labels.txt"
    file.write_text("\ufeffcard_late: the card: not here\n\nrefund, please\n", encoding="utf-8")
    names = {"card_late": "the card: not here", "refund, please": "refund, please"}
    assert read_names(file) == names
    file.write_bytes(b"\xff\xfe")
    for wrong in (file, tmp_path / "absent.txt"):
        with pytest.raises(UsageError, match="--labels-file"):
            read_names(wrong)
    file.write_text("a\na: b\n")
    with pytest.raises(UsageError, match="more than once"):
        read_names(file)
