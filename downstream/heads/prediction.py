"""Predictions for a whole table, as a Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from downstream.datasets import Table, open_table
from downstream.heads import answers
from downstream.heads.head import Head
from downstream.heads.kinds import AnyHead
from downstream.heads.opening import open_head
from downstream.parquet_file import ParquetKind
from featurize.bundle import EncoderCard
from featurize.errors import HeadError
from featurize.table.layout import METADATA_KEY
from featurize.table.reader import EmbeddingTable

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

FORMAT = 1
COLUMNS = ["id", "prediction", "confidence", "probabilities"]
SCOPE = "scope"
_PREDICTIONS = ParquetKind(
    "predict", (tuple(COLUMNS), (*COLUMNS, SCOPE), tuple(answers.COLUMNS)), HeadError
)


def predict_table(head: AnyHead | str | Path, table: Table, out: str | Path) -> int:
    """Write a prediction for each row of a table, in its order, and return their number.

    Head and table may be given as their paths. Columns: `id`, `prediction` string, `confidence`
    float32 (the highest probability) and `probabilities` list<float32>. These come in the order of
    the class names, ascending, which the schema metadata states under `featurize` as `classes`. A
    head with a threshold leaves `prediction` null where the confidence is below it; one that keeps
    rows to tell its scope adds `scope` float32, see `Scope.score`. For numbers and for any number
    of classes a row see `answers`. The file appears whole or not at all and replaces older
    predictions. Raises UsageError for a place where it must not go, HeadError where another file is
    in the way, MismatchError where the table's vectors come from another encoder.
    """
    head, table = open_head(head), open_table(table)
    head.require_space(table)
    if isinstance(head, Head):
        schema = _schema_of(head)
        batches = _predictions(head, table, schema)
    else:
        schema = answers.schema(head)
        batches = answers.batches(head, table, schema)
    return write_predictions(batches, schema, len(table), out)


def write_predictions(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, count: int, out: str | Path
) -> int:
    """Write `count` predictions to a file, as `predict_table` does, and return their number."""
    return _PREDICTIONS.write(out, schema, batches, count)


def prediction_columns(
    ids: pa.Array,
    classes: list[str],
    probabilities: NDArray[np.float64],
    answered: NDArray[np.bool_] | None = None,
) -> list[pa.Array]:
    """Return the columns of a batch of predictions: of ids (n,) and probabilities (n, k).

    Rows that are not `answered` (n,) have no prediction; all have one where that is None.
    """
    import numpy as np
    import pyarrow as pa

    best = pa.array(probabilities.argmax(axis=1), mask=None if answered is None else ~answered)
    stops = np.arange(len(ids) + 1, dtype=np.int32) * len(classes)
    flat = pa.array(probabilities.astype(np.float32).ravel())
    return [
        ids,
        pa.array(classes, pa.string()).take(best),
        pa.array(probabilities.max(axis=1).astype(np.float32)),
        pa.ListArray.from_arrays(pa.array(stops), flat),
    ]


def prediction_schema(
    classes: list[str],
    encoder: EncoderCard | None,
    *,
    threshold: float | None = None,
    scope: bool = False,
) -> pa.Schema:
    """Return the schema of predictions, whose metadata name the classes and the threshold."""
    import pyarrow as pa

    stamp = {
        "format": FORMAT,
        "classes": classes,
        "threshold": threshold,
        "encoder": encoder.to_json() if encoder else None,
    }
    types = [pa.string(), pa.string(), pa.float32(), pa.list_(pa.float32())]
    fields = list(zip(COLUMNS, types, strict=True))
    if scope:
        fields.append((SCOPE, pa.float32()))
    return pa.schema(fields, {METADATA_KEY: json.dumps(stamp, sort_keys=True).encode()})


def _schema_of(head: Head) -> pa.Schema:
    trust = head.trust_
    threshold = None if trust.abstention is None else trust.abstention.threshold
    has_scope = trust.scope is not None
    return prediction_schema(head.class_names, head.encoder_, threshold=threshold, scope=has_scope)


def _predictions(head: Head, table: EmbeddingTable, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import numpy as np
    import pyarrow as pa

    trust = head.trust_
    for batch in table.iter_batches(["id", *head.reads]):
        features = head.features_of(batch)
        probabilities = head.predict_proba(features)
        answered = trust.answers(probabilities)
        columns = prediction_columns(batch.column("id"), head.class_names, probabilities, answered)
        if trust.scope is not None:
            score = trust.scope.score(features, probabilities)
            columns.append(pa.array(score.astype(np.float32)))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
