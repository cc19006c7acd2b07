"""The sections of a report, in the order in which they are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from downstream.report.baselines.baselines import Rivals, baselines
from downstream.report.curve import curve
from downstream.report.held_out import HeldOut, held_out
from downstream.report.quality.balance import balance
from downstream.report.quality.confusion import confusion
from downstream.report.quality.duplicates import duplicates
from downstream.report.quality.noise import noise
from downstream.report.reliability import calibration
from downstream.report.scores import scores
from downstream.report.study import Study
from downstream.report.transfer import transfer
from downstream.report.transferability import transferability
from featurize.errors import HeadError
from featurize.types import Json


@dataclass(frozen=True, slots=True)
class Material:
    """What sections share: all rows, those that are measured, and what was predicted for them."""

    whole: Study
    study: Study
    held: HeldOut
    rivals: Rivals

    @classmethod
    def of(cls, study: Study) -> Self:
        """Cross-validate the head and the baselines, which takes most of the time.

        Raises HeadError where every class lies in one group, so that none can be held out.
        """
        measured = study.bounded()
        held = held_out(measured)
        if not held.scored.any():
            raise HeadError(
                "Nothing can be measured: all rows of each class belong to one group, which is "
                "never split.",
                fix="Label rows of other groups, or group by another column (--group).",
            )
        return cls(study, measured, held, Rivals.of(measured, held))


SECTIONS: dict[str, Callable[[Material], Json]] = {
    "transfer": lambda made: transfer(made.study, made.held, made.rivals),
    "scores": lambda made: scores(made.study, made.held),
    "baselines": lambda made: baselines(made.study, made.held, made.rivals),
    "curve": lambda made: curve(made.study),
    "calibration": lambda made: calibration(made.study, made.held),
    "confusion": lambda made: confusion(made.study, made.held),
    "transferability": lambda made: transferability(made.study),
    "noise": lambda made: noise(made.study, made.held),
    "duplicates": lambda made: duplicates(made.study, made.held),
    "balance": lambda made: balance(made.whole),
}
