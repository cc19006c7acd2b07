"""Searcher: raw queries, through the encoder that made the index."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from downstream import Searcher, VectorIndex
from featurize import load_encoder
from featurize.bundle import Bundle
from featurize.errors import IndexFileError, MismatchError, RuntimeUnavailable, UsageError
from featurize.runtimes import openvino

TEXTS = ["the red fox runs", "a blue dog sleeps", "refund the broken parcel", "card late"]


def index_of(make_table, bundle, inputs, recorded):
    """Index inputs that a bundle encodes, with another bundle named as their origin."""
    vectors = load_encoder(str(bundle), device="cpu").encode(inputs)
    encoder = Bundle.open(bundle).card
    made = make_table(vectors, encoder=encoder, origin={"bundle": recorded}, text=list(inputs))
    return VectorIndex.build(made)


@pytest.fixture(scope="module")
def texts(make_table, tiny_text):
    """Index four texts."""
    return index_of(make_table, tiny_text, TEXTS, str(tiny_text))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Save three images of one colour each."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    colours = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}
    for name, colour in colours.items():
        Image.new("RGB", (40, 40), colour).save(folder / f"{name}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def images(make_table, tiny_image, pictures):
    """Index the three images."""
    return index_of(make_table, tiny_image, [str(path) for path in pictures], str(tiny_image))


def test_a_text_finds_itself(texts):
    """A text that is in the index comes first, with score 1."""
    searcher = Searcher(texts, device="cpu")
    for row, text in enumerate(TEXTS):
        hits = searcher.text(text, 2)
        assert len(hits) == 2
        assert hits[0].id == f"row-{row:05d}"
        assert hits[0].score == pytest.approx(1)


def test_an_image_finds_itself(images, pictures):
    """An image file that is in the index comes first."""
    searcher = Searcher(images, device="cpu")
    for row, picture in enumerate(pictures):
        assert searcher.image(picture, 1)[0].id == f"row-{row:05d}"


def test_an_id_needs_no_encoder(make_table, tiny_text):
    """More-like-this works where the encoder is gone."""
    index = index_of(make_table, tiny_text, TEXTS, "/gone")
    searcher = Searcher(index)
    assert searcher.id("row-00000", 2) == index.search_id("row-00000", 2)


def test_the_wrong_kind_of_query_says_what_to_give(texts, images, pictures):
    """Texts ask indexes of texts, images those of images; the error names the way."""
    with pytest.raises(UsageError, match="holds images; give --image FILE"):
        Searcher(images).text("red")
    with pytest.raises(UsageError, match="holds texts"):
        Searcher(texts).image(pictures[0])


def test_unusable_queries_are_usage_errors(texts, images, tmp_path):
    """A blank text, a missing file and what cannot be decoded are errors of the query."""
    for blank in ("", " \n\t"):
        with pytest.raises(UsageError, match="empty"):
            Searcher(texts).text(blank)
    with pytest.raises(UsageError, match="no such file"):
        Searcher(images).image(tmp_path / "absent.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(UsageError, match="cannot be encoded"):
        Searcher(images, device="cpu").image(tmp_path / "broken.png")
    with pytest.raises(UsageError, match="cannot be encoded"):
        Searcher(texts, device="cpu").text("\ud800")


def test_an_encoder_can_be_named(make_table, tiny_text, tiny_image):
    """A bundle given by name serves, if it shares the vector space."""
    index = index_of(make_table, tiny_text, TEXTS, None)
    assert Searcher(index, str(tiny_text), device="cpu").text(TEXTS[1], 1)[0].id == "row-00001"
    with pytest.raises(MismatchError, match="index is for texts, the encoder for images") as caught:
        Searcher(index, str(tiny_image)).text("red")
    assert caught.value.fix.startswith("Leave out --encoder")


def test_a_moved_encoder_is_found_in_the_cache(make_table, tiny_text, tiny_image, monkeypatch):
    """Where the recorded bundle is gone or another one, the cache is searched by fingerprint."""
    cache = Path(tiny_text).parent / "cache"
    monkeypatch.setenv("FEATURIZE_CACHE", str(cache))
    shutil.copytree(tiny_text, cache / "bundles" / "anything")
    for recorded in (str(tiny_image), str(cache / "gone"), None):
        index = index_of(make_table, tiny_text, TEXTS, recorded)
        assert Searcher(index, device="cpu").text(TEXTS[2], 1)[0].id == "row-00002"


@pytest.mark.parametrize("recorded", ["some/model", "~nobody/x", "a" * 5000, 7, "", ["minilm"]])
def test_a_strangers_name_exports_and_downloads_nothing(
    make_table, tiny_text, monkeypatch, tmp_path, recorded
):
    """What an index records as its bundle is never fetched or exported, whatever it says."""

    def exported(*_arguments, **_options):
        raise AssertionError("exported")

    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path))
    monkeypatch.setattr("featurize.catalog.locate", exported)
    monkeypatch.setattr("featurize.catalog.export", exported)
    index = index_of(make_table, tiny_text, TEXTS, recorded)
    with pytest.raises(IndexFileError, match="--encoder"):
        Searcher(index).text("red")


def test_a_folder_that_is_a_model_is_no_bundle(make_table, tiny_text, monkeypatch, tmp_path):
    """A recorded folder without a card is passed over, though `--encoder` would export it."""
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    index = index_of(make_table, tiny_text, TEXTS, str(tmp_path / "model"))
    with pytest.raises(IndexFileError, match="is not found"):
        Searcher(index).text("red")
    assert not (tmp_path / "cache" / "bundles").exists()


def rough(make_table, bundle, cosine, runtime="openvino", precision="fp32"):
    """Index texts whose table states a cosine and how it was computed."""
    vectors = load_encoder(str(bundle), device="cpu").encode(TEXTS)
    variant = {"runtime": runtime, "precision": precision, "cosine": cosine}
    origin = {"bundle": str(bundle), "variant": variant}
    made = make_table(vectors, encoder=Bundle.open(bundle).card, origin=origin, text=TEXTS)
    return VectorIndex.build(made)


@pytest.mark.parametrize("cosine", [0.9989, float("nan")])
def test_rough_vectors_are_asked_in_their_own_way(make_table, tiny_text, cosine):
    """Under a cosine of 0.999, queries take the table's runtime and precision."""
    pytest.importorskip("openvino")
    if not openvino.computes_bf16():
        pytest.skip("this CPU has no bf16 instructions")
    searcher = Searcher(rough(make_table, tiny_text, cosine, precision="bf16"))
    assert searcher.encoder.variant["runtime"] == "openvino"
    assert searcher.encoder.variant["precision"] == "bf16"
    assert searcher.text(TEXTS[1], 1)[0].id == "row-00001"


