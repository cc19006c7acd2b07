"""CLIP and SigLIP become one encoder of texts and images, faithful in both towers."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from PIL import Image
from tiny_image_models import save_image_model, save_two_towers

from featurize.bundle import Bundle, EncoderCard
from featurize.config import Precision
from featurize.encoder import Encoder
from featurize.errors import BundleError, ExportError, UsageError
from featurize.export import lower_bundle, write_bundle
from featurize.export.graph import trace
from featurize.export.origin import locate
from featurize.export.precision import Lower
from featurize.known import KnownInputs, check_fidelity
from featurize.reference import read_reference
from featurize.storage import canonical_json, sha256_bytes
from featurize.types import Modality

BOTH = (Modality.TEXT, Modality.IMAGE)
TEXTS = ["the word", "", "A quick brown fox!", "one two " * 40, "x", "naïve 人 text", "17 times"]
every_architecture = pytest.mark.parametrize("architecture", ["clip", "siglip"])
WITHOUT_TORCH = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "sentence_transformers", "onnx"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Refuse())
from pathlib import Path
import numpy as np
from featurize.bundle import Bundle
from featurize.encoder import Encoder
from featurize.known import KnownInputs

vectors = {}
for folder in sys.argv[2:]:
    encoder = Encoder.open(Bundle.open(Path(folder)), device="cpu")
    vectors[Path(folder).name] = encoder.encode_contents(KnownInputs(encoder).contents[::4])
np.savez(sys.argv[1], **vectors)
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Save a CLIP and a SigLIP."""
    root = tmp_path_factory.mktemp("models")
    return {name: save_two_towers(root / name, name) for name in ("clip", "siglip")}


@pytest.fixture(scope="module")
def candidates(models):
    """Load both models; their graphs are kept, because most tests plant a fault elsewhere."""
    loaded = {name: locate(folder).load(None) for name, folder in models.items()}
    return {
        name: replace(traced_once(candidate), images=traced_once(candidate.images))
        for name, candidate in loaded.items()
    }


@pytest.fixture(scope="module")
def bundles(candidates, tmp_path_factory):
    """Export both models."""
    root = tmp_path_factory.mktemp("bundles")
    for name, candidate in candidates.items():
        write_bundle(candidate, root / name)
    return {name: Bundle.open(root / name) for name in candidates}


def traced_once(candidate):
    """Keep the graph of a tower."""
    return replace(candidate, graph=cache(candidate.graph))


def pictures():
    """Draw noise of several sizes."""
    random = np.random.default_rng(0)
    shapes = [(1, 1, 3), (40, 7, 3), (33, 31, 3), (64, 96, 3), (32, 32, 3)]
    return [Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]


def original(folder):
    """Encode texts, then images, as the documentation of transformers says; unit vectors."""
    import torch
    from transformers import AutoImageProcessor, AutoModel, PreTrainedTokenizerFast

    network = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    padding = "max_length" if network.config.model_type == "siglip" else False
    rows = []
    with torch.inference_mode():
        for text in TEXTS:
            ids = tokenizer(
                text, padding=padding, truncation=True, max_length=24, return_tensors="pt"
            )["input_ids"]
            rows.append(network.get_text_features(input_ids=ids).pooler_output[0])
        for picture in pictures():
            inputs = processor(images=picture, return_tensors="pt")
            rows.append(network.get_image_features(**inputs).pooler_output[0])
    return np.stack([torch.nn.functional.normalize(row, dim=0).numpy() for row in rows])


@every_architecture
def test_vectors_are_those_of_transformers(architecture, models, bundles, close):
    """Texts and images, in any order, get the original's vectors in every dimension."""
    encoder = Encoder.open(bundles[architecture], device="cpu")
    expected = original(models[architecture])
    inputs = [*TEXTS, *pictures()]
    assert close(encoder.encode(inputs), expected)
    mixed = np.random.default_rng(1).permutation(len(inputs))
    assert close(encoder.encode([inputs[place] for place in mixed]), expected[mixed])


@every_architecture
def test_a_vector_does_not_depend_on_its_neighbours(architecture, bundles):
    """One by one, in batches and among the other kind: the same bits."""
    encoder = Encoder.open(bundles[architecture], device="cpu")
    inputs = [*TEXTS, *pictures()]
    alone = np.concatenate([encoder.encode([value]) for value in inputs])
    np.testing.assert_array_equal(encoder.encode(inputs * 3), np.tile(alone, (3, 1)))


