"""How evenly the rows are spread over the classes."""

from __future__ import annotations

import numpy as np

from downstream.report.study import Study
from featurize.types import Json

FEW = (5, 10)


def balance(study: Study) -> Json:
    """Return the rows of each class and how uneven they are.

    `smallest` and `largest` name classes, `ratio` is that of their rows. `effective` is the number
    of equally large classes that would be as uncertain: exp of the entropy. `under_5` and
    `under_10` name the classes with fewer rows, too few to be learned or measured well.
    """
    counts = np.bincount(study.classes, minlength=len(study.names))
    shares = counts / counts.sum()
    rows = dict(zip(study.names, counts.tolist(), strict=True))
    return {
        "classes": rows,
        "smallest": study.names[counts.argmin()],
        "largest": study.names[counts.argmax()],
        "ratio": float(counts.max() / counts.min()),
        "effective": float(np.exp(-(shares * np.log(shares)).sum())),
        "median": float(np.median(counts)),
        **{f"under_{few}": [name for name, count in rows.items() if count < few] for few in FEW},
    }
