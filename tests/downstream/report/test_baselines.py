"""Baselines on raw features, on the folds of the head."""

import json
import tracemalloc

import numpy as np
import pytest

from downstream.report.baselines import raw_images
from downstream.report.baselines.baselines import Rivals, baselines
from downstream.report.held_out import held_out
from downstream.report.images import small_images
from downstream.report.study import Study
from downstream.report.transfer import transfer

WORDS = "card lost pin payment top up refund cash account transfer money bank app".split()


def sentences(rows, rng):
    """Draw random sentences."""
    return [" ".join(rng.choice(WORDS, 8)) for _ in range(rows)]


def measured(study):
    """Return the baselines and the verdict of a study."""
    held = held_out(study, repeats=2)
    rivals = Rivals.of(study, held)
    return baselines(study, held, rivals), transfer(study, held, rivals)


@pytest.mark.parametrize("kind", ["case", "digit"])
def test_letter_case_and_digits_are_seen(blind, kind):
    """Labels that only letter case, or one digit of a number, decides are learned from texts."""
    rng = np.random.default_rng(1)
    texts, flags = sentences(240, rng), rng.integers(2, size=240)
    if kind == "case":
        texts = [text.title() if flag else text for text, flag in zip(texts, flags, strict=True)]
    else:
        numbers = rng.integers(1000, 9999, 240) // 2 * 2 + flags
        texts = [f"{text} order {number}" for text, number in zip(texts, numbers, strict=True)]
    found, verdict = measured(blind(240, texts, [f"class-{flag}" for flag in flags]))
    assert found["tfidf"]["accuracy"]["mean"] > 0.9
    assert verdict["verdict"] == "negative"
    assert verdict["rival"] == "tfidf"
    assert verdict["p_value"] <= verdict["alpha"] == 0.01
    assert verdict["difference"]["high"] < 0


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1)])
def test_labels_at_random_are_neutral(blind, shares):
    """Nothing is said against the vectors where nothing can be learned, however rare a class is."""
    rng = np.random.default_rng(2)
    labels = rng.choice(["class-0", "class-1"], 200, p=shares)
    found, verdict = measured(blind(200, sentences(200, rng), labels))
    assert verdict["verdict"] == "neutral"
    assert found["majority"]["balanced_accuracy"]["mean"] == 0.5
    assert "no difference" in verdict["why"]


def test_vectors_that_know_more_are_positive(table):
    """Where the texts say nothing of the labels and the vectors do, the transfer is positive."""
    found, verdict = measured(Study.open(table))
    assert verdict["verdict"] == "positive"
    assert verdict["difference"]["low"] > 0
    assert set(verdict["rivals"]) == {"majority", "tfidf"}
    assert found["colours"] == {"skipped": "The table was not made of images."}
    json.dumps([found, verdict])


def test_images_are_learned_from_their_files(photos):
    """Colour histograms and pixels are learned from the source, where vectors know nothing."""
    labels = [f"class-{number % 3}" for number in range(60)]
    noise = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    found, verdict = measured(photos(noise, labels)[0])
    assert found["colours"]["accuracy"]["mean"] > 0.9
    assert found["pixels"]["accuracy"]["mean"] > 0.9
    assert verdict["verdict"] == "negative"
    assert "skipped" in found["tfidf"]


def stacked(study, folder):
    """Return colours and pixels by their definitions, from a stack of all images at once."""
    images = np.stack(list(small_images(study, folder)))
    known = ~np.isnan(images).any(axis=(1, 2, 3))
    images[~known] = images[known].mean(axis=0)
    steps = np.clip(images * 8, 0, 7).astype(np.intp)
    cells = (steps @ np.array([64, 8, 1])).reshape(len(images), -1)
    counts = np.stack([np.bincount(row, minlength=512) for row in cells])
    blocks = images.reshape(len(images), 32, 2, 32, 2, 3)
    half = blocks.mean(axis=(2, 4)).reshape(len(images), -1)
    return np.sqrt(counts / cells.shape[1]).astype(np.float32), half


def test_features_of_images_need_no_stack_of_them(photos, clustered, monkeypatch):
    """Image by image the features are those of a stack, bit for bit, in a fraction of its memory.

    Lost images included: they are the mean of the others.
    """
    taken = []
    monkeypatch.setattr(raw_images, "head_learner", lambda _, features: taken.append(features))
    study, folder = photos(*clustered(300))
    for name in sorted(path.name for path in folder.iterdir())[7:10]:
        (folder / name).unlink()
    tracemalloc.start()
    raw_images.Images().learners(study)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    expected = stacked(study, folder)
    for found, wanted in zip(taken, expected, strict=True):
        assert found.dtype == wanted.dtype == np.float32
        np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))
    assert peak < 1.5 * sum(features.nbytes for features in expected)


def test_files_that_changed_are_not_used(photos, clustered):
    """Of few changed files the rest is used; of many the baselines are skipped, and say so."""
    vectors, labels = clustered(60)
    study, folder = photos(vectors, labels)
    names = sorted(path.name for path in folder.iterdir())
    (folder / names[0]).write_bytes((folder / names[1]).read_bytes())
    (folder / names[2]).unlink()
    assert "accuracy" in baselines(study, held_out(study, repeats=1))["colours"]
    for name in names[3:9]:
        (folder / name).write_bytes(b"damaged")
    skipped = baselines(study, held_out(study, repeats=1))["colours"]["skipped"]
    assert "8 of 60 files" in skipped


@pytest.mark.parametrize("kind", ["rows", "archive", "other"])
def test_images_that_are_no_files_of_a_folder_are_told_as_such(
    photos, clustered, make_table, tmp_path, kind
):
    """Rows of tables, members of archives and another folder: raw images come from folders only."""
    vectors, labels = clustered(60)
    study, folder = photos(vectors, labels)
    source = {"rows": folder / "in.csv", "archive": folder, "other": tmp_path}[kind]
    if kind == "rows":
        source.touch()
    name = {"rows": "in.csv#{}", "archive": "in.tar/photo-{:03}.png", "other": "photo-{:03}.png"}
    ids = [name[kind].format(number) for number in range(60)]
    table = make_table(vectors, labels, encoder=study.data.encoder, id=ids)
    found = baselines(Study.open(table, source=source), held_out(study, repeats=1))
    for skipped in (found["colours"]["skipped"], found["pixels"]["skipped"]):
        assert "Raw images are read from folders only" in skipped
        assert "not there" not in skipped


def test_without_texts_or_source_the_baselines_say_what_they_lack(make_table, clustered, photos):
    """A table without texts, and images without a source, leave the majority alone."""
    from dataclasses import replace

    study = replace(Study.open(make_table(*clustered(60))), texts=None)
    found, verdict = measured(study)
    assert "--no-text" in found["tfidf"]["skipped"]
    assert verdict["verdict"] == "positive"
    assert "no raw data" in verdict["why"]
    images = replace(photos(*clustered(60))[0], source=None)
    assert "--source" in measured(images)[0]["pixels"]["skipped"]
