"""The values that pass between the floors."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Json: TypeAlias = dict[str, Any]


class Modality(StrEnum):
    """A kind of raw data, of which an encoder takes one or both."""

    TEXT = "text"
    IMAGE = "image"


Modalities: TypeAlias = tuple[Modality, ...]  # one or both, in the order of their declaration


def read_modalities(stated: str) -> Modalities:
    """Read `text`, `image` or `text+image`; raise ValueError for anything else."""
    found = tuple(map(Modality, stated.split("+")))
    if list(found) != sorted(set(found), key=list(Modality).index):
        raise ValueError(f"{stated!r} is none of text, image and text+image")
    return found


def kinds(modalities: Modalities) -> str:
    """Return modalities as people say them: `texts and images`."""
    return " and ".join(f"{name}s" for name in modalities)


class RejectReason(StrEnum):
    """Why an input did not become a row. The list is closed."""

    UNREADABLE = "unreadable"
    BAD_NAME = "bad_name"
    OUTSIDE_ROOT = "outside_root"
    UNSUPPORTED = "unsupported"
    UNDECODABLE = "undecodable"
    TOO_LARGE = "too_large"
    BAD_UTF8 = "bad_utf8"
    BAD_ROW = "bad_row"
    MISSING_VALUE = "missing_value"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    DUPLICATE_ID = "duplicate_id"
    NONFINITE = "nonfinite"
    ZERO_VECTOR = "zero_vector"


@dataclass(frozen=True, slots=True)
class Sample:
    """One prepared input.

    `features` are the arrays of one row, without a batch axis. Samples of equal `cost` have
    features of equal shape where they are of one kind: tokens for a text, 1 for an image, which
    costs as many tokens where there are both. `columns` are the values of the
    columns which the processor adds to the table.
    """

    features: dict[str, NDArray[np.generic]]
    cost: int
    columns: dict[str, str | int | bool]

    @property
    def kind(self) -> tuple[str, ...]:
        """Return the names of the features, which tell of two towers the one that takes them."""
        return tuple(self.features)


@dataclass(frozen=True, slots=True)
class Piece:
    """What becomes one row: a whole content, or a window of a text.

    `samples` has one sample, or one for each window of a text whose vectors become one. `window` is
    the text of a window, None for a whole content; `columns` are those of the row.
    """

    samples: tuple[Sample, ...]
    columns: dict[str, str | int | bool]
    window: str | None = None

    @classmethod
    def whole(cls, sample: Sample) -> Self:
        """Return the one piece of a content that has one sample."""
        return cls((sample,), sample.columns)


@dataclass(frozen=True, slots=True)
class Reject:
    """One input that did not become a row."""

    id: str
    source: str
    reason: RejectReason
    detail: str
    content_sha256: str | None = None


class Verdict(StrEnum):
    """What a problem makes of the whole: damaged, unknown, behind its table, or yet to be."""

    BROKEN = "broken"
    UNREADABLE = "not readable"
    OUTDATED = "outdated"
    UNCOMMITTED = "no commit yet"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the file or item, what was expected and found, what to do."""

    item: str
    detail: str
    fix: str = ""
    verdict: Verdict = Verdict.BROKEN


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come: `done` of `total` inputs in the named stage."""

    stage: str
    done: int
    total: int | None


class Reporter(Protocol):
    """Hears what a run has to say while it works, on the thread that called for the run."""

    def say(self, text: str) -> None:
        """Take one sentence for the user."""

    def progress(self, progress: Progress) -> None:
        """Take how far the run has come."""


class Silent:
    """A reporter that says nothing."""

    def say(self, text: str) -> None:
        """Pass over it."""

    def progress(self, progress: Progress) -> None:
        """Pass over it."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What one `embed` run did.

    `inputs` counts distinct inputs, `rows = embedded + updated + unchanged` the rows of the table,
    `encoded` the contents that were sent to the model. `inputs = rows + rejected`, where a text has
    one row; with a row for each of its windows, those of one text count once. Beside them,
    `kept_out` counts what the source holds under ids that were forgotten for good, `commits` what
    the run committed: 0 where nothing had changed. `stages` are busy seconds, summed over threads;
    `bottleneck` is the stage that held up the run longest.
    """

    table: str
    version: int
    encoder: str
    fingerprint: str
    inputs: int
    rows: int
    embedded: int
    updated: int
    unchanged: int
    deleted: int
    rejected: int
    ignored: int
    encoded: int
    seconds: float
    truncated: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    ignored_kinds: dict[str, int] = field(default_factory=dict)
    runtime: str = ""
    device: str = ""
    precision: str = ""
    notes: tuple[str, ...] = ()
    kept_out: int = 0
    commits: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    bottleneck: str = ""

    @property
    def path(self) -> Path:
        """Return the folder of the table."""
        return Path(self.table)
