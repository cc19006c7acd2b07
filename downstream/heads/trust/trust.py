"""How far a head is to be believed: calibration, abstention and scope."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from downstream.heads.models.model import Lesson, Model
from downstream.heads.trust.abstention import Abstention
from downstream.heads.trust.calibration import (
    Calibration,
    Method,
    calibrate_honestly,
    load_calibration,
)
from downstream.heads.trust.out_of_fold import MAX_ROWS, HeldOutRows, Sample, out_of_fold
from downstream.heads.trust.reliability import expected_calibration_error
from downstream.heads.trust.scope import Scope
from featurize.errors import UsageError
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from downstream.heads.models.model import Parts

ENOUGH_ROWS = 5_000
_CALIBRATION, _SCOPE = "calibration_", "scope_"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a head beside classes: see `Head`."""

    calibrate: str
    min_precision: float | None
    scope: bool

    def __post_init__(self) -> None:
        """Raise UsageError where it cannot be had."""
        if self.calibrate not in list(Method):
            raise UsageError(
                f"There is no calibration {self.calibrate!r}.",
                fix=f"Choose one of: {', '.join(Method)}.",
            )
        if self.min_precision is not None and not 0 < self.min_precision < 1:
            raise UsageError(
                f"A precision of {self.min_precision:g} cannot be promised.",
                fix="Choose --min-precision between 0 and 1, such as 0.95.",
            )

    @property
    def method(self) -> Method:
        """Return how to calibrate."""
        return Method(self.calibrate)

    def abstention(self, held: HeldOutRows) -> Abstention | None:
        """Choose the threshold, if a precision is asked for."""
        if self.min_precision is None:
            return None
        confidence = held.probabilities.max(axis=1)
        correct = held.probabilities.argmax(axis=1) == held.classes
        return Abstention.choose(confidence, correct, self.min_precision)


@dataclass(frozen=True, slots=True)
class Trust:
    """What a head adds to the probabilities of its model.

    `measured` says how the calibration did on rows held out: `method`, `rows` and
    `expected_calibration_error` before and after it.
    """

    calibration: Calibration | None = None
    abstention: Abstention | None = None
    scope: Scope | None = None
    measured: Json | None = None

    @classmethod
    def learn(cls, kind: type[Model], lesson: Lesson, wanted: Wanted) -> tuple[Model, Self]:
        """Learn a model, and this from rows held out.

        Raises HeadError where no threshold is precise enough.
        """
        scope = Scope.learn(lesson.X, lesson.y, lesson.seed) if wanted.scope else None
        if wanted.method is Method.NONE and wanted.min_precision is None:
            return kind.fit(lesson), cls(scope=scope)
        enough = ENOUGH_ROWS if wanted.min_precision is None else MAX_ROWS
        sample = Sample.of(lesson)  # before the model, which may overwrite what is spent
        model = kind.fit(lesson)
        held = out_of_fold(model, sample, enough)
        method = wanted.method
        if method is Method.AUTO and lesson.weights is not None:
            method = Method.TEMPERATURE  # isotonic functions would undo the weights of the classes
        calibration, honest = calibrate_honestly(method, held, lesson.seed)
        measured = None if calibration is None else _measured(calibration, held, honest)
        return model, cls(calibration, wanted.abstention(honest), scope, measured)

    @classmethod
    def load(cls, facts: Json, parts: Parts, shape: tuple[int, int]) -> Self:
        """Take it out of a card and of saved arrays; raise KeyError, TypeError or ValueError else.

        Heads of earlier versions have none of it.
        """
        calibration, abstention = facts.get("calibration"), facts.get("abstention")
        return cls(
            load_calibration(calibration["method"], _parts(parts, _CALIBRATION), shape[0])
            if calibration
            else None,
            Abstention(**abstention) if abstention else None,
            Scope.load(_parts(parts, _SCOPE), shape) if facts.get("scope") else None,
            calibration,
        )

    @property
    def min_precision(self) -> float | None:
        """Return the precision that was asked for."""
        return None if self.abstention is None else self.abstention.min_precision

    @property
    def keeps_rows(self) -> bool:
        """Return whether rows of the training are in it."""
        return self.scope is not None

    def parts(self) -> dict[str, NDArray[Any]]:
        """Return what is saved, by name."""
        calibration = {} if self.calibration is None else self.calibration.parts()
        scope = {} if self.scope is None else self.scope.parts()
        return {_CALIBRATION + name: array for name, array in calibration.items()} | {
            _SCOPE + name: array for name, array in scope.items()
        }

    def to_json(self) -> Json:
        """Return the facts for the card: calibration, abstention and scope, None each if absent."""
        return {
            "calibration": self.measured,
            "abstention": None if self.abstention is None else asdict(self.abstention),
            "scope": None if self.scope is None else {"rows": len(self.scope.rows)},
        }

    def calibrated(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities (n, k) of the model, calibrated if there is a calibration."""
        return probabilities if self.calibration is None else self.calibration.apply(probabilities)

    def answers(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which rows of calibrated probabilities (n, k) are sure enough to answer, (n,)."""
        if self.abstention is None:
            return np.ones(len(probabilities), dtype=bool)
        return self.abstention.answers(probabilities)


def _measured(calibration: Calibration, held: HeldOutRows, honest: HeldOutRows) -> Json:
    """Return how the calibration did on rows that it was not fitted to."""
    before, after = (
        expected_calibration_error(rows.probabilities, rows.classes) for rows in (held, honest)
    )
    return {
        "method": calibration.method.value,
        "rows": len(held),
        "expected_calibration_error": {"before": before, "after": after},
    }


def _parts(parts: Parts, prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): parts[name] for name in parts if name.startswith(prefix)}
