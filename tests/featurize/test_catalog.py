"""Names become bundles: opened where they are, or from the cache."""

import shutil
from dataclasses import replace

import pytest

from featurize.bundle import Bundle
from featurize.cache import cache_folder
from featurize.catalog import BUILT_IN, DEFAULT, find_equal, resolve
from featurize.errors import BundleError, UsageError
from featurize.types import Modality


@pytest.fixture
def cached(cache, tiny_text):
    """Put a bundle into the cache under a built-in name, so that nothing is exported."""
    shutil.copytree(tiny_text, cache / "bundles" / "minilm")
    return cache / "bundles" / "minilm"


def test_each_modality_has_a_default():
    """The defaults are the built-ins."""
    assert DEFAULT == {Modality.TEXT: "minilm", Modality.IMAGE: "efficientnet-lite0"}
    assert set(DEFAULT.values()) == set(BUILT_IN)


def test_the_cache_follows_the_environment(monkeypatch, tmp_path):
    """FEATURIZE_CACHE comes first, then the XDG cache, then the home folder; read when asked."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FEATURIZE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "featurize"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "featurize"
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def test_a_bundle_folder_is_opened_where_it_is(tiny_text, cache):
    """A bundle's path needs no cache."""
    assert resolve(str(tiny_text)).path == tiny_text
    assert not cache.exists()


def test_a_cached_encoder_is_opened_in_silence(cached):
    """The second use of a name opens the bundle, without torch, and says nothing."""
    lines = []
    assert resolve("minilm", say=lines.append).path == cached
    assert lines == []


@pytest.mark.parametrize("name", ["unheard-of", "", "./missing", "a/b/c", "graph.onnx"])
def test_an_unknown_name_says_what_is_expected(name, cache):
    """A name that means nothing lists what would."""
    with pytest.raises(UsageError) as caught:
        resolve(name)
    assert "minilm" in caught.value.fix or "encoder bundle" in str(caught.value)
    assert not cache.exists()


def test_a_damaged_cached_bundle_is_named_with_its_fix(cached):
    """A changed file is never exported over in silence."""
    with (cached / "tokenizer.json").open("ab") as file:
        file.write(b" ")
    with pytest.raises(BundleError, match=r"tokenizer\.json") as caught:
        resolve("minilm")
    assert f"Remove {cached}" in caught.value.fix


def test_a_bundle_is_found_by_its_vector_space(cached, cache):
    """A fingerprint finds its bundle; damaged neighbours and unfinished ones are passed over."""
    card = Bundle.peek(cached).card
    (cache / "bundles" / "broken").mkdir()
    (cache / "bundles" / "broken" / "encoder.json").write_text("{")
    assert find_equal(card).path == cached
    other = replace(card, space=replace(card.space, pooling="cls"))
    assert find_equal(other) is None
    cached.rename(cached.with_name(f".minilm.{'0' * 32}"))
    assert find_equal(card) is None