def test_vectors_need_no_torch(bundles, tmp_path):
    """With torch and transformers made unimportable, both bundles give the same bits."""
    paths = [str(bundle.path) for bundle in bundles.values()]
    script = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "vectors.npz"), *paths]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "vectors.npz")
    for name, bundle in bundles.items():
        encoder = Encoder.open(bundle, device="cpu")
        expected = encoder.encode_contents(KnownInputs(encoder).contents[::4])
        np.testing.assert_array_equal(found[name], expected)


@every_architecture
def test_one_bundle_has_one_fingerprint(architecture, bundles, candidates):
    """Two graphs, both preparations, known inputs of both kinds, one card."""
    bundle = bundles[architecture]
    assert bundle.card.modalities == BOTH
    assert bundle.card.to_json()["modality"] == "text+image"
    assert set(bundle.files) == {
        "text.onnx",
        "image.onnx",
        "tokenizer.json",
        "preprocess.json",
        "reference.npz",
    }
    assert bundle.card == candidates[architecture].card
    contents, vectors = read_reference(bundle.path / "reference.npz", BOTH)
    assert {type(content) for content in contents} == {str, bytes}
    assert len(contents) == len(vectors) == bundle.export["parity"]["inputs"]


def test_both_preparations_are_part_of_the_fingerprint(bundles, tmp_path):
    """A bundle with other preprocessing than its fingerprint stands for is refused."""
    folder = shutil.copytree(bundles["clip"].path, tmp_path / "clip")
    for name in ("tokenizer.json", "preprocess.json"):
        card = json.loads((bundles["clip"].path / "encoder.json").read_text())
        card["files"][name] = "0" * 64
        (folder / "encoder.json").write_text(json.dumps(card))
        with pytest.raises(BundleError, match="another preparation than its fingerprint"):
            Bundle.peek(folder)


def test_texts_fill_the_encoder(bundles):
    """What is longer than the encoder reads is said to be truncated, and nothing else is."""
    for bundle in bundles.values():
        processor = Encoder.open(bundle, device="cpu").processor
        fits, longer = processor.prepare(["word " * 22, "word " * 23])
        assert (fits.columns["n_tokens"], fits.columns["truncated"]) == (24, False)
        assert (longer.columns["n_tokens"], longer.columns["truncated"]) == (24, True)


def test_lower_precisions_are_derived_for_both_towers(bundles, monkeypatch, tmp_path):
    """Both graphs in int8 come near the original."""
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path))
    encoder = Encoder.open(bundles["siglip"], device="cpu", precision=Precision.INT8)
    assert 0.95 < check_fidelity(encoder) < 0.99999
    assert len(list(tmp_path.glob("graphs/*/*.onnx"))) == 2


def test_known_inputs_of_both_kinds_watch_a_run(bundles):
    """A few texts and as many images are asked for again while a run goes on."""
    encoder = Encoder.open(bundles["clip"], device="cpu")
    encoder.load()
    assert KnownInputs(encoder).vectors(4).shape == (8, encoder.dim)


def test_openvino_gives_the_same_vectors(bundles, close):
    """The other CPU runtime runs both towers too."""
    pytest.importorskip("openvino")
    found, expected = (
        Encoder.open(bundles["siglip"], device="cpu", runtime=runtime, precision="fp32").encode(
            [*TEXTS, *pictures()]
        )
        for runtime in ("openvino", "onnxruntime")
    )
    assert close(found, expected)


