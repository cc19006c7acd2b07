"""The models, by the names that users give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from downstream.heads.models.boosting import BoostingModel
from downstream.heads.models.linear import LinearModel
from downstream.heads.models.model import Model
from downstream.heads.models.neighbors import KnnModel
from downstream.heads.models.solvers import CentroidModel, LogisticModel, RidgeModel, SvmModel
from featurize.errors import UsageError

M = TypeVar("M")
LINEAR_MODELS: dict[str, type[LinearModel]] = {
    "logistic": LogisticModel,
    "svm": SvmModel,
    "ridge": RidgeModel,
    "centroid": CentroidModel,
}
MODELS: dict[str, type[Model]] = {
    **LINEAR_MODELS,
    "knn": KnnModel,
    "boosting": BoostingModel,
}


def model_named(name: str, models: Mapping[str, type[M]]) -> type[M]:
    """Return the model of a name; raise UsageError where there is none."""
    if name not in models:
        raise UsageError(f"There is no model {name!r}.", fix=f"Choose one of: {', '.join(models)}.")
    return models[name]
