"""Calibrated probabilities: what a model says of rows held out, set right by what they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from downstream.heads.models.choice import log_losses, softmax
from downstream.heads.split import deal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from downstream.heads.models.model import Parts
    from downstream.heads.trust.out_of_fold import HeldOutRows

MIN_ROWS = 50
MIN_ISOTONIC_ROWS = 1_000
MIN_ISOTONIC_ROWS_A_CLASS = 10
FOLDS = 5
COLDEST, HOTTEST = 0.01, 100.0
_SURE = 2.0  # standard errors


class Method(StrEnum):
    """How probabilities are calibrated."""

    AUTO = "auto"
    TEMPERATURE = "temperature"
    ISOTONIC = "isotonic"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Temperature:
    """Log-probabilities divided by one number, which changes no prediction.

    `temperature` () float64: above 1 for a model that is too sure of itself. After Guo et al., "On
    Calibration of Modern Neural Networks", 2017.
    """

    method: ClassVar[Method] = Method.TEMPERATURE

    temperature: NDArray[np.float64]

    @classmethod
    def fit(cls, probabilities: NDArray[np.float64], classes: NDArray[np.intp]) -> Self:
        """Find the temperature of the least log loss on rows held out.

        As in Platt's scaling, the rows count as if one more, of unknown class, were among them:
        where all were right, they stay short of certainty.
        """
        from scipy.optimize import brentq

        logs, count = _logs(probabilities), len(classes)
        of_class = logs[np.arange(count), classes].mean()
        wanted = (count * of_class + logs.mean()) / (count + 1)

        def slope(heat: float) -> float:
            tempered = softmax(logs / np.exp(heat))
            return float(wanted - (tempered * logs).sum(axis=1).mean())

        low, high = np.log(COLDEST), np.log(HOTTEST)
        if slope(low) >= 0 or slope(high) <= 0:  # as sure, or as unsure, as can be
            heat = low if slope(low) >= 0 else high
        else:
            heat = brentq(slope, low, high, xtol=1e-3)
        return cls(np.clip(np.exp(heat), COLDEST, HOTTEST))

    @classmethod
    def load(cls, parts: Parts, _classes: int) -> Self:
        """Take the calibration out of saved arrays; raise ValueError unless they are sound."""
        temperature = np.asarray(parts["temperature"], dtype=np.float64)
        if temperature.shape != () or not COLDEST <= temperature <= HOTTEST:
            raise ValueError(f"the temperature is {temperature}")
        return cls(temperature)

    def parts(self) -> dict[str, NDArray[np.float64]]:
        """Return what is saved, by name."""
        return {"temperature": self.temperature}

    def apply(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return calibrated probabilities, (n, k) float64, whose rows sum to 1."""
        return softmax(_logs(probabilities) / self.temperature)


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A non-decreasing function for each class, whose values are brought to the sum of 1.

    `given`, `meant` (m,): the corners of the piecewise linear functions, class after class; those
    of class c are from `starts` (k + 1,) at c up to c + 1. `kept` () is the share that stays of the
    probability given, so that none is zero and those that became equal keep their order. After
    Zadrozny and Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability
    Estimates", 2002.
    """

    method: ClassVar[Method] = Method.ISOTONIC
    names: ClassVar[tuple[str, ...]] = ("given", "meant", "starts", "kept")

    given: NDArray[np.float64]
    meant: NDArray[np.float64]
    starts: NDArray[np.intp]
    kept: NDArray[np.float64]

    @classmethod
    def fit(cls, probabilities: NDArray[np.float64], classes: NDArray[np.intp]) -> Self:
        """Fit each class's share of the rows held out to its probability."""
        from sklearn.isotonic import IsotonicRegression

        corners = []
        for number, column in enumerate(probabilities.T):
            fitted = IsotonicRegression(out_of_bounds="clip").fit(column, classes == number)
            corners.append((fitted.X_thresholds_, fitted.y_thresholds_))
        given, meant = (
            np.concatenate(each).astype(np.float64) for each in zip(*corners, strict=True)
        )
        starts = np.cumsum([0, *(len(xs) for xs, _ in corners)])
        return cls(given, meant, starts, np.asarray(len(classes) ** -0.5))

    @classmethod
    def load(cls, parts: Parts, classes: int) -> Self:
        """Take the calibration out of saved arrays; raise ValueError unless they fit together."""
        found = cls(*(np.asarray(parts[name]) for name in cls.names))
        corners, starts = found.given.shape, found.starts
        if not (
            found.meant.shape == corners
            and starts.shape == (classes + 1,)
            and (starts[0], *starts[-1:]) == (0, *corners)
            and (np.diff(starts) > 0).all()
        ):
            raise ValueError(f"{corners} corners, {found.meant.shape} values, starts {starts}")
        return found

    def parts(self) -> dict[str, NDArray[np.float64]]:
        """Return what is saved, by name."""
        return {name: getattr(self, name) for name in self.names}

    def apply(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return calibrated probabilities, (n, k) float64, whose rows sum to 1."""
        found = np.empty_like(probabilities)
        for number, column in enumerate(probabilities.T):
            corners = slice(self.starts[number], self.starts[number + 1])
            found[:, number] = np.interp(column, self.given[corners], self.meant[corners])
        mixed = (1 - self.kept) * found + self.kept * probabilities
        return np.asarray(mixed / mixed.sum(axis=1, keepdims=True))


Calibration = Temperature | Isotonic

_KINDS: dict[Method, type[Calibration]] = {kind.method: kind for kind in (Temperature, Isotonic)}


def calibrate(method: Method, held: HeldOutRows, seed: int) -> Calibration | None:
    """Learn a calibration from rows held out; None without a method or without a row.

    `auto` takes what clearly lowers the log loss of rows that it was not fitted to, by two standard
    errors: the temperature, or isotonic functions where they beat it, of 1,000 rows or more and ten
    a class. For a temperature below 1, one standard error is enough: models of the folds know fewer
    labels than the head and are less often right where they are as sure, so that rows held out ask
    for less confidence than is due. Of fewer than 50 rows it takes none.
    """
    if method is Method.AUTO:
        method = _best(held, seed)
    if method is Method.NONE or not len(held):
        return None
    return _KINDS[method].fit(held.probabilities, held.classes)


def calibrate_honestly(
    method: Method, held: HeldOutRows, seed: int
) -> tuple[Calibration | None, HeldOutRows]:
    """Learn a calibration, and return the rows as cross-fitting calibrates them, to measure it."""
    calibration = calibrate(method, held, seed)
    if calibration is None:
        return None, held
    found = cross_fitted(calibration.method, held, seed)
    return calibration, replace(held, probabilities=found)


def cross_fitted(method: Method, held: HeldOutRows, seed: int) -> NDArray[np.float64]:
    """Return probabilities (n, k) of rows held out, calibrated by what the others of them are."""
    found = held.probabilities.copy()
    folds = deal(held.classes, held.groups, FOLDS, seed)
    for number in range(FOLDS):
        rows = folds == number
        if calibration := calibrate(method, held.part(~rows), seed):
            found[rows] = calibration.apply(found[rows])
    return found


def load_calibration(method: str, parts: Parts, classes: int) -> Calibration:
    """Take the calibration of a number of classes out of what was saved.

    Raises KeyError, TypeError or ValueError unless it is sound.
    """
    return _KINDS[Method(method)].load(parts, classes)


def _best(held: HeldOutRows, seed: int) -> Method:
    if len(held) < MIN_ROWS:
        return Method.NONE

    def losses(method: Method) -> NDArray[np.float64]:
        return log_losses(cross_fitted(method, held, seed), held.classes)

    best, least = Method.NONE, log_losses(held.probabilities, held.classes)
    is_warm = Temperature.fit(held.probabilities, held.classes).temperature > 1
    if _falls(least, tempered := losses(Method.TEMPERATURE), _SURE if is_warm else 1.0):
        best, least = Method.TEMPERATURE, tempered
    enough = max(MIN_ISOTONIC_ROWS, MIN_ISOTONIC_ROWS_A_CLASS * held.probabilities.shape[1])
    if len(held) >= enough and _falls(least, losses(Method.ISOTONIC), _SURE):
        best = Method.ISOTONIC
    return best


def _falls(before: NDArray[np.float64], after: NDArray[np.float64], errors: float) -> bool:
    """Say whether losses (n,) fall on average by more than so many standard errors."""
    gain = before - after
    return bool(gain.mean() > errors * gain.std() / np.sqrt(len(gain)))


def _logs(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.clip(probabilities, np.finfo(np.float64).eps, 1.0))
