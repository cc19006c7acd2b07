"""Columns of a table beside its vectors, made numbers by one ColumnTransformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from downstream.heads import archive
from downstream.heads.unsound import reading
from featurize.errors import HeadError, UsageError
from featurize.types import Json

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from downstream.heads.models.model import Parts

ARCHIVE = "columns.skops"
MAX_CATEGORIES = 100


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns are numbers and which are categories, and the fitted ColumnTransformer.

    Vectors of `dim` numbers pass through it. Numbers are scaled; a missing one is the median, and
    marked in a column of its own. Categories are one-hot; one that the training lacked, or that is
    beyond the hundred most frequent there, counts as rare. Columns of text are numbers if all
    values that are not empty can be read as such.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    dim: int
    transformer: Any

    @classmethod
    def fit(cls, vectors: NDArray[np.floating], rows: pa.Table) -> Self:
        """Learn from vectors (n, d) and the columns of the same rows."""
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        numeric = tuple(name for name in rows.column_names if _is_numeric(rows[name], name))
        categorical = tuple(name for name in rows.column_names if name not in numeric)
        imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
        one_hot = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=MAX_CATEGORIES, sparse_output=False
        )
        parts = [
            ("vectors", "passthrough", slice(0, vectors.shape[1])),
            ("numeric", make_pipeline(imputer, StandardScaler()), list(numeric)),
            ("categorical", one_hot, list(categorical)),
        ]
        transformer = ColumnTransformer(parts, sparse_threshold=0)
        made = cls(numeric, categorical, vectors.shape[1], transformer)
        transformer.fit(made._frame(vectors, rows))
        return made

    @property
    def names(self) -> list[str]:
        """Return the columns that are read."""
        return [*self.numeric, *self.categorical]

    def join(self, vectors: NDArray[np.floating], rows: pa.Table) -> NDArray[np.float32]:
        """Return vectors (n, d) and columns of the same rows as one matrix, (n, d + c) float32."""
        if not len(vectors):
            width = self.transformer.transform(self._frame(*_one_row(self))).shape[1]
            return np.empty((0, width), np.float32)
        joined = self.transformer.transform(self._frame(vectors, rows))
        return np.asarray(joined, dtype=np.float32)

    def to_json(self) -> Json:
        """Return which columns are taken as what."""
        return {
            "numeric": list(self.numeric),
            "categorical": list(self.categorical),
            "vector_dim": self.dim,
        }

    def parts(self) -> Parts:
        """Return what is saved."""
        return {ARCHIVE: archive.dump(self.transformer)}

    @classmethod
    def load(cls, facts: Json, parts: Parts) -> Self:
        """Take the columns out of what was saved; raise ValueError unless it fits together."""
        from sklearn.compose import ColumnTransformer

        with reading(ARCHIVE):
            transformer = archive.load(parts[ARCHIVE], ColumnTransformer)
        numeric, categorical = (tuple(facts[kind]) for kind in ("numeric", "categorical"))
        return cls(numeric, categorical, int(facts["vector_dim"]), transformer)

    def _frame(self, vectors: NDArray[np.floating], rows: pa.Table) -> pd.DataFrame:
        import pandas as pd

        frame = pd.DataFrame(vectors, columns=[f"vector {n}" for n in range(vectors.shape[1])])
        for name in self.numeric:
            frame[name] = _floats(rows[name], name)
        for name in self.categorical:
            frame[name] = _strings(rows[name])
        return frame


def _one_row(columns: Columns) -> tuple[NDArray[np.float32], pa.Table]:
    import pyarrow as pa

    empty = pa.table({name: pa.array([None], pa.string()) for name in columns.names})
    return np.zeros((1, columns.dim), np.float32), empty


def _is_numeric(column: pa.ChunkedArray, name: str) -> bool:
    """Say whether a column holds numbers, or text that all reads as numbers."""
    import pyarrow as pa

    kinds = pa.types
    binary = (
        kinds.is_binary,
        kinds.is_large_binary,
        kinds.is_fixed_size_binary,
        kinds.is_binary_view,
    )
    if kinds.is_nested(column.type) or any(is_kind(column.type) for is_kind in binary):
        raise UsageError(
            f"--columns {name}: values of type {column.type} are neither numbers nor categories.",
            fix="Leave it out, or make it text or numbers.",
        )
    if not kinds.is_string(column.type) and not kinds.is_large_string(column.type):
        return bool(
            kinds.is_integer(column.type)
            or kinds.is_floating(column.type)
            or kinds.is_decimal(column.type)
            or kinds.is_boolean(column.type)
        )
    values = [value for value in column.unique().to_pylist() if value]
    return bool(values) and all(_parses(value) for value in values)


def _parses(value: str) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except ValueError:
        return False


def _floats(column: pa.ChunkedArray, name: str) -> NDArray[np.float64]:
    try:
        values = [np.nan if v is None or v == "" else float(v) for v in column.to_pylist()]
    except (TypeError, ValueError) as error:
        raise HeadError(
            f"Column {name!r} held numbers in the training; here a value is none: {error}.",
            fix="Mend the column, or train on a table that has such values too.",
        ) from error
    found = np.array(values, dtype=np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def _strings(column: pa.ChunkedArray) -> NDArray[np.object_]:
    values = ["" if value is None else str(value) for value in column.to_pylist()]
    return np.array(values, dtype=object)
