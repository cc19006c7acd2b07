"""Predictions that are numbers, or any number of classes a row, as columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from downstream.heads.kinds import AnyHead
from downstream.heads.multilabel import MultilabelHead
from downstream.heads.regression import COVERAGE, RegressionHead
from featurize.table.layout import METADATA_KEY
from featurize.table.reader import EmbeddingTable
from featurize.types import Json

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

FORMAT = 1
COLUMNS = ["id", "prediction", "confidence", "low", "high"]


def schema(head: AnyHead) -> pa.Schema:
    """Return the columns of a head's predictions.

    Of numbers: `id`, `prediction` double, `confidence` float32 (null: numbers have none), `low` and
    `high` double, between which nine of ten lie, null where too few rows could be held out. Of any
    number of classes: `id`, `prediction` list<string>, `confidence` float32 (the probability that
    all is right, were the classes independent), `probabilities` list<float32>, one for each class,
    which do not sum to one.
    """
    import pyarrow as pa

    stamp: Json = {"format": FORMAT, "encoder": head.encoder_.to_json() if head.encoder_ else None}
    fields = [("id", pa.string()), ("prediction", pa.float64()), ("confidence", pa.float32())]
    if isinstance(head, RegressionHead):
        stamp["coverage"] = COVERAGE
        fields += [("low", pa.float64()), ("high", pa.float64())]
    else:
        stamp |= {"classes": head.class_names}
        fields[1] = ("prediction", pa.list_(pa.string()))
        fields += [("probabilities", pa.list_(pa.float32()))]
    return pa.schema(fields, {METADATA_KEY: json.dumps(stamp, sort_keys=True).encode()})


def batches(
    head: MultilabelHead | RegressionHead, table: EmbeddingTable, columns: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Yield the predictions for a table, batch by batch."""
    import pyarrow as pa

    for batch in table.iter_batches(["id", *head.reads]):
        X = head.features_of(batch)
        found = _numbers(head, X) if isinstance(head, RegressionHead) else _classes(head, X)
        yield pa.RecordBatch.from_arrays([batch.column("id"), *found], schema=columns)


def _numbers(head: RegressionHead, X: NDArray[np.floating]) -> list[pa.Array]:
    import pyarrow as pa

    values = head.predict(X)
    nothing = pa.nulls(len(values), pa.float32())
    if head.margin_ is None:
        return [pa.array(values), nothing, *[pa.nulls(len(values), pa.float64())] * 2]
    bounds = (values - head.margin_, values + head.margin_)
    return [pa.array(values), nothing, *map(pa.array, bounds)]


def _classes(head: MultilabelHead, X: NDArray[np.floating]) -> list[pa.Array]:
    import pyarrow as pa

    probabilities = head.predict_proba(X)
    given = probabilities >= head.thresholds_
    sure = np.where(given, probabilities, 1 - probabilities).prod(axis=1)
    names = pa.array(head.class_names, pa.string()).take(pa.array(np.nonzero(given)[1]))
    stops = np.concatenate([[0], np.cumsum(given.sum(axis=1))]).astype(np.int32)
    ends = np.arange(len(X) + 1, dtype=np.int32) * given.shape[1]
    flat = pa.array(probabilities.astype(np.float32).ravel())
    return [
        pa.ListArray.from_arrays(pa.array(stops), names),
        pa.array(sure.astype(np.float32)),
        pa.ListArray.from_arrays(pa.array(ends), flat),
    ]
