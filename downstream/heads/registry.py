"""The models, by the names that users give them."""

from __future__ import annotations

from downstream.heads.boosting import BoostingModel
from downstream.heads.model import Model
from downstream.heads.neighbors import KnnModel
from downstream.heads.solvers import CentroidModel, LogisticModel, RidgeModel, SvmModel
from featurize.errors import UsageError

MODELS: dict[str, type[Model]] = {
    "logistic": LogisticModel,
    "svm": SvmModel,
    "ridge": RidgeModel,
    "centroid": CentroidModel,
    "knn": KnnModel,
    "boosting": BoostingModel,
}


def model_named(name: str) -> type[Model]:
    """Return the model of a name; raise UsageError where there is none."""
    if name not in MODELS:
        raise UsageError(f"There is no model {name!r}.", fix=f"Choose one of: {', '.join(MODELS)}.")
    return MODELS[name]
