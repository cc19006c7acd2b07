"""The nearest neighbours in the training, whose classes vote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from downstream.heads import archive
from downstream.heads.models.choice import Search, choose
from downstream.heads.models.model import Lesson
from downstream.heads.models.scaling import Scaling
from downstream.heads.models.threads import limited
from downstream.heads.unsound import reading
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from downstream.heads.models.model import Parts

_ARCHIVE = "model.skops"
_NEAR = 1e-12


@dataclass(frozen=True, slots=True)
class Neighbors:
    """The k nearest of the rows of a training, standardised, and how much each one counts.

    `rows` is scikit-learn's NearestNeighbors over them (n, d), by brute force, so that they are
    exact. The votes are the inverse distances; they sum to one.
    """

    scaling: Scaling
    rows: Any

    @classmethod
    def fit(cls, X: NDArray[np.floating], k: int) -> Self:
        """Keep the rows (n, d)."""
        from sklearn.neighbors import NearestNeighbors

        scaling = Scaling.fit(X)
        k = min(k, len(X))
        rows = NearestNeighbors(n_neighbors=k, algorithm="brute")
        return cls(scaling, rows.fit(scaling.apply(X).astype(np.float32)))

    def votes(self, X: NDArray[np.floating]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the numbers of the nearest rows (m, k) and what each counts (m, k)."""
        if not len(X):
            k = self.rows.n_neighbors
            return np.empty((0, k), dtype=np.intp), np.empty((0, k))
        with limited(X.size * self.rows.n_samples_fit_):
            far, near = self.rows.kneighbors(self.scaling.apply(X).astype(np.float32))
        weights = 1.0 / np.maximum(far.astype(np.float64), _NEAR)
        return near, weights / weights.sum(axis=1, keepdims=True)

    def parts(self) -> dict[str, NDArray[Any]]:
        """Return what is saved."""
        return {
            "mean": self.scaling.mean,
            "scale": self.scaling.scale,
            _ARCHIVE: archive.dump(self.rows),
        }

    @classmethod
    def load(cls, parts: Parts) -> Self:
        """Take the rows out of what was saved; raise ValueError unless it fits together."""
        from sklearn.neighbors import NearestNeighbors

        mean, scale = (np.asarray(parts[name], dtype=np.float64) for name in ("mean", "scale"))
        with reading(_ARCHIVE):
            rows = archive.load(parts[_ARCHIVE], NearestNeighbors)
            X = np.asarray(getattr(rows, "_fit_X", None))
            if X.dtype != np.float32 or not X.shape[1:] == mean.shape == scale.shape:
                raise ValueError("the rows of a knn model do not fit its dimensions")
            k = rows.n_neighbors
            if not isinstance(k, int) or not 1 <= k <= len(X):
                raise ValueError(f"a knn model of {len(X)} rows asks for {k!r} neighbours")
        anew = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(X)  # rows alone are taken
        return cls(Scaling(mean, scale), anew)


@dataclass(frozen=True, slots=True)
class KnnModel:
    """Classes by the votes of the nearest neighbours, and of one more that votes for each alike.

    `numbers` (n,) are the classes of the rows; `weights` (k,) what a vote for a class counts.
    """

    keeps_rows: ClassVar[bool] = True
    search: ClassVar[Search] = Search((3.0, 5.0, 10.0, 20.0), default=5.0)

    neighbors: Neighbors
    numbers: NDArray[np.intp]
    weights: NDArray[np.float64]

    @property
    def settings(self) -> Json:
        """Return what was chosen in training."""
        return {"neighbors": int(self.neighbors.rows.n_neighbors)}

    @classmethod
    def fit(cls, lesson: Lesson) -> Self:
        """Choose the number of neighbours and keep the rows."""
        return cls._at(lesson, choose(lesson, cls.search, cls._held_out).setting)

    def refit(self, lesson: Lesson) -> Self:
        """Keep other rows, with the same number of neighbours."""
        return self._at(lesson, self.neighbors.rows.n_neighbors)

    @classmethod
    def _at(cls, lesson: Lesson, k: float) -> Self:
        weights = np.ones(1 + int(lesson.y.max())) if lesson.weights is None else lesson.weights
        return cls(Neighbors.fit(lesson.X, int(k)), lesson.y, weights)

    @classmethod
    def _held_out(cls, lesson: Lesson, k: float, X: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.log(cls._at(lesson, k).probabilities(X))

    def probabilities(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of every class, (n, k) float64, for `X` (n, d)."""
        near, votes = self.neighbors.votes(X)
        k, classes = near.shape[1], len(self.weights)
        shares = np.full((len(near), classes), 1.0 / (classes * (k + 1)))
        row = np.arange(len(near))
        for place in range(k):
            shares[row, self.numbers[near[:, place]]] += votes[:, place] * k / (k + 1)
        shares *= self.weights
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def parts(self) -> Parts:
        """Return what is saved, by name."""
        return self.neighbors.parts() | {"numbers": self.numbers, "weights": self.weights}

    @classmethod
    def load(cls, parts: Parts, _settings: Json) -> Self:
        """Take the model out of what was saved; raise ValueError unless it fits together."""
        neighbors = Neighbors.load(parts)
        numbers, weights = parts["numbers"], np.asarray(parts["weights"], dtype=np.float64)
        if numbers.shape != (neighbors.rows.n_samples_fit_,) or numbers.dtype.kind != "i":
            raise ValueError("a knn model has a class for each row")
        if weights.ndim != 1 or numbers.min() < 0 or numbers.max() >= len(weights):
            raise ValueError("a knn model has other classes than its rows")
        return cls(neighbors, numbers, weights)
