"""The gate refuses every export that is not the model it was made from."""

import copy
import json
from dataclasses import replace
from functools import cache, partial

import pytest
from tiny_image_models import save_image_model

from featurize.errors import ExportError
from featurize.export import write_bundle
from featurize.export.graph import trace
from featurize.export.image import PREPROCESSING, image_candidate
from featurize.export.origin import locate
from featurize.storage import canonical_json, sha256_bytes


@pytest.fixture(scope="module")
def image_model(tiny_network):
    """Propose a tiny image encoder."""
    return traced_once(image_candidate(tiny_network, "tiny-image", "0" * 64, 16))


@pytest.fixture(scope="module")
def clip_model(tmp_path_factory):
    """Propose the image tower of a tiny CLIP, whose images are cropped."""
    folder = save_image_model(tmp_path_factory.mktemp("models") / "clip", "clip")
    return traced_once(locate(folder).load(None))


@pytest.fixture(scope="module")
def text_model(tiny_candidate):
    """Propose the plain tiny text encoder."""
    return traced_once(tiny_candidate)


def traced_once(candidate):
    """Keep the graph between tests, because most plant their fault elsewhere."""
    return replace(candidate, graph=cache(candidate.graph))


def tower(candidate):
    """Return the module that a candidate traces."""
    return tracing(candidate).args[0]


def tracing(candidate):
    """Return how a candidate's graph is made, behind what keeps it."""
    return getattr(candidate.graph, "__wrapped__", candidate.graph)


def traced(candidate, changed):
    """Return the candidate with another module in place of its own."""
    return replace(candidate, graph=partial(trace, changed, *tracing(candidate).args[1:]))


def pooled(candidate, pooling="mean", normalize=True):
    """Return the candidate with its transformer under another pooling."""
    from featurize.export.towers import Normalize, TextTower

    transformer = tower(candidate).transformer
    return traced(candidate, TextTower(transformer, [pooling], [Normalize()] * normalize))


def refuse(candidate, tmp_path):
    """Assert that nothing is written, and return the message."""
    with pytest.raises(ExportError, match="not faithful") as caught:
        write_bundle(candidate, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []
    return str(caught.value)


def test_another_pooling_is_refused(tiny_candidate, tmp_path):
    """A graph that pools otherwise does not pass, and the message holds figure and input."""
    message = refuse(pooled(tiny_candidate, "max"), tmp_path)
    assert "allowed: 1e-05" in message


def test_a_missing_normalisation_is_refused(tiny_candidate, tmp_path):
    """Vectors of the right direction and the wrong length do not pass."""
    refuse(pooled(tiny_candidate, normalize=False), tmp_path)


def test_a_missing_dense_layer_is_refused(make_model, tmp_path):
    """A graph that ends where a dense layer of equal width should follow does not pass."""
    candidate = locate(make_model(dense=(32,))).load(None)
    refuse(pooled(candidate), tmp_path)


def test_missing_token_types_are_refused(tiny_candidate, tmp_path):
    """BERT adds the embedding of type 0 to every token; a graph without it does not pass."""
    network = copy.deepcopy(tower(tiny_candidate).transformer)
    network.embeddings.token_type_embeddings.weight.data.zero_()
    changed = copy.copy(tower(tiny_candidate))
    changed._modules = {**changed._modules, "transformer": network}
    refuse(traced(tiny_candidate, changed), tmp_path)


@pytest.mark.parametrize(
    "prompts", [{}, {"query": "ask: ", "passage": "text: "}, {"query": "ask:"}], ids=str
)
def test_a_lost_or_changed_prompt_is_refused(prompts, make_model, tmp_path):
    """Every prompt of the original is tried, the default one too."""
    candidate = locate(make_model(prompts={"query": "ask: ", "passage": "tell: "})).load(None)
    card = replace(candidate.card, prompts=prompts)
    assert "with the prompt of" in refuse(replace(candidate, card=card), tmp_path)


def test_token_ids_of_another_length_are_refused(text_model, tmp_path):
    """Where vectors are too costly to compare, one token more or less is found by its id."""
    longer = replace(text_model, overlong=[("word " * 60, [2, *[5] * 39, 3])])
    assert "40 tokens, the original 41" in refuse(longer, tmp_path)


def test_a_wrong_length_is_refused(text_model, tmp_path):
    """A card that lets the encoder read less than the model does not pass."""
    card = text_model.card
    shorter = replace(card, space=replace(card.space, max_length=39))
    refuse(replace(text_model, card=shorter), tmp_path)


def prepared(candidate, name, definition):
    """Give a candidate another preparation, which its card states as well."""
    space = replace(candidate.card.space, preparation=sha256_bytes(definition))
    card = replace(candidate.card, space=space)
    return replace(candidate, preparation=(name, definition), card=card)


def test_another_tokenizer_is_refused(text_model, tmp_path):
    """A tokenizer that keeps capitals does not pass for one that lowers them."""
    name, definition = text_model.preparation
    cased = definition.replace(b'"lowercase":true', b'"lowercase":false')
    refuse(prepared(text_model, name, cased), tmp_path)


def test_a_faithful_image_encoder_passes(image_model, tmp_path):
    """The product's preprocessing agrees with the second one on every reference image."""
    parity = write_bundle(image_model, tmp_path / "bundle")
    assert parity.max_abs_diff <= 1e-5
    assert parity.inputs >= 32


@pytest.mark.parametrize(
    "change",
    [
        {"mean": 128.0, "std": 127.0},
        {"shorter_side": 255},
        {"resample": "bilinear"},
        {"max_aspect": 7},
    ],
    ids=str,
)
def test_wrong_preprocessing_is_refused(change, image_model, tmp_path):
    """Swapped scale, another size, filter or strip is caught by the reference images."""
    changed = canonical_json(replace(PREPROCESSING, **change).to_json())
    name, _ = image_model.preparation
    refuse(prepared(image_model, name, changed), tmp_path)


def test_a_faithful_image_tower_passes(clip_model, tmp_path):
    """Without a fault, the tower of the planted faults below is accepted."""
    assert write_bundle(clip_model, tmp_path / "bundle").max_abs_diff <= 1e-5


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda rules: {"mean": rules["std"], "std": rules["mean"]}, id="swapped"),
        pytest.param(lambda rules: {"mean": rules["mean"][::-1]}, id="blue for red"),
        pytest.param(lambda _: {"scale": 1 / 256}, id="scale"),
        pytest.param(lambda _: {"resample": "bilinear"}, id="filter"),
        pytest.param(lambda _: {"shorter_side": 39}, id="side"),
        pytest.param(lambda _: {"shorter_side": None, "size": [40, 40]}, id="squash for crop"),
    ],
)
def test_wrong_preprocessing_of_a_tower_is_refused(change, clip_model, tmp_path):
    """Levels, filter, size and crop are each caught by the reference images."""
    name, definition = clip_model.preparation
    rules = json.loads(definition)
    refuse(prepared(clip_model, name, canonical_json({**rules, **change(rules)})), tmp_path)


def test_another_pooling_of_a_tower_is_refused(clip_model, tmp_path):
    """The vector before the projection does not pass for the one after it."""
    import torch

    from featurize.export.vision.candidate import image_tower

    class Unprojected(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.tower = image_tower(network.vision_model, "pooler")

        def forward(self, pixels):
            return self.tower(pixels)[:, :16]

    refuse(traced(clip_model, Unprojected(tower(clip_model).network)), tmp_path)
