"""An embedding table, with labels, as arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from downstream.datasets.labels import Label
from downstream.datasets.opening import Table, open_table
from downstream.datasets.sources import LabelSource, merge
from downstream.datasets.tasks import Task, targets
from featurize.bundle import EncoderCard
from featurize.errors import HeadError, UsageError
from featurize.storage import canonical_json, sha256_bytes
from featurize.table.layout import PARENT, is_chunked
from featurize.table.reader import EmbeddingTable
from featurize.types import Json

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

LABEL = "label"
MIN_ROWS = 5
MAX_LONELY = 0.5


@dataclass(frozen=True, slots=True)
class Dataset:
    """The labelled rows of a table.

    `X` (n, dim) float32; `y` (n,) of str, or what `tasks.targets` gives for another `task`; `ids`
    (n,) of str; `rows` (n,) are their positions in the table; `columns` are those of the table that
    were asked for, n rows, None for none. `groups` (n,) are numbers: rows of one group are chunks
    of one document or hold equal contents, and must not be split. `unmatched` counts
    `labels_without_row` and `rows_without_label`. `origin` says what it was made from: the
    path of the `table`, `table_id` and `table_version`, whether it was `incomplete`, and
    `rows_sha256`, the identity of ids and contents of the rows.
    """

    X: NDArray[np.float32]
    y: NDArray[np.object_]
    ids: NDArray[np.object_]
    rows: NDArray[np.intp]
    groups: NDArray[np.intp]
    label: str
    unmatched: dict[str, int]
    encoder: EncoderCard
    origin: Json
    task: Task = Task.CLASSES
    columns: pa.Table | None = None

    def __len__(self) -> int:
        """Return the number of labelled rows."""
        return len(self.y)

    def require_trainable(self) -> None:
        """Raise HeadError unless there is something to learn.

        That is: at least 5 rows, 2 classes, and at most half of the rows with a label that no
        other row has. Where rows have several classes or none, one that some rows have and others
        lack is enough; of numbers, that they are not all the same.
        """
        if len(self) < MIN_ROWS:
            raise HeadError(
                f"{len(self)} rows have a label in {self.label!r}; training needs at least "
                f"{MIN_ROWS}.",
                fix="Label more rows.",
            )
        if self.task is Task.MULTILABEL:
            return self._require_several()
        if len(set(self.y)) < 2:
            raise HeadError(
                f"All {len(self)} labels in {self.label!r} are {self.y[0]!r}; training needs at "
                f"least two {'numbers' if self.task is Task.NUMBER else 'classes'}.",
                fix="Name another column with --label, or bring labels with --labels FILE.",
            )
        if self.task is Task.NUMBER:
            return
        lonely = sum(count == 1 for count in Counter(self.y).values())
        if lonely > MAX_LONELY * len(self):
            raise HeadError(
                f"{lonely:,} of {len(self):,} rows have a label in {self.label!r} that no other "
                f"row has; at most half may.",
                fix="Name a column of classes with --label; give each class two rows or more.",
            )

    def _require_several(self) -> None:
        counts = Counter(name for row in self.y for name in row)
        if not any(count < len(self) for count in counts.values()):
            raise HeadError(
                f"No class in {self.label!r} is on some of the {len(self)} rows and not on others.",
                fix="Name another column with --label; of strings say --separator.",
            )


def load_dataset(  # noqa: PLR0913  # each is a choice of its own
    table: Table,
    *,
    label: str | None = None,
    labels_file: str | Path | None = None,
    task: Task = Task.CLASSES,
    separator: str | None = None,
    columns: Sequence[str] = (),
    older: Sequence[LabelSource] = (),
) -> Dataset:
    """Read the rows of a table, given as such or as its path, that have a label.

    Labels come from the column `label` (default `label`) of the table, or of a CSV, TSV or Parquet
    file that also has a column `id`, with the ids of inputs. They become strings: values of a CSV
    file exactly as they stand, others through `str`. Nulls, NaN and empty strings are no labels.
    `task` and `separator` say what becomes of them, see `tasks.targets`; `columns` names further
    columns of the table that are read; `older` sources label the rows that this one leaves out,
    later ones winning, which `origin["merged"]` counts. Raises UsageError where a column is
    missing, holds no single values, or is both label and one of `columns`; HeadError where there is
    no label at all or a file cannot be joined, see `LabelFile.read`.
    """
    table = open_table(table)
    source = LabelSource(label or LABEL, None if labels_file is None else Path(labels_file))
    sources, columns = [*older, source], list(dict.fromkeys(columns))
    _require_apart(sources, columns)
    labels, strangers, merged = _labels(table, sources, lists=task is Task.MULTILABEL)
    labelled = np.array([value is not None for value in labels], dtype=bool)
    kept = [value for value in labels if value is not None]
    contents = table.select(["content_sha256"]).column(0)
    groups, identity = _groups(table, contents)[labelled], _identity(table.ids, contents, labelled)
    vectors = table.to_numpy()  # after all that takes memory for a while
    return Dataset(
        X=vectors if labelled.all() else vectors[labelled],
        y=targets(task, kept, table.ids[labelled].tolist(), separator),
        ids=table.ids[labelled],
        rows=np.flatnonzero(labelled),
        groups=groups,
        label=source.label,
        unmatched={
            "labels_without_row": strangers,
            "rows_without_label": int((~labelled).sum()),
        },
        encoder=table.card,
        origin=_origin(table, sources) | {"rows_sha256": identity, "merged": merged},
        task=task,
        columns=table.select(columns).filter(labelled) if columns else None,
    )


def _labels(
    table: EmbeddingTable, sources: Sequence[LabelSource], *, lists: bool
) -> tuple[list[Label | None], int, Json | None]:
    """Read and merge labels, the last source winning.

    Return a label or None for each row, how many of the last source belong to none, and, of more
    than one source, what the last one changed. Raises HeadError where no row has a label.
    """
    ids, merged = _inputs(table).tolist(), None
    labels, strangers = sources[0].read(table, ids, lists=lists)
    for source in sources[1:]:
        newer, strangers = source.read(table, ids, lists=lists)
        labels, merged = merge(labels, newer)
    if all(value is None for value in labels):
        last = sources[-1]
        raise HeadError(
            f"None of the {len(table)} rows has a label in column {last.label!r} of "
            f"{last.file or table.path}.",
            fix="Name the column with --label, or bring labels with --labels FILE.",
        )
    return labels, strangers, merged


def _require_apart(sources: Sequence[LabelSource], columns: Sequence[str]) -> None:
    """Raise UsageError where labels of the table would be learned from themselves."""
    for source in sources:
        if source.file is None and source.label in columns:
            raise UsageError(
                f"Column {source.label!r} holds the labels: a head cannot learn them from it.",
                fix="Leave it out of --columns.",
            )


def _origin(table: EmbeddingTable, sources: Sequence[LabelSource]) -> Json:
    return {
        "table": str(table.path.resolve()),
        "table_id": table.table_id,
        "table_version": table.version,
        "incomplete": not table.complete,
        **computed(table),
        "labels": [each.to_json() for each in sources],
    }


def computed(table: EmbeddingTable) -> Json:
    """Return what may differ in one vector space: precision and the text of the prompt, or None."""
    variant = table.origin.get("variant") or {}
    prompt = variant.get("prompt") or {}
    return {"precision": variant.get("precision"), "prompt": prompt.get("text")}


def _identity(
    ids: NDArray[np.object_], contents: pa.ChunkedArray, labelled: NDArray[np.bool_]
) -> str:
    columns = [ids[labelled].tolist(), contents.filter(labelled).to_pylist()]
    return sha256_bytes(canonical_json(columns))


def _inputs(table: EmbeddingTable) -> NDArray[np.object_]:
    """Return the id of the input whose row, or whose chunk, each row is."""
    if not is_chunked(table.schema):
        return table.ids
    pairs = zip(table.column(PARENT), table.ids, strict=True)
    return np.array([parent or own for parent, own in pairs], dtype=object)


def _groups(table: EmbeddingTable, contents: pa.ChunkedArray) -> NDArray[np.intp]:
    """Number the groups of rows that share a document or a content, also through other rows."""
    equals = _codes(contents)
    if not is_chunked(table.schema):
        return equals
    documents = np.unique(_inputs(table), return_inverse=True)[1]
    group = np.arange(len(table))
    while True:  # until no row finds a lower number in its document or among its equals
        before = group
        for codes in (documents, equals):
            lowest = np.full(len(table), len(table))
            np.minimum.at(lowest, codes, group)
            group = lowest[codes]
        if (group == before).all():
            return group


def _codes(values: pa.ChunkedArray) -> NDArray[np.intp]:
    """Number the values from 0 in their order, equal ones alike."""
    import pyarrow.compute as pc

    return np.asarray(pc.rank(values, tiebreaker="dense"), dtype=np.intp) - 1
