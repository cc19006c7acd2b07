"""Equal and nearly equal rows, planted, and what they do to a split."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from downstream.neighbors.joining import joined
from downstream.report.quality.duplicates import duplicates
from downstream.report.quality.overlap import overlaps
from downstream.report.quality.twins import Twins
from downstream.report.study import Study
from featurize.errors import UsageError
from featurize.storage import sha256_bytes
from featurize.types import Modality

LETTERS = list("abcdefghijklmnopqrstuvwxyz ")


def _texts(rows):
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(LETTERS, 50)) for _ in range(rows)]


@pytest.fixture(scope="module")
def planted(make_table):
    """Make 200 rows of random labels and vectors, and two changed copies of half of them."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(200, 150))
    copies = np.tile(first[:100], (2, 1)) + 0.01 * rng.normal(size=(200, 150))
    labels = [f"class-{number}" for number in rng.integers(2, size=200)]
    texts = _texts(200)
    texts += [text.upper() + "!" for text in texts[:100]] + [f"{text} a" for text in texts[:100]]
    table = make_table(
        np.concatenate([first, copies]).astype(np.float32),
        labels + 2 * labels[:100],
        text=texts,
        split=["train"] * 300 + ["test"] * 100,
    )
    return Study.open(table)


def test_near_duplicates_are_found_and_nothing_else(planted):
    """Every planted copy is joined with its original, by text or, without texts, by vector."""
    for study in (planted, replace(planted, texts=None)):
        group = Twins.of(study).group
        np.testing.assert_array_equal(group[200:], np.tile(group[:100], 2))
        assert len(np.unique(group)) == 200


def test_a_leak_is_named_and_the_score_repeated_without_it(planted):
    """Random labels are learned through their copies only: without them the head can but guess."""
    found = duplicates(planted)
    assert (found["exact_groups"], found["near_groups"]) == (0, 100)
    assert (found["rows"], found["surplus"], found["largest"]) == (300, 200, 3)
    leak = found["leak"]
    assert 240 <= leak["rows"] <= 300  # of each three, most are parted
    assert leak["difference"]["low"] > 0
    json.dumps(found)


def test_the_users_own_split_is_examined(planted):
    """Test rows with a twin in training are counted, and scored again without those twins."""
    split = duplicates(planted)["split"]
    assert (split["train"], split["values"]) == ("train", {"test": 100, "train": 300})
    assert (split["rows"], split["share"]) == (100, 1.0)
    assert split["difference"]["low"] > 0


def test_equal_contents_with_different_labels_conflict(make_table, clustered):
    """Rows of one content and two labels are counted and shown first."""
    vectors, labels = clustered(60)
    contents = [f"{row:064d}" for row in range(60)]
    contents[1], contents[5], contents[8] = contents[0], contents[2], contents[2]
    texts = _texts(60)
    texts[1], texts[5], texts[8] = texts[0], texts[2], texts[2]
    study = Study.open(make_table(vectors, labels, content_sha256=contents, text=texts))
    found = duplicates(study)
    assert (found["exact_groups"], found["rows"], found["surplus"]) == (2, 5, 3)
    assert found["conflicts"] == {"groups": 1, "rows": 2}
    first = found["examples"][0]
    assert first["kind"] == "exact"
    assert first["ids"] == ["row-00000", "row-00001"]
    assert first["labels"] == ["class-0", "class-1"]
    assert first["texts"] == [texts[0], texts[0]]


def test_rows_without_twins_leak_nothing(make_table, clustered):
    """Where all rows differ, nothing is scored again."""
    study = Study.open(make_table(*clustered(60), text=_texts(60)))
    found = duplicates(study)
    assert (found["exact_groups"], found["near_groups"], found["rows"]) == (0, 0, 0)
    assert found["leak"]["rows"] == 0
    assert found["leak"]["score_without"] is None
    assert found["split"] is None
    assert found["examples"] == []


def test_a_column_of_one_value_is_no_split(make_table, clustered):
    """A column named as split is refused unless it parts the rows; one found is passed over."""
    table = make_table(*clustered(60), split=["all"] * 60)
    assert Study.open(table).split is None
    with pytest.raises(UsageError, match="two or more"):
        Study.open(table, split="split")
    with pytest.raises(UsageError, match="no column 'side' for --split"):
        Study.open(table, split="side")


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ("Where is my card?", "where is MY card!!", 1, 1),
        ("Where is my new card?", "Where is my nwe card?", 0.6, 0.9),
        ("Where is my card?", "Please cancel the transfer", 0, 0.2),
        ("我的卡在哪里", "我的卡在哪里?", 1, 1),
        ("?!", "?!", 1, 1),
        ("?!", None, 0, 0.5),
    ],
)
def test_overlap_ignores_case_and_punctuation(one, other, low, high):
    """Texts that differ in signs alone overlap wholly, others as far as their wording does."""
    texts = np.array([one, other], dtype=object)
    (found,) = overlaps(texts, np.array([0]), np.array([1]))
    assert low <= found <= high


def test_groups_are_joined_through_several_steps():
    """Pairs that share a row make one group; numbers are dense."""
    groups = joined(np.array([3, 1, 4, 0, 2, 2]), [(0, 1), (1, 2)])
    np.testing.assert_array_equal(groups[[0, 1, 4]], groups[[2, 2, 5]])
    assert sorted(set(groups.tolist())) == [0, 1, 2]


def test_pictures_tell_copies_from_images_with_like_vectors(make_table, card, tmp_path):
    """With the source at hand, a brighter copy is a twin and another image of near vector none."""
    rng = np.random.default_rng(0)
    names = [f"{row:02d}.png" for row in range(20)]
    shades = rng.integers(0, 200, size=(10, 8, 8)).astype(np.uint8)
    for row, name in enumerate(names):
        brighter = shades[row % 10] + np.uint8(40 * (row >= 10))
        picture = shades[0].T if row == 11 else brighter  # 11 is no copy of 1
        Image.fromarray(picture).resize((96, 96)).save(tmp_path / name)
    vectors = rng.normal(size=(10, 40))
    vectors = np.concatenate([vectors, vectors + 0.3 * rng.normal(size=(10, 40))])
    table = make_table(
        vectors.astype(np.float32),
        ["a", "b"] * 10,
        encoder=replace(card(40), modalities=(Modality.IMAGE,)),
        id=names,
        content_sha256=[sha256_bytes((tmp_path / name).read_bytes()) for name in names],
    )
    study = replace(Study.open(table, source=tmp_path), texts=None)
    group = Twins.of(study).group
    np.testing.assert_array_equal(group[:10] == group[10:], np.arange(10) != 1)
    blind = Twins.of(replace(study, source=None)).group
    np.testing.assert_array_equal(blind[:10], blind[10:])
