"""The linear methods: how each learns its scores."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np

from downstream.heads.models.choice import Search
from downstream.heads.models.linear import LinearModel, Solved
from downstream.heads.models.model import Lesson


class LogisticModel(LinearModel):
    """Multinomial logistic regression; its scores are log-odds."""

    __slots__ = ()
    search: ClassVar[Search] = Search((1e-3, 1e-2, 1e-1, 1.0), default=1e-1)
    setting: ClassVar[str] = "C"

    @classmethod
    def solve(cls, lesson: Lesson, setting: float, *, rough: bool) -> Solved:
        """Learn with scikit-learn's LogisticRegression."""
        from sklearn.linear_model import LogisticRegression

        tolerance = 1e-3 if rough else 1e-4
        regression = LogisticRegression(
            C=setting, tol=tolerance, max_iter=1000, class_weight=_by_class(lesson)
        )
        with warnings.catch_warnings(action="ignore"):  # of rare classes, of steps run out
            regression.fit(lesson.X, lesson.y)
        return Solved(regression.coef_, regression.intercept_)


class RidgeModel(LinearModel):
    """Least squares on +1 and -1, one class against the rest, with an L2 penalty."""

    __slots__ = ()
    search: ClassVar[Search] = Search((1.0, 1e1, 1e2, 1e3, 1e4), default=1e2, tempered=True)
    setting: ClassVar[str] = "alpha"

    @classmethod
    def solve(cls, lesson: Lesson, setting: float, *, rough: bool) -> Solved:  # noqa: ARG003
        """Learn with scikit-learn's RidgeClassifier, exactly."""
        from sklearn.linear_model import RidgeClassifier

        ridge = RidgeClassifier(alpha=setting, class_weight=_by_class(lesson))
        with warnings.catch_warnings(action="ignore"):  # of rare classes
            ridge.fit(lesson.X, lesson.y)
        return Solved(np.atleast_2d(ridge.coef_), np.atleast_1d(ridge.intercept_))


class SvmModel(LinearModel):
    """A linear support vector machine whose loss is over all classes at once.

    After Crammer and Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector
    Machines", 2001. One class against the rest took liblinear 15 to 80 seconds on banking77, this
    took 1 to 6 and was righter (at the best C of each 0.929 and 0.923 of the test rows).
    """

    __slots__ = ()
    search: ClassVar[Search] = Search((1e-3, 3e-3, 1e-2, 1e-1), default=1e-2, tempered=True)
    setting: ClassVar[str] = "C"

    @classmethod
    def solve(cls, lesson: Lesson, setting: float, *, rough: bool) -> Solved:
        """Learn with scikit-learn's LinearSVC."""
        from sklearn.svm import LinearSVC

        machine = LinearSVC(
            C=setting,
            multi_class="crammer_singer",
            tol=1e-1 if rough else 1e-3,
            class_weight=_by_class(lesson),
            random_state=lesson.seed,
        )
        with warnings.catch_warnings(action="ignore"):  # of rare classes, of steps run out
            machine.fit(lesson.X, lesson.y)
        return Solved(machine.coef_, np.atleast_1d(machine.intercept_))


class CentroidModel(LinearModel):
    """The nearest centroid: the score of a class is half the squared distance to its mean, negated.

    Without what is the same for all classes that is linear. `shrinkage` draws the means towards
    that of all rows, by as many rows as it says. A class that counts more than once is taken for
    so much more frequent, since no mean moves by counting all of its rows more.
    """

    __slots__ = ()
    weights_are_priors: ClassVar[bool] = True
    search: ClassVar[Search] = Search((0.0, 1.0, 4.0), default=0.0, tempered=True)
    setting: ClassVar[str] = "shrinkage"

    @classmethod
    def solve(cls, lesson: Lesson, setting: float, *, rough: bool) -> Solved:  # noqa: ARG003
        """Average each class's rows with scikit-learn's NearestCentroid."""
        from sklearn.neighbors import NearestCentroid

        counts = np.bincount(lesson.y)
        with warnings.catch_warnings(action="ignore"):  # of rare classes
            centroids = NearestCentroid().fit(lesson.X, lesson.y).centroids_
        means = centroids * (counts / (counts + setting))[:, None]
        offsets = -0.5 * np.square(means).sum(axis=1)
        return Solved(means, offsets)


def _by_class(lesson: Lesson) -> dict[int, float] | None:
    return None if lesson.weights is None else dict(enumerate(lesson.weights.tolist()))
