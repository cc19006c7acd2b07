"""What label vectors answer for a table: as a file like that of a head, and measured like one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from downstream.datasets import Table, load_dataset, open_table
from downstream.heads.measures import measure, per_class
from downstream.heads.prediction import prediction_columns, prediction_schema, write_predictions
from downstream.zeroshot.classifier import ZeroShot
from featurize.errors import HeadError
from featurize.table.layout import EMBEDDING
from featurize.table.reader import EmbeddingTable, vectors_of
from featurize.types import Json

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 3


def classify_table(zero: ZeroShot, table: Table, out: str | Path | None = None) -> dict[str, int]:
    """Classify each row of a table and return how many rows each class got, 0 included.

    The predictions are written to `out`, where one is given, as `predict_table` does: the columns
    and the metadata are the same, and so is where the file must not go.
    """
    table = open_table(table)
    zero.require_space(table)
    schema = prediction_schema(zero.class_names, table.card)
    counts = dict.fromkeys(zero.class_names, 0)
    batches = _tallied(_predictions(zero, table, schema), counts)
    if out is None:
        for _ in batches:
            pass
    else:
        write_predictions(batches, schema, len(table), out)
    return counts


def measure_labels(zero: ZeroShot, table: Table, label: str | None = None) -> Json:
    """Measure label vectors on the labelled rows of a table: `evaluate`'s figures for a head.

    Returns label, classes, rows, metrics, per_class, unmatched and incomplete. Raises HeadError
    where no row has one of the labels.
    """
    table = open_table(table)
    data = load_dataset(table, label=label)
    zero.require_space(table)
    classes = np.array(zero.class_names, dtype=object)
    if not np.isin(data.y, classes).any():
        found, known = (
            ", ".join(map(repr, sorted(set(names))[:_SHOWN])) for names in (data.y, classes)
        )
        raise HeadError(
            f"No row has one of the labels in column {data.label!r}: the rows have {found}; the "
            f"labels are {known}.",
            fix="Write the labels as the column has them, each with a description if need be; or "
            "name another column with --label.",
        )
    probabilities = zero.predict_proba(data.X)
    return {
        "label": data.label,
        "classes": zero.class_names,
        "rows": len(data),
        "metrics": measure(classes, probabilities, data.y),
        "per_class": per_class(classes, probabilities, data.y),
        "unmatched": data.unmatched,
        "incomplete": data.origin["incomplete"],
    }


def _tallied(batches: Iterator[pa.RecordBatch], counts: dict[str, int]) -> Iterator[pa.RecordBatch]:
    """Pass batches on and add their predictions to the counts."""
    for batch in batches:
        for name, count in Counter(batch.column("prediction").to_pylist()).items():
            counts[name] += count
        yield batch


def _predictions(
    zero: ZeroShot, table: EmbeddingTable, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for batch in table.iter_batches(["id", EMBEDDING]):
        probabilities = zero.predict_proba(vectors_of(batch))
        columns = prediction_columns(batch.column("id"), zero.class_names, probabilities)
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
