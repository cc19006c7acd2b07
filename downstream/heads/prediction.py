"""Predictions for a whole table, as a Parquet file."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from downstream.heads.head import Head
from featurize import storage
from featurize.errors import HeadError, UsageError
from featurize.table.layout import EMBEDDING, METADATA_KEY
from featurize.table.reader import EmbeddingTable, vectors_of

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1


def predict_table(head: Head, table: EmbeddingTable, out: str | Path) -> int:
    """Write a prediction for each row of a table, in its order, and return their number.

    Columns: `id`, `prediction` string, `confidence` float32 (the highest probability) and
    `probabilities` list<float32>, in the order of the class names which the schema metadata states
    under `featurize`. The file appears whole or not at all and replaces an older one. Raises
    MismatchError where the table's vectors come from another encoder.
    """
    import pyarrow.parquet as pq

    head.require_space(table)
    final = _free_place(Path(out).resolve(), table)
    staged = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
    try:
        with pq.ParquetWriter(
            staged, _schema(head), compression="zstd", write_page_checksum=True
        ) as file:
            for batch in _predictions(head, table):
                file.write_batch(batch)
        rows: int = pq.read_metadata(staged).num_rows
        if rows != len(table):
            raise HeadError(f"{out}: {len(table)} rows were expected, {rows} were written.")
        storage.publish(staged, final)
    finally:
        storage.remove(staged)
    return rows


def _predictions(head: Head, table: EmbeddingTable) -> Iterator[pa.RecordBatch]:
    import numpy as np
    import pyarrow as pa

    names = pa.array(head.class_names, pa.string())
    for batch in table.iter_batches(["id", EMBEDDING]):
        probabilities = head.predict_proba(vectors_of(batch))
        stops = np.arange(len(batch) + 1, dtype=np.int32) * len(names)
        flat = pa.array(probabilities.astype(np.float32).ravel())
        columns = [
            batch.column("id"),
            names.take(pa.array(probabilities.argmax(axis=1))),
            pa.array(probabilities.max(axis=1).astype(np.float32)),
            pa.ListArray.from_arrays(pa.array(stops), flat),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=_schema(head))


def _schema(head: Head) -> pa.Schema:
    import pyarrow as pa

    stamp = {
        "format": FORMAT,
        "classes": head.class_names,
        "encoder": head.encoder_.to_json() if head.encoder_ else None,
    }
    fields = [
        ("id", pa.string()),
        ("prediction", pa.string()),
        ("confidence", pa.float32()),
        ("probabilities", pa.list_(pa.float32())),
    ]
    return pa.schema(fields, {METADATA_KEY: json.dumps(stamp, sort_keys=True).encode()})


def _free_place(final: Path, table: EmbeddingTable) -> Path:
    """Make the folder of the file, which must not lie in the table: readers take all it holds."""
    if final.is_dir():
        raise UsageError(f"--out {final} is a folder; predictions are written to a Parquet file.")
    if final.is_relative_to(table.path.resolve()):
        raise UsageError(f"--out {final} lies inside the table.", fix="Choose another place.")
    storage.make_folder(final.parent)
    return final
