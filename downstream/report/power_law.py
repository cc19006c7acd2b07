"""A power law through a learning curve: what more rows would bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_STEEP = 2.0
_LEAST_STEEP = 0.05


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """error(n) = floor + factor * n ** -slope, for n rows to learn from.

    Errors of many learners follow it (Hestness et al., "Deep learning scaling is predictable,
    empirically", arXiv:1712.00409; Viering and Loog, "The shape of learning curves: a review",
    2022). Without the floor forecasts are too hopeful.
    """

    floor: float
    factor: float
    slope: float

    @classmethod
    def fit(
        cls, sizes: NDArray[np.intp], errors: NDArray[np.float64], start: PowerLaw | None = None
    ) -> Self:
        """Fit errors (p,), above 0, at sizes (p,) by least squares of their logarithms.

        A point has the weight of its size, since the law holds for large sizes first. `start` is a
        law like the one to be found, which spares a search from several ones.
        """
        from scipy.optimize import least_squares

        relative, logs = sizes / sizes[-1], np.log(errors)
        weights = np.sqrt(relative)

        def misfit(law: NDArray[np.float64]) -> NDArray[np.float64]:
            found = law[0] + np.exp(law[1]) * relative ** -law[2]
            return np.asarray(weights * (np.log(np.maximum(found, 1e-12)) - logs))

        least, most = [0.0, -20.0, _LEAST_STEEP], [1.0, 1.0, _MOST_STEEP]
        starts = [cls(share * errors[-1], (1 - share) * errors[-1], 0.5) for share in (0, 0.3, 0.6)]
        if start is not None:
            starts = [cls(start.floor, start.factor * sizes[-1] ** -start.slope, start.slope)]
        fits = [
            least_squares(
                misfit,
                np.clip([each.floor, np.log(max(each.factor, 1e-8)), each.slope], least, most),
                bounds=(least, most),
            )
            for each in starts
        ]
        floor, factor, slope = min(fits, key=lambda fit: float(fit.cost)).x
        return cls(float(floor), float(np.exp(factor) * sizes[-1] ** slope), float(slope))

    def error(self, rows: float) -> float:
        """Return the error after learning from that many rows."""
        return float(min(1.0, self.floor + self.factor * rows**-self.slope))

    def rows_for(self, error: float) -> float:
        """Return how many rows bring the error down to `error`; infinity where none do."""
        if error <= self.floor:
            return np.inf
        with np.errstate(over="ignore"):
            return float(np.power((error - self.floor) / self.factor, -1 / self.slope))


def bootstrapped(
    sizes: NDArray[np.intp], errors: NDArray[np.float64], times: int, seed: int
) -> tuple[PowerLaw, list[PowerLaw]]:
    """Return the law of the mean of draws, errors (draws, p), and those of resampled draws.

    Half of the resampled ones are fitted without the smallest size, so that they also differ by
    what is uncertain about the form of the law. Three sizes are the fewest that a law is fitted to.
    """
    rng = np.random.default_rng(seed)
    best = PowerLaw.fit(sizes, errors.mean(axis=0))
    laws = []
    for number in range(times):
        chosen = rng.integers(len(errors), size=len(errors))
        first = number % 2 if len(sizes) > 3 else 0
        laws.append(PowerLaw.fit(sizes[first:], errors[chosen].mean(axis=0)[first:], best))
    return best, laws
