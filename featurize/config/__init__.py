"""Job, the one declaration of every option of `embed`, and the choices its options have."""

from featurize.config.checks import allowed_rejects, check_device, check_overlap, check_seconds
from featurize.config.choices import (
    LabelFrom,
    Overflow,
    Pool,
    Precision,
    RuntimeName,
    Store,
    choose,
)
from featurize.config.job import Job, option, recalled
from featurize.config.reading import AS_IT_IS, Prompt, Reading

__all__ = [
    "AS_IT_IS",
    "Job",
    "LabelFrom",
    "Overflow",
    "Pool",
    "Precision",
    "Prompt",
    "Reading",
    "RuntimeName",
    "Store",
    "allowed_rejects",
    "check_device",
    "check_overlap",
    "check_seconds",
    "choose",
    "option",
    "recalled",
]