def test_rough_vectors_refuse_another_precision(make_table, tiny_text):
    """A precision that contradicts rough vectors is a usage error with the figure."""
    index = rough(make_table, tiny_text, 0.9912, precision="bf16")
    with pytest.raises(UsageError, match=r"bf16, at a cosine of 0\.9912") as caught:
        Searcher(index, precision="fp32")
    assert "'bf16'" in caught.value.fix
    Searcher(index, precision="bf16")


def test_rough_queries_of_faithful_vectors_are_refused(make_table, tiny_text, monkeypatch):
    """A query in a precision that loses much would be ranked by what was lost."""
    monkeypatch.setattr("downstream.queries.check_fidelity", lambda _encoder: 0.98)
    searcher = Searcher(index_of(make_table, tiny_text, TEXTS, str(tiny_text)), precision="fp16")
    with pytest.raises(UsageError, match=r"fp16 have a cosine of 0\.9800"):
        searcher.text("red")


def test_vectors_of_a_precision_that_is_not_here_say_what_to_do(make_table, tiny_text, monkeypatch):
    """An index made in bf16, asked where no bf16 is computed, names both ways out."""
    pytest.importorskip("openvino")
    monkeypatch.setattr(openvino, "computes_bf16", lambda: False)
    searcher = Searcher(rough(make_table, tiny_text, 0.98, precision="bf16"))
    with pytest.raises(RuntimeUnavailable, match="made in bf16 and is asked in it") as caught:
        searcher.text("red")
    assert "embed the source again" in caught.value.fix


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_faithful_vectors_leave_the_query_free(make_table, tiny_text, precision):
    """From a cosine of 0.999 on, queries are encoded as is best here."""
    index = rough(make_table, tiny_text, 0.999, precision="bf16")
    searcher = Searcher(index, device="cpu", precision=precision)
    assert searcher.encoder.variant["precision"] == "fp32"


def test_a_missing_encoder_is_named(make_table, tiny_text, monkeypatch, tmp_path):
    """Where no bundle is found, the error names fingerprint and option."""
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path))
    index = index_of(make_table, tiny_text, TEXTS, str(tmp_path / "gone"))
    with pytest.raises(IndexFileError, match="--encoder") as caught:
        Searcher(index).text("red")
    assert index.encoder.fingerprint[:12] in str(caught.value)


def test_options_are_checked_at_once(texts):
    """A wrong device or precision fails before anything is loaded."""
    with pytest.raises(UsageError, match="--device"):
        Searcher(texts, device="tpu")
    with pytest.raises(UsageError, match="fp7"):
        Searcher(texts, precision="fp7")


def test_scores_are_cosines_of_the_encoder(texts, tiny_text):
    """A query's scores are the cosines of the vectors that the encoder gives."""
    encoder = load_encoder(str(tiny_text), device="cpu")
    vectors, query = encoder.encode(TEXTS), encoder.encode(["red dog"])[0]
    hits = Searcher(texts, device="cpu").text("red dog", 4)
    assert [hit.score for hit in hits] == pytest.approx(np.sort(vectors @ query)[::-1], abs=1e-6)
