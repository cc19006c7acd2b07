"""What the labels can be learned from without the encoder, on the folds of the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from downstream.report.baselines.raw import Kind, Lacking
from downstream.report.baselines.raw_images import Images
from downstream.report.baselines.raw_texts import Texts
from downstream.report.held_out import HeldOut, Learner, cross_validated
from downstream.report.scores import Events
from downstream.report.study import Study
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAJORITY = "majority"
KINDS: tuple[Kind, ...] = (Texts(), Images())


@dataclass(frozen=True, slots=True)
class Rivals:
    """Held-out predictions of the baselines by name, and why others were `skipped`.

    Only `majority` knows nothing of the inputs; the others are made of raw features.
    """

    predictions: dict[str, HeldOut]
    skipped: dict[str, str]

    @classmethod
    def of(cls, study: Study, held_out: HeldOut, kinds: tuple[Kind, ...] = KINDS) -> Self:
        """Cross-validate every baseline that the study has the raw data for."""
        learners: dict[str, Learner] = {MAJORITY: _majority(study)}
        skipped: dict[str, str] = {}
        for kind in kinds:
            try:
                learners |= kind.learners(study)
            except Lacking as lacking:
                skipped |= dict.fromkeys(kind.names, str(lacking))
        return cls(
            {
                name: cross_validated(study, held_out.folds, learner)
                for name, learner in learners.items()
            },
            skipped,
        )


def baselines(study: Study, held_out: HeldOut, rivals: Rivals | None = None) -> Json:
    """Return the scores of every baseline as intervals, and why some were skipped.

    `majority` gives each class its share of the training; `tfidf`, `colours` and `pixels` are
    logistic regressions on raw features. `rivals` are their predictions, where there are any yet.
    """
    rivals = rivals or Rivals.of(study, held_out)
    found = {name: Events.of(study, held).overall() for name, held in rivals.predictions.items()}
    return found | {name: {"skipped": why} for name, why in rivals.skipped.items()}


def _majority(study: Study) -> Learner:
    def learn(train: NDArray[np.intp], test: NDArray[np.intp]) -> NDArray[np.float64]:
        shares = np.bincount(study.classes[train], minlength=len(study.names)) / len(train)
        return np.tile(shares, (len(test), 1))

    return learn
