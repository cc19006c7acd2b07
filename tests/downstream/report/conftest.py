"""Studies of small generated tables."""

import numpy as np
import pytest

from downstream.report.study import Study


@pytest.fixture(scope="session")
def blind(make_table):
    """Return a function that makes a study of texts whose vectors know nothing of the labels."""

    def make(rows, texts, labels, seed=0):
        vectors = np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)
        return Study.open(make_table(vectors, labels, text=texts), seed=seed)

    return make


@pytest.fixture(scope="session")
def photos(tmp_path_factory, make_table, card):
    """Return a function that makes a study of 60 coloured images and its source."""
    from dataclasses import replace

    from PIL import Image

    from featurize.storage import sha256_file
    from featurize.types import Modality

    def make(vectors, labels, seed=0):
        folder = tmp_path_factory.mktemp("photos")
        rng = np.random.default_rng(seed)
        names = [f"photo-{number:03}.png" for number in range(len(labels))]
        for name, label in zip(names, labels, strict=True):
            level = 60 + 60 * int(label[-1])
            pixels = rng.normal(level, 30, size=(20, 30, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name)
        encoder = replace(card(vectors.shape[1]), modalities=(Modality.IMAGE,))
        contents = [sha256_file(folder / name) for name in names]
        table = make_table(vectors, labels, encoder=encoder, id=names, content_sha256=contents)
        return Study.open(table, source=folder), folder

    return make
