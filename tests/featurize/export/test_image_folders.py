"""Image folders that would run code, lack weights or are of an unknown kind are refused."""

import json
import shutil

import pytest
from tiny_image_models import save_image_model, save_processor

from featurize.errors import ExportError, UsageError
from featurize.export.origin import locate

CLIP_CROP = {"size": {"shortest_edge": 40}, "crop_size": {"height": 40, "width": 40}}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Save a small ViT, made to tell classes apart."""
    return save_image_model(tmp_path_factory.mktemp("models") / "vit", "vit")


@pytest.fixture
def vit(saved, tmp_path):
    """Return a copy of the model."""
    return shutil.copytree(saved, tmp_path / "vit")


def edit(path, **changes):
    """Change fields of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_weights(folder, change):
    """Change the names of the weights: `change` gives the new one, or None."""
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    state = {change(name): tensor for name, tensor in load_file(file).items()}
    state.pop(None, None)
    save_file(state, file, metadata={"format": "pt"})


def refuse(folder, message):
    """Assert that a folder is refused."""
    with pytest.raises(ExportError, match=message):
        locate(folder).load(None)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_code_of_a_model_is_never_run(name, vit):
    """A file that asks for code is refused before anything is loaded."""
    edit(vit / name, auto_map={"AutoModel": "own.Own", "AutoImageProcessor": "own.Own"})
    refuse(vit, rf"{name} asks for code .*auto_map")


def test_code_of_a_processor_inside_another_file_is_never_run(vit):
    """The image processor may stand in the configuration of a larger one."""
    inner = {"image_processor": {"auto_map": {"AutoImageProcessor": "own.Own"}}}
    (vit / "processor_config.json").write_text(json.dumps(inner))
    refuse(vit, r"processor_config.json asks for code .*auto_map")


def test_adapters_are_no_models(vit):
    """An adapter is refused whatever its weights are."""
    (vit / "adapter_config.json").write_text("{}")
    (vit / "adapter_model.bin").write_bytes(b"")
    refuse(vit, "holds an adapter")


def test_pickled_weights_are_not_read(vit):
    """Weights of another format than safetensors do not count."""
    (vit / "model.safetensors").rename(vit / "pytorch_model.bin")
    refuse(vit, "holds no model.safetensors; weights are read from safetensors files only")


def test_a_classifier_without_a_pooling_layer_is_whole(vit):
    """What the vector does not depend on may be missing; the licence and the size are kept."""
    (vit / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    candidate = locate(vit).load(None)
    assert candidate.license == "mit"
    assert (candidate.card.space.pooling, candidate.card.space.dim) == ("cls", 32)
    assert candidate.card.space.architecture.startswith("ViTModel/")


@pytest.mark.parametrize("part", ["vit.embeddings.cls_token", "vit.layernorm.bias", "vit."])
def test_random_weights_never_pass(part, vit):
    """A folder that lacks weights the vector depends on is refused."""
    edit_weights(vit, lambda name: None if name.startswith(part) else name)
    refuse(vit, "not complete: .* would be random")


def test_weights_of_another_shape_are_refused(vit):
    """A configuration that does not fit the weights is an error."""
    edit(vit / "config.json", intermediate_size=64)
    refuse(vit, "cannot load")


def test_unknown_architectures_name_the_known_ones(vit):
    """The list of what is supported stands in the message."""
    edit(vit / "config.json", model_type="beit")
    refuse(vit, "of type 'beit'; supported are clip, convnext, .*vit")


def test_images_of_a_size_the_network_does_not_take_are_refused(vit):
    """Processor and network have to agree."""
    save_processor(vit, "CLIP", **CLIP_CROP)
    refuse(vit, "does not take the images of 40 x 40 pixels")


def test_a_longest_text_means_nothing(vit):
    """`max_length` is for texts."""
    with pytest.raises(UsageError, match="takes images"):
        locate(vit).load(16)


def test_a_folder_without_image_processor_says_so(vit):
    """The file that is missing is named."""
    (vit / "preprocessor_config.json").unlink()
    refuse(vit, r"holds no preprocessor_config\.json")


def test_a_folder_is_known_by_its_content(vit, saved):
    """Copies share a cache entry; another preparation makes another."""
    assert locate(vit).slug == locate(saved).slug
    edit(vit / "preprocessor_config.json", resample=3)
    assert locate(vit).slug != locate(saved).slug
