"""What a row of each class counts in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from featurize.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def class_weights(
    stated: Literal["balanced"] | Mapping[Any, float] | None,
    classes: NDArray[Any],
    numbers: NDArray[np.intp],
) -> NDArray[np.float64] | None:
    """Return the weight of each of `classes`, (k,) float64, None where all count one.

    `balanced` is n / (k x rows of the class), as in scikit-learn. Raises UsageError for anything
    else than that, a mapping to positive numbers, or None; and for a mapping that names a class
    which no row has.
    """
    if stated is None:
        return None
    if isinstance(stated, str) and stated == "balanced":
        return len(numbers) / (len(classes) * np.bincount(numbers, minlength=len(classes)))
    if not isinstance(stated, Mapping):
        raise UsageError(
            f"class_weight is {stated!r}.", fix="Give `balanced`, or a mapping from classes."
        )
    known = classes.tolist()
    if strangers := [name for name in stated if name not in known]:
        raise UsageError(
            f"class_weight names {strangers[0]!r}, which is no class of the labels.",
            fix=f"The classes are {', '.join(map(str, known[:10]))}.",
        )
    weights = np.array([stated.get(name, 1.0) for name in known], dtype=np.float64)
    if not (np.isfinite(weights).all() and (weights > 0).all()):
        raise UsageError("class_weight holds a number that is not positive.")
    return weights
