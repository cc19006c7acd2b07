"""Tiny models of every supported form."""

import json
import shutil
from itertools import pairwise

import pytest
import tiny_models


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """Return a function that saves a tiny sentence-transformers model with random weights."""
    made = {}

    def make(pooling="mean", dense=(), normalize=True, family="bert", prompts=None):
        key = json.dumps([pooling, dense, normalize, family, prompts])
        if key not in made:
            root = tmp_path_factory.mktemp("models")
            widths = pairwise((tiny_models.WIDTH, *dense))
            following = [tiny_models.dense(*pair) for pair in widths]
            following += [tiny_models.normalize()] * normalize
            transformer = tiny_models.save_transformer(root / "base", family)
            made[key] = tiny_models.save_model(
                root / "tiny", transformer, pooling, following, prompts
            )
        return made[key]

    return make


@pytest.fixture(scope="session")
def tiny_bundle(make_model, tmp_path_factory):
    """Export the plain tiny model."""
    from featurize.export import export

    return export(make_model(), tmp_path_factory.mktemp("exported") / "tiny")


@pytest.fixture(scope="session")
def tiny_candidate(make_model):
    """Load the plain tiny model, up to the point where it is traced."""
    from featurize.export.origin import locate

    return locate(make_model()).load(None)


@pytest.fixture
def copy_model(make_model, tmp_path):
    """Return a function that copies the plain tiny model, and edits one of its JSON files."""

    def copy(file=None, **changes):
        folder = tmp_path / f"copy{len(list(tmp_path.iterdir()))}" / "tiny"
        shutil.copytree(make_model(), folder)
        if file is not None:
            path = folder / file
            data = json.loads(path.read_text()) if path.exists() else {}
            path.write_text(json.dumps({**data, **changes}))
        return folder

    return copy


@pytest.fixture(scope="session")
def tiny_network():
    """Return a small network with the interface of EfficientNet, 16 features deep."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.stem = torch.nn.Conv2d(3, 8, 8, stride=8)
            self.head = torch.nn.Conv2d(8, 16, 4, stride=4)

        def extract_features(self, pixels):
            return torch.relu(self.head(torch.relu(self.stem(pixels))))

    return Network().eval()
