"""The seam between a head and its method: what is learned, and what a learned model can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeAlias

from featurize.types import Json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Parts: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a model learns from.

    `X` (n, d) float32 or float64; `y` (n,), the number 0..k-1 of each row's class, none missing;
    `groups` (n,): rows of one group must not be split; `weights` (k,) float64: what a row of each
    class counts, None for one; `seed` decides every draw. The vectors of a `spent` lesson may be
    overwritten by the model that is fitted to them.
    """

    X: NDArray[np.floating]
    y: NDArray[np.intp]
    groups: NDArray[np.intp]
    weights: NDArray[np.float64] | None
    seed: int
    spent: bool = False


class Model(Protocol):
    """A learned model of classes.

    `keeps_rows` says whether it holds rows of the training, so that it cannot outlive their being
    forgotten. What `load` makes of `parts` and `settings` predicts bit for bit what the saved one
    did.
    """

    keeps_rows: ClassVar[bool]

    @property
    def settings(self) -> Json:
        """Return what was chosen in training, for the card."""

    @classmethod
    def fit(cls, lesson: Lesson) -> Self:
        """Choose the settings by cross-validation and learn with them from every row."""

    def refit(self, lesson: Lesson) -> Self:
        """Learn anew, roughly and with the settings of this model, from other rows."""

    def probabilities(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of every class, (n, k) float64, for `X` (n, d)."""

    def parts(self) -> Parts:
        """Return what is saved, by name: arrays, among them the bytes of skops archives."""

    @classmethod
    def load(cls, parts: Parts, settings: Json) -> Self:
        """Take the model out of what was saved; raise ValueError unless it fits together."""
