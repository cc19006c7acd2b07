"""The sections of a report, in the order in which they are measured."""

from __future__ import annotations

from collections.abc import Callable

from downstream.report.held_out import HeldOut
from downstream.report.study import Study
from featurize.types import Json

SECTIONS: dict[str, Callable[[Study, HeldOut], Json]] = {}