def refuse(candidate, tmp_path):
    """Assert that nothing is written, and return the message."""
    with pytest.raises(ExportError, match="not faithful") as caught:
        write_bundle(candidate, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []
    return str(caught.value)


def changed(tower, **fields):
    """Change fields of a tower's preparation."""
    name, definition = tower.preparation
    return replace(tower, preparation=(name, canonical_json({**json.loads(definition), **fields})))


def restated(texts, images):
    """Return a candidate whose card states the preparations that its towers have."""
    sums = [sha256_bytes(tower.preparation[1]) for tower in (texts, images)]
    space = replace(texts.card.space, preparation=sha256_bytes(canonical_json(sums)))
    card = replace(texts.card, space=space)
    return replace(texts, card=card, images=replace(images, card=card))


def test_texts_before_the_projection_are_refused(candidates, tmp_path):
    """The vector before the projection does not pass for the one after it."""
    import torch

    class Unprojected(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.tower = network.text_model

        def forward(self, input_ids, attention_mask):
            pooled = self.tower(input_ids=input_ids, attention_mask=attention_mask).pooler_output
            return torch.nn.functional.normalize(pooled[:, :16], dim=1)

    tower, *rest = candidates["clip"].graph.__wrapped__.args
    graph = partial(trace, Unprojected(tower.network).eval(), *rest)
    refuse(replace(candidates["clip"], graph=graph), tmp_path)


def test_lost_padding_is_refused(candidates, tmp_path):
    """SigLIP's texts are padded, to their full length and with the right token."""
    texts = candidates["siglip"]
    stated = json.loads(texts.preparation[1])["padding"]
    for padding in (None, {**stated, "strategy": {"Fixed": 23}}, {**stated, "pad_id": 1}):
        refuse(restated(changed(texts, padding=padding), texts.images), tmp_path)


def test_wrong_preprocessing_is_refused(candidates, tmp_path):
    """A fault in the second tower is found as one in the first is."""
    clip = candidates["clip"]
    assert "reference image" in refuse(
        restated(clip, changed(clip.images, scale=1 / 256)), tmp_path
    )


def test_a_folder_without_a_tokenizer_has_images_alone(tmp_path):
    """What cannot read texts is an encoder of images, as before."""
    candidate = locate(save_image_model(tmp_path / "clip", "clip")).load(None)
    assert candidate.card.modalities == (Modality.IMAGE,)
    assert candidate.images is None


def test_a_sentence_transformers_model_is_the_same_encoder(models, candidates, tmp_path):
    """Saved by sentence-transformers, in either of its forms, a CLIP has the same vectors."""
    import contextlib
    import io

    from sentence_transformers import SentenceTransformer

    with contextlib.redirect_stderr(io.StringIO()):
        model = SentenceTransformer(str(models["clip"]), device="cpu")
        model.save(str(tmp_path / "new"), create_model_card=False)
    old = tmp_path / "old"
    shutil.copytree(models["clip"], old / "0_CLIPModel")
    module = {"idx": 0, "name": "0", "path": "0_CLIPModel"}
    modules = [{**module, "type": "sentence_transformers.models.CLIPModel"}]
    (old / "modules.json").write_text(json.dumps(modules))
    expected = candidates["clip"].card
    for folder in (tmp_path / "new", old):
        card = locate(folder).load(None).card
        assert card.modalities == BOTH
        assert (card.dim, card.space.max_length) == (expected.dim, expected.space.max_length)
    assert replace(card, name=expected.name) == expected


def test_texts_may_be_shorter_where_they_are_not_padded(models):
    """`max_length` lowers what CLIP reads; SigLIP reads one length alone."""
    assert locate(models["clip"]).load(10).card.space.max_length == 10
    for folder, length in ((models["clip"], 25), (models["siglip"], 10)):
        with pytest.raises(UsageError, match=f"--max-length {length} is not possible"):
            locate(folder).load(length)


@pytest.mark.parametrize("part", ["text_model.", "text_projection", "vision_model.", "visual_"])
def test_random_weights_never_pass(part, models, tmp_path):
    """A folder that lacks weights of either tower is refused."""
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(models["clip"], tmp_path / "clip")
    file = folder / "model.safetensors"
    kept = {name: it for name, it in load_file(file).items() if not name.startswith(part)}
    save_file(kept, file, metadata={"format": "pt"})
    with pytest.raises(ExportError, match="not complete: .* would be random"):
        locate(folder).load(None)


def test_a_bundle_can_hold_lower_precisions_of_both_towers(bundles, tmp_path):
    """Both graphs are added and measured together, and used before any that is derived."""
    out = tmp_path / "int8"
    bundle = lower_bundle(bundles["siglip"].path, out, Lower(Precision.INT8, accept_loss=True))
    assert {"text.int8.onnx", "image.int8.onnx"} <= bundle.files.keys()
    assert bundle.card == bundles["siglip"].card
    encoder = Encoder.open(bundle, device="cpu", precision=Precision.INT8)
    stated = bundle.export["precisions"]["int8"]["min_cosine"]
    assert check_fidelity(encoder) == pytest.approx(stated, abs=1e-6)
    assert encoder.variant["graph"] not in {bundle.graph_sha256, *bundle.files.values()}


@every_architecture
def test_the_card_states_the_scale_of_the_training(architecture, models, bundles):
    """It is what cosines of texts and images were multiplied with, and no part of the space."""
    from transformers import AutoModel

    card = bundles[architecture].card
    network = AutoModel.from_pretrained(models[architecture])
    assert card.logit_scale == pytest.approx(network.logit_scale.detach().exp().item())
    assert EncoderCard.from_json(card.to_json()) == card
    assert replace(card, logit_scale=None).fingerprint == card.fingerprint
    for wrong in (0.0, -1.0, float("nan"), "100", True):
        with pytest.raises(BundleError, match="no encoder card"):
            EncoderCard.from_json({**card.to_json(), "logit_scale": wrong})
