"""Predictions of a whole table, as a Parquet file that hides and replaces nothing."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from downstream import predict_table
from featurize.errors import HeadError, UsageError


def test_predictions_are_written_row_by_row(head, table, tmp_path):
    """The file holds id, prediction, confidence and probabilities in the table's order."""
    out = tmp_path / "deep" / "predictions.parquet"
    assert predict_table(head, table, out) == 240
    rows = pq.read_table(out)
    assert rows.column_names == ["id", "prediction", "confidence", "probabilities"]
    assert [str(field.type) for field in rows.schema][2] == "float"
    assert rows.schema.field("probabilities").type.value_type == "float"
    assert rows["id"].to_pylist() == table.ids.tolist()
    assert rows["prediction"].to_pylist() == head.predict(table).tolist()
    probabilities = np.array(rows["probabilities"].to_pylist())
    assert np.allclose(probabilities, head.predict_proba(table), atol=1e-6)
    assert np.array_equal(rows["confidence"].to_numpy(), probabilities.max(axis=1))
    stamp = json.loads(rows.schema.metadata[b"featurize"])
    assert stamp["classes"] == ["class-0", "class-1", "class-2"]
    assert [path.name for path in out.parent.iterdir()] == ["predictions.parquet"]


def test_predictions_do_not_go_into_a_table(head, table, make_table, clustered, tmp_path):
    """A file among the parts of any table would be read as rows, so it is refused."""
    other = make_table(*clustered(10))
    for place in (
        table.path / "data",
        table.path,
        other.path / "data",
        other.path / "new" / "deep",
    ):
        with pytest.raises(UsageError, match="inside the table"):
            predict_table(head, table, place / "predictions.parquet")
    part = next((other.path / "data").iterdir())
    (tmp_path / "link.parquet").symlink_to(part)
    kept = part.read_bytes()
    with pytest.raises(UsageError, match="inside the table"):
        predict_table(head, table, tmp_path / "link.parquet")
    assert part.read_bytes() == kept
    assert not (other.path / "new").exists()


@pytest.mark.parametrize("name", ["p.csv", "p", "p.parquet.gz"])
def test_predictions_are_parquet_files(head, table, tmp_path, name):
    """Another suffix is a usage error, and nothing is touched."""
    (tmp_path / name).write_text("id,note")
    with pytest.raises(UsageError, match="writes a .parquet file"):
        predict_table(head, table, tmp_path / name)
    assert (tmp_path / name).read_text() == "id,note"


def test_predictions_replace_only_predictions(head, table, tmp_path):
    """Older predictions are replaced; any other file or folder of that name stays."""
    out = tmp_path / "p.parquet"
    for _ in range(2):
        assert predict_table(head, table, out) == 240
    own = pq.read_table(out)
    foreign = [
        pa.table({"id": ["mine"]}),
        own.replace_schema_metadata(None),
        own.drop_columns(["confidence"]),
    ]
    for rows in foreign:
        pq.write_table(rows, out)
        with pytest.raises(HeadError, match="in the way"):
            predict_table(head, table, out)
        assert pq.read_table(out).equals(rows)
    out.write_text("id,note")
    with pytest.raises(HeadError, match="in the way"):
        predict_table(head, table, out)
    assert out.read_text() == "id,note"
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(HeadError, match="in the way"):
        predict_table(head, table, tmp_path / "folder.parquet")


def test_predictions_of_no_rows(head, make_table, clustered, tmp_path):
    """An empty table gives an empty file."""
    empty = make_table(clustered(0)[0].reshape(0, 12))
    assert head.predict(empty).shape == (0,)
    assert predict_table(head, empty, tmp_path / "none.parquet") == 0
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0
