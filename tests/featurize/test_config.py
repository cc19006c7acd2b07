"""Job: options are checked where they are declared."""

import inspect

import pytest

import featurize
from featurize.config import Job, Precision, allowed_rejects
from featurize.errors import UsageError
from featurize.types import Modality


def test_strings_become_choices():
    """A choice may be given as its string."""
    job = Job("a", out="b", modality="text", precision="bf16")
    assert job.modality is Modality.TEXT
    assert job.precision is Precision.BF16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modality": "sound"}, "text, image"),
        ({"precision": "fp8"}, "^precision expects one of auto, fp32, fp16, bf16, int8"),
        ({"device": "gpu"}, "auto, cpu, cuda or cuda:N"),
        ({"rename": ("old",)}, "OLD=NEW"),
        ({"max_rejects": "many"}, "N or a share P%"),
        ({"max_rejects": "-1"}, "N or a share P%"),
        ({"text_column": "a", "image_column": "b"}, "both given"),
        ({"modality": "image", "text_column": "a"}, "contradicts"),
        ({"stuck_after": 0}, "seconds, more than 0"),
        ({"stuck_after": float("nan")}, "seconds, more than 0"),
        ({"stuck_after": float("inf")}, "seconds, more than 0"),
        ({"stuck_after": "60"}, "seconds, more than 0"),
    ],
)
def test_a_wrong_option_is_a_usage_error_naming_the_choices(options, message):
    """A wrong option says what was expected."""
    with pytest.raises(UsageError, match=message):
        Job("a", out="b", **options)


@pytest.mark.parametrize(
    ("limit", "inputs", "allowed"),
    [
        (None, 10, None),
        ("3", 10, 3),
        ("25%", 10, 2),
        ("0%", 10, 0),
        ("100%", 7, 7),
        ("0.5%", 400, 2),
    ],
)
def test_max_rejects_counts_or_shares(limit, inputs, allowed):
    """A bare number is a count, a percentage a share of the inputs, rounded down."""
    assert allowed_rejects(limit, inputs) == allowed


def test_embed_takes_exactly_the_options_of_job():
    """The Python function and the declaration cannot drift apart."""
    taken = inspect.signature(featurize.embed).parameters
    assert taken == inspect.signature(Job).parameters
