"""Vectors of two spaces never meet: index, table, queries and encoder, field by field."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from downstream import Searcher, VectorIndex
from featurize import load_encoder
from featurize.bundle import Bundle
from featurize.errors import MismatchError

OTHER = {
    "weights": "x" * 64,
    "preparation": "x" * 64,
    "architecture": "another",
    "pooling": "cls",
    "normalize": False,
    "max_length": 8,
}
WIDTH = {"dim": 16}


def draw(rows, dim=12):
    """Draw vectors."""
    return np.random.default_rng(0).normal(size=(rows, dim)).astype(np.float32)


@pytest.fixture(scope="module", params=["flat", "ivf", "hnsw"])
def index(request, make_table):
    """Index a table in one of the kinds."""
    return VectorIndex.build(make_table(draw(150)), request.param)


@pytest.mark.parametrize("field", [*OTHER, *WIDTH])
def test_a_table_of_another_space_neither_asks_nor_updates(index, make_table, card, field):
    """The field that differs is named, whatever the kind of index."""
    changed = {field: (OTHER | WIDTH)[field]}
    other = make_table(draw(10, changed.get("dim", 12)), encoder=card(**changed))
    for meet in (index.search_table, index.update):
        with pytest.raises(MismatchError, match=f"differ in `{field}`"):
            meet(other)


@pytest.mark.parametrize("field", [*OTHER, *WIDTH])
def test_a_table_made_anew_in_another_space_stops_its_index(make_table, card, tmp_path, field):
    """An opened index and a saved one alike: nothing old is found any more."""
    path = tmp_path / "table"
    index = VectorIndex.build(make_table(draw(150), path=path), "ivf")
    index.save(tmp_path / "index")
    shutil.rmtree(path)
    changed = {field: (OTHER | WIDTH)[field]}
    make_table(draw(150, changed.get("dim", 12)), path=path, encoder=card(**changed))
    for either in (index, VectorIndex.open(tmp_path / "index")):
        for ask in (either.staleness, lambda: either.search(draw(1)), either.update):  # noqa: B023
            with pytest.raises(MismatchError, match=f"differ in `{field}`"):
                ask()


@pytest.mark.parametrize("field", OTHER)
def test_an_encoder_of_another_space_asks_nothing(make_table, tiny_text, field):
    """Named with --encoder, it is refused with the field that differs."""
    vectors = load_encoder(str(tiny_text), device="cpu").encode(["a red fox", "a blue dog"])
    own = Bundle.open(tiny_text).card
    other = replace(own, space=replace(own.space, **{field: OTHER[field]}))
    index = VectorIndex.build(make_table(vectors, encoder=other))
    with pytest.raises(MismatchError, match=f"differ in `{field}`"):
        Searcher(index, encoder=str(tiny_text)).text("a fox")
