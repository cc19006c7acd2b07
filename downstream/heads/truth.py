"""The labels that a head is measured by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from downstream.datasets import (
    LABEL,
    Dataset,
    LabelSource,
    Table,
    column_among,
    open_table,
)

if TYPE_CHECKING:
    from downstream.heads.base import TableHead
    from featurize.table.reader import EmbeddingTable


def labelled(
    head: TableHead,
    table: Table,
    *,
    label: str | None = None,
    labels_file: str | Path | None = None,
) -> Dataset:
    """Read the rows of a table, or of its path, that have a label to measure a head by.

    `label` defaults to what the head learned, with `labels_file` see `named_in`. Of several sources
    that it learned from, that is the newest column of which the table has labels: first those that
    were columns then, later ones that files brought. Raises MismatchError where the table's vectors
    come from another encoder, and what `load_dataset` does.
    """
    head.require_space(table := open_table(table))
    if label is None:
        label = _learned(head, table) if labels_file is None else named_in(labels_file, head)
    return head.dataset(table, label=label, labels_file=labels_file)


def named_in(labels_file: str | Path, head: TableHead) -> str:
    """Return the column of a file that holds labels for a head: `label`, else that of its own."""
    return column_among(Path(labels_file), [LABEL, head.training_["label"] or LABEL])


def _learned(head: TableHead, table: EmbeddingTable) -> str:
    sources = [LabelSource.from_json(each) for each in reversed(head.training_["labels"] or [])]
    sources.sort(key=lambda each: each.file is not None)
    names = [each.label for each in sources if _has_labels(table, each.label)]
    return names[0] if names else head.training_["label"] or LABEL


def _has_labels(table: EmbeddingTable, name: str) -> bool:
    if name not in table.schema.names:
        return False
    column = table.select([name]).column(0)
    return bool(column.null_count < len(column))
