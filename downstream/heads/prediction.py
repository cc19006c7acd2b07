"""Predictions for a whole table, as a Parquet file."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from downstream.artifact import free_file
from downstream.datasets import Table, open_table
from downstream.heads import answers
from downstream.heads.head import Head
from downstream.heads.kinds import AnyHead
from downstream.heads.opening import open_head
from featurize import storage
from featurize.errors import HeadError
from featurize.table.layout import METADATA_KEY
from featurize.table.reader import EmbeddingTable

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
SUFFIX = ".parquet"
COLUMNS = ["id", "prediction", "confidence", "probabilities"]
SCOPE = "scope"


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
    import pyarrow.parquet as pq

    head, table = open_head(head), open_table(table)
    head.require_space(table)
    final = free_file(Path(out), SUFFIX, "predict", _is_ours)
    staged = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
    try:
        with (
            storage.create(staged) as file,
            pq.ParquetWriter(
                file, _schema(head), compression="zstd", write_page_checksum=True
            ) as writer,
        ):
            for batch in _predictions(head, table):
                writer.write_batch(batch)
        rows: int = pq.read_metadata(staged).num_rows
        if rows != len(table):
            raise HeadError(
                f"{out}: {len(table)} rows were expected, {rows} were written.",
                fix="`featurize verify` says whether the table is damaged.",
            )
        storage.publish(staged, final)
    finally:
        storage.remove(staged)
    return rows


def _predictions(head: AnyHead, table: EmbeddingTable) -> Iterator[pa.RecordBatch]:
    import numpy as np
    import pyarrow as pa

    if not isinstance(head, Head):
        yield from answers.batches(head, table, _schema(head))
        return
    names = pa.array(head.class_names, pa.string())
    for batch in table.iter_batches(["id", *head.reads]):
        features = head.features_of(batch)
        probabilities = head.predict_proba(features)
        best = pa.array(probabilities.argmax(axis=1), mask=~head.trust_.answers(probabilities))
        stops = np.arange(len(batch) + 1, dtype=np.int32) * len(names)
        flat = pa.array(probabilities.astype(np.float32).ravel())
        columns = [
            batch.column("id"),
            names.take(best),
            pa.array(probabilities.max(axis=1).astype(np.float32)),
            pa.ListArray.from_arrays(pa.array(stops), flat),
        ]
        if scope := head.trust_.scope:
            columns.append(pa.array(scope.score(features, probabilities).astype(np.float32)))
        yield pa.RecordBatch.from_arrays(columns, schema=_schema(head))


def _schema(head: AnyHead) -> pa.Schema:
    import pyarrow as pa

    if not isinstance(head, Head):
        return answers.schema(head)
    abstention = head.trust_.abstention
    stamp = {
        "format": FORMAT,
        "classes": head.class_names,
        "threshold": None if abstention is None else abstention.threshold,
        "encoder": head.encoder_.to_json() if head.encoder_ else None,
    }
    types = [pa.string(), pa.string(), pa.float32(), pa.list_(pa.float32())]
    fields = list(zip(COLUMNS, types, strict=True))
    if head.trust_.scope is not None:
        fields.append((SCOPE, pa.float32()))
    return pa.schema(fields, {METADATA_KEY: json.dumps(stamp, sort_keys=True).encode()})


def _is_ours(file: Path) -> bool:
    """Say whether a file holds predictions."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(file) if file.is_file() else pa.schema([])
    except (OSError, pa.ArrowException):
        return False
    known = (COLUMNS, [*COLUMNS, SCOPE], answers.COLUMNS)
    return METADATA_KEY in (schema.metadata or {}) and schema.names in known
