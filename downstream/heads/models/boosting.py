"""Gradient boosted trees over histograms."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from downstream.heads import archive
from downstream.heads.models.model import Lesson
from downstream.heads.models.scaling import Scaling
from downstream.heads.models.threads import limited
from downstream.heads.split import splits
from downstream.heads.unsound import reading
from featurize.errors import HeadError
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from downstream.heads.models.model import Parts

_ARCHIVE = "model.skops"
MAX_ROUNDS = 100
PATIENCE = 5
LOOKED_AT = 40
FOLDS = 5
DEFAULT_ROUNDS = 20
MAX_WORK = 500_000_000


@dataclass(frozen=True, slots=True)
class Trees:
    """A histogram gradient boosting of scikit-learn over scaled vectors.

    Each split looks at 40 of the dimensions, or at a tenth of many, to save time.
    The number of rounds is that at which the loss on a held-out fold stops falling.
    """

    scaling: Scaling
    trees: Any

    @property
    def settings(self) -> Json:
        """Return what was chosen in training."""
        return {"rounds": int(self.trees.n_iter_)}

    @classmethod
    def fit(
        cls, kind: type[Any], lesson: Lesson, target: NDArray[Any], rounds: int | None = None
    ) -> Self:
        """Learn `target` (n,), classes or numbers, with an estimator of a kind.

        The number of `rounds` is chosen where it is None.
        """
        scaling = Scaling.fit(lesson.X)
        X = scaling.apply(lesson.X)
        weights = None if lesson.weights is None else lesson.weights[lesson.y]
        with limited(X.size * MAX_ROUNDS):
            rounds = rounds or _rounds(kind, X, target, weights, lesson)
            trees = _trees(kind, rounds, X.shape[1], lesson.seed).fit(
                X, target, sample_weight=weights
            )
        vars(trees).pop("_feature_subsample_rng", None)  # training is over, and no file needs one
        return cls(scaling, trees)

    def threads(self, rows: int) -> AbstractContextManager[Any]:
        """Hold threads to what answering so many rows is worth."""
        return limited(rows * self.trees.n_iter_ * self.trees.n_trees_per_iteration_)

    def parts(self) -> Parts:
        """Return what is saved."""
        scaling = self.scaling
        return {
            "mean": scaling.mean,
            "scale": scaling.scale,
            _ARCHIVE: archive.dump(self.trees),
        }

    @classmethod
    def load(cls, kind: type[Any], parts: Parts) -> Self:
        """Take the trees out of what was saved; raise ValueError unless they fit together."""
        mean, scale = (np.asarray(parts[name], dtype=np.float64) for name in ("mean", "scale"))
        if mean.ndim != 1 or scale.shape != mean.shape:
            raise ValueError(f"{mean.shape} means and {scale.shape} scales")
        with reading(_ARCHIVE):
            trees = archive.load(parts[_ARCHIVE], kind)
            _require_sound(trees, len(mean))
        return cls(Scaling(mean, scale), trees)


@dataclass(frozen=True, slots=True)
class BoostingModel:
    """Classes by scikit-learn's HistGradientBoostingClassifier."""

    keeps_rows: ClassVar[bool] = False

    trees: Trees

    @property
    def settings(self) -> Json:
        """Return what was chosen in training."""
        return self.trees.settings

    @classmethod
    def fit(cls, lesson: Lesson) -> Self:
        """Choose the number of rounds and learn with it."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        _require_time(lesson)
        return cls(Trees.fit(HistGradientBoostingClassifier, lesson, lesson.y))

    def refit(self, lesson: Lesson) -> Self:
        """Learn anew, with as many rounds, from other rows."""
        trees = self.trees.trees
        return type(self)(Trees.fit(type(trees), lesson, lesson.y, int(trees.n_iter_)))

    def probabilities(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of every class, (n, k) float64, for `X` (n, d)."""
        if not len(X):
            return np.empty((0, len(self.trees.trees.classes_)))
        trees = self.trees.trees
        with self.trees.threads(len(X)):
            found = trees.predict_proba(self.trees.scaling.apply(X))
        return np.asarray(found, dtype=np.float64)

    def parts(self) -> Parts:
        """Return what is saved, by name."""
        return self.trees.parts()

    @classmethod
    def load(cls, parts: Parts, _settings: Json) -> Self:
        """Take the model out of what was saved; raise ValueError unless it fits together."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        return cls(Trees.load(HistGradientBoostingClassifier, parts))


def _require_time(lesson: Lesson) -> None:
    """Raise HeadError where learning would take hours.

    Each tree, one a class and round, takes about 2 µs of a core for every row, and a head is
    learned some ten times: on a hold-out, for its calibration, and from all rows.
    """
    rows, classes = len(lesson.y), 1 + int(lesson.y.max())
    trees = 1 if classes == 2 else classes
    if rows * trees * MAX_ROUNDS > MAX_WORK:
        raise HeadError(
            f"{rows:,} rows in {classes:,} classes are too many for boosting: with a tree for each "
            f"class and round it would take hours; rows x classes may be "
            f"{MAX_WORK // MAX_ROUNDS:,}.",
            fix="Use --model logistic, or merge rare classes.",
        )


def _trees(kind: type[Any], rounds: int, dim: int, seed: int, patience: int | None = None) -> Any:
    return kind(
        max_iter=rounds,
        max_features=min(1.0, max(0.1, LOOKED_AT / dim)),
        early_stopping=patience is not None,
        n_iter_no_change=patience or PATIENCE,
        random_state=seed,
    )


def _rounds(
    kind: type[Any],
    X: NDArray[np.float64],
    target: NDArray[Any],
    weights: NDArray[np.float64] | None,
    lesson: Lesson,
) -> int:
    """Return after how many rounds the loss on a fold of whole groups stops falling."""
    held = next(splits(lesson.y, lesson.groups, FOLDS, lesson.seed))
    if not held.any():
        return DEFAULT_ROUNDS
    of_held, of_rest = (None, None) if weights is None else (weights[held], weights[~held])
    trial = _trees(kind, MAX_ROUNDS, X.shape[1], lesson.seed, PATIENCE)
    trial.fit(
        X[~held],
        target[~held],
        sample_weight=of_rest,
        X_val=X[held],
        y_val=target[held],
        sample_weight_val=of_held,
    )
    return max(1, int(trial.n_iter_) - PATIENCE)


def _require_sound(trees: Any, dim: int) -> None:
    """Raise ValueError where a tree would read beyond its nodes or its rows: no library checks."""
    if trees.n_features_in_ != dim or trees.is_categorical_ is not None:
        raise ValueError(f"trees over other than {dim} dimensions")
    for predictor in (each for stage in trees._predictors for each in stage):
        nodes = predictor.nodes
        below = np.arange(len(nodes))
        inner = nodes["is_leaf"] == 0
        sound = not nodes["is_categorical"].any() and len(nodes) > 0
        for side in ("left", "right"):
            child = nodes[side].astype(np.int64)
            sound = sound and bool(((child > below) & (child < len(nodes)))[inner].all())
        feature = nodes["feature_idx"].astype(np.int64)
        if not (sound and ((feature >= 0) & (feature < dim))[inner].all()):
            raise ValueError("a tree points beyond its nodes or its dimensions")
