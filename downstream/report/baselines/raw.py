"""Learners on raw inputs, without the encoder: what a head has to beat."""

from __future__ import annotations

from typing import Protocol

from downstream.report.held_out import Learner
from downstream.report.study import Study
from featurize.types import Modality


class Lacking(Exception):
    """A study lacks what some raw features are made of; the message says what would bring it."""


class Kind(Protocol):
    """A kind of raw data and the names of the baselines on it."""

    names: tuple[str, ...]

    def learners(self, study: Study) -> dict[str, Learner]:
        """Return the baselines by name; raise Lacking where the study has no such raw data."""


def require(study: Study, modality: Modality) -> None:
    """Raise Lacking unless the table was made of such inputs."""
    if modality not in study.data.encoder.modalities:
        raise Lacking(f"The table was not made of {modality}s.")
