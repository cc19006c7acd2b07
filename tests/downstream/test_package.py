"""The public names, and what importing them costs."""

import subprocess
import sys

import pytest

import downstream

HEAVY = "torch transformers onnxruntime openvino sklearn faiss pandas pyarrow numpy".split()


def test_import_loads_nothing_heavy():
    """Importing the package loads none of the heavy libraries."""
    script = f"import sys, downstream; print([n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_public_names_are_sorted_and_there():
    """Every public name is listed in order and can be imported."""
    assert downstream.__all__ == sorted(downstream.__all__)
    assert dir(downstream) == downstream.__all__
    assert all(getattr(downstream, name).__name__ == name for name in downstream.__all__)


def test_other_names_are_refused():
    """A name that is not public is an AttributeError."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = downstream.nothing


def test_learning_from_a_table_loads_no_encoder():
    """Heads and indexes load neither a runtime nor torch."""
    script = (
        "import sys, downstream.heads, downstream.index;"
        "print([n for n in ('torch', 'onnxruntime', 'openvino', 'featurize.encoder',"
        " 'featurize.catalog') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
